"""The replay file of a model: what it answered on old texts, so that new labels cannot make it forget them. It holds no text.

A row is a text's features in a space of few coordinates, 8 bits each, with its language, set and label. A head may be changed
within this space only, so the rows say exactly what a change does to the old texts: nothing of it happens outside of what is stored.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact
from models.errors import ModelError
from models.training.heads import Head

__all__ = ["REPLAY_FILE", "Replay", "Space", "load_replay"]

#: Its name in the model folder.
REPLAY_FILE = "replay.npz"

FORMAT = 1
#: Least deviation of a feature, as a share of the mean one.
FLAT = 0.1
REBUILD = "bellwether models replay --data FOLDER --artifact MODEL"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Space:
    """``dims`` orthogonal directions of the standardised features: those the base heads read, then the widest of the rest (PCA).

    Attributes:
        mean: float32 ``[width]``; deviation: float32 ``[width]``.
        basis: float16 ``[width, dims]``.
        steps: float32 ``[dims]``: a coordinate is stored as int8 times its step.
    """

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    basis: NDArray[np.float16]
    steps: NDArray[np.float32]

    @classmethod
    def of(cls, features: NDArray[np.floating[Any]], heads: Sequence[Head], dims: int) -> Space:
        """The space of ``features`` ``[n, width]`` in ``dims`` directions, at most as many as there are.

        Raises:
            ValueError: ``dims`` is less than the classes of ``heads`` together.
        """
        mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        deviation = features.std(axis=0, dtype=np.float64).astype(np.float32)
        # A feature that hardly ever moves is not blown up to the size of the others.
        deviation = np.maximum(deviation, FLAT * deviation.mean())
        scaled = (features.astype(np.float32) - mean) / deviation
        read = np.concatenate([head.weights * deviation[:, None] for head in heads], axis=1)
        if dims < read.shape[1]:
            raise ValueError(f"{dims} coordinates cannot hold heads of {read.shape[1]} classes")
        first, _ = np.linalg.qr(read.astype(np.float64))
        rest = scaled - scaled @ (first @ first.T).astype(np.float32)
        _, directions = np.linalg.eigh((rest.T @ rest).astype(np.float64))
        widest = directions[:, ::-1][:, : min(dims, scaled.shape[1]) - first.shape[1]]
        basis = np.concatenate([first, widest], axis=1).astype(np.float16)
        peaks = np.abs(scaled @ basis.astype(np.float32)).max(axis=0)
        return cls(mean, deviation, basis, (np.maximum(peaks, 1e-6) / 127).astype(np.float32))

    def coordinates(self, features: NDArray[np.floating[Any]]) -> Floats:
        """float64 ``[n, dims]`` of features ``[n, width]``."""
        scaled = (features.astype(np.float64) - self.mean) / self.deviation
        return np.asarray(scaled @ self.basis.astype(np.float64))

    def levels(self, features: NDArray[np.floating[Any]]) -> NDArray[np.int8]:
        """The coordinates as they are stored."""
        levels: NDArray[np.int8] = np.clip(np.rint(self.coordinates(features) / self.steps), -127, 127).astype(np.int8)
        return levels

    def logits(self, head: Head, coordinates: Floats) -> Floats:
        """Logits of ``head`` by the coordinates alone; exact for the heads that the space was made of."""
        inside = self.basis.astype(np.float64).T @ (head.weights * self.deviation[:, None])
        return np.asarray(coordinates @ inside + (self.mean.astype(np.float64) @ head.weights + head.bias))

    def applied(self, head: Head, matrix: Floats, bias: Floats) -> Head:
        """``head`` plus ``coordinates @ matrix + bias``, as one head on features; classes beyond its own start from nought."""
        weights = (self.basis.astype(np.float64) @ matrix) / self.deviation[:, None]
        shift = bias - self.mean @ weights
        weights[:, : len(head.bias)] += head.weights
        shift[: len(head.bias)] += head.bias
        return Head(weights.astype(np.float32), shift.astype(np.float32))


@dataclass(frozen=True)
class Replay:
    """Rows of one model.

    Attributes:
        model_id: whose features these are. digest: SHA-256 of its ``model.onnx``.
        levels: int8 ``[n, dims]``.
        langs, sources: of each row.
        check: bool ``[n]``: decay is measured on the row; else it holds the head while it is fitted.
        answers: head -> int16 ``[n]``: the labelled class, -1 where the label says nothing of this head.
    """

    model_id: str
    digest: str
    space: Space
    levels: NDArray[np.int8]
    langs: NDArray[np.str_]
    sources: NDArray[np.str_]
    check: NDArray[np.bool_]
    answers: Mapping[str, NDArray[np.int16]]

    def __len__(self) -> int:
        return len(self.levels)

    def coordinates(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Floats:
        """float64 coordinates of ``rows``."""
        return np.asarray(self.levels[rows].astype(np.float64) * self.space.steps)

    def belongs_to(self, artifact: Artifact) -> None:
        """Refuse another model's rows.

        Raises:
            ModelError: the rows were computed by another ``model.onnx``.
        """
        if self.digest != artifact.sha256["model.onnx"]:
            message = f"the replay rows are those of {self.model_id} ({self.digest[:8]}), not of {artifact.model_id}"
            raise ModelError(message, mend=REBUILD)

    def joined(self, other: Replay) -> Replay:
        """These rows and those of ``other``, in the same space."""
        both = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in _ROWS}
        answers = {task: np.concatenate([mine, other.answers[task]]) for task, mine in self.answers.items()}
        return replace(self, **both, answers=answers)

    def save(self, path: Path) -> str:
        """Write the file and return its SHA-256; the same rows make the same bytes."""
        arrays = self._arrays()
        header = {"format": FORMAT, "model_id": self.model_id, "model_sha256": self.digest, "rows_sha256": _digest(arrays)}
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
        partial = path.with_name(f".{path.name}.partial")
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, array in arrays.items():
                # A fixed date, so that the file's checksum tells whether its rows are the same.
                entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w") as stream:
                    np.lib.format.write_array(stream, array, allow_pickle=False)  # type: ignore[no-untyped-call,unused-ignore]
        partial.replace(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {name: getattr(self.space, name) for name in _SPACE}
        # Column by column: values of one coordinate are alike, and pack better side by side.
        arrays["levels"] = np.ascontiguousarray(self.levels.T)
        arrays["check"] = self.check
        for name in _NAMES:
            names, places = np.unique(getattr(self, name), return_inverse=True)
            arrays[f"{name}.names"], arrays[name] = names, places.astype(np.uint16)
        arrays |= {f"answers.{task}": values for task, values in self.answers.items()}
        return arrays


_SPACE = ("mean", "deviation", "basis", "steps")
_NAMES = ("langs", "sources")
_ROWS = ("levels", "check", *_NAMES)


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def load_replay(path: Path) -> Replay:
    """Read a replay file and check it against its checksum.

    Raises:
        ModelError: there is no such file, it is damaged, or it is of another format.
    """
    if not path.is_file():
        raise ModelError(f"no replay file {path}: without old texts nobody can say what the model would forget", mend=REBUILD)
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        header = json.loads(arrays.pop("header").tobytes())
        if header["format"] != FORMAT or header["rows_sha256"] != _digest(arrays):
            raise ModelError(f"{path} is damaged or of another format", mend=REBUILD)
        named = {name: arrays[f"{name}.names"][arrays[name]] for name in _NAMES}
        return Replay(
            model_id=header["model_id"],
            digest=header["model_sha256"],
            space=Space(*(arrays[name] for name in _SPACE)),
            levels=np.ascontiguousarray(arrays["levels"].T),
            check=arrays["check"],
            answers={name.removeprefix("answers."): values for name, values in arrays.items() if name.startswith("answers.")},
            **named,
        )
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} is not a replay file: {error}", mend=REBUILD) from error
