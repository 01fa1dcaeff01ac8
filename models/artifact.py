"""The shipped model: a folder with ``model.onnx``, ``tokenizer.json``, ``config.json``, its model card ``README.md``, and, once it is
calibrated by language, ``calibration.json``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from models.errors import ModelError

__all__ = ["CALIBRATION", "DEFAULT_ARTIFACT", "REINSTALL", "Artifact", "load_artifact"]

#: The artifact that comes with the package.
DEFAULT_ARTIFACT: Path = Path(__file__).parent / "artifacts" / "bellwether-base"

CALIBRATION = "calibration.json"

REINSTALL = "reinstall the package, or build the artifact with `bellwether models train`"


@dataclass(frozen=True)
class Artifact:
    """What a scorer must know of a model.

    Attributes:
        root: the folder.
        model_id: name, version and the first characters of the checksum, e.g. ``bellwether-base/1.0+0a1b2c3d``.
        sentiment_labels: in the order of the output ``sentiment``.
        topic_labels: in the order of the output ``topic`` (IPTC Media Topics top-level names).
        max_length: tokens a text is cut to, special ones included.
        prefix: put before every text.
        sha256: of ``model.onnx``, ``tokenizer.json`` and, where there is one, ``calibration.json``, by file name.
        temperatures: by which the logits of each head were divided; the probabilities of the graph are calibrated already.
        languages: ISO 639-1 codes the model was trained or measured on.
        event_labels: in the order of the output ``event``; empty where the graph has none.
    """

    root: Path
    model_id: str
    sentiment_labels: tuple[str, ...]
    topic_labels: tuple[str, ...]
    max_length: int
    prefix: str
    sha256: Mapping[str, str]
    temperatures: Mapping[str, float]
    languages: tuple[str, ...]
    event_labels: tuple[str, ...] = ()

    @property
    def onnx_path(self) -> Path:
        """The graph: ``input_ids`` and ``attention_mask`` int64 ``[batch, sequence]`` to probabilities and embedding."""
        return self.root / "model.onnx"

    @property
    def tokenizer_path(self) -> Path:
        """The trimmed tokenizer."""
        return self.root / "tokenizer.json"

    @property
    def calibration_path(self) -> Path:
        """Temperatures and thresholds by language, see :mod:`models.calibration.record`; need not be there."""
        return self.root / CALIBRATION

    def labels(self, head: str) -> tuple[str, ...]:
        """The classes of ``sentiment``, ``topic`` or ``event``, in the order of the output of that name.

        Raises:
            ModelError: the model has no such head.
        """
        heads = {"sentiment": self.sentiment_labels, "topic": self.topic_labels, "event": self.event_labels}
        if not heads.get(head):
            raise ModelError(f"{self.model_id} has no head for {head}", mend="name another task, or a model that has it")
        return heads[head]

    def verify(self) -> None:
        """Compare the files with their recorded checksums.

        Raises:
            ModelError: a file differs from what ``config.json`` records, or is missing.
        """
        for name, digest in self.sha256.items():
            if not (self.root / name).is_file():
                raise ModelError(f"no {name} in the model folder {self.root}", mend=REINSTALL)
            with (self.root / name).open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
            if found != digest:
                raise ModelError(f"{self.root / name} is damaged: its checksum is {found[:12]}…, not {digest[:12]}…", mend=REINSTALL)


def _text(config: Mapping[str, Any], key: str) -> str:
    value = config[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is not text")
    return value


def _texts(config: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = config[key]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"{key} is not a list of texts")
    return tuple(value)


def load_artifact(path: Path | None = None) -> Artifact:
    """Read the artifact in ``path``, by default the one that comes with the package. Imports nothing heavy.

    Raises:
        ModelError: the folder, one of its files, or a field of ``config.json`` is missing or of the wrong kind.
    """
    root = DEFAULT_ARTIFACT if path is None else path
    for name in ("config.json", "model.onnx", "tokenizer.json"):
        if not (root / name).is_file():
            raise ModelError(f"no {name} in the model folder {root}", mend=REINSTALL)
    try:
        config = json.loads((root / "config.json").read_text(encoding="utf-8"))
        return Artifact(
            root=root,
            model_id=_text(config, "model_id"),
            sentiment_labels=_texts(config, "sentiment_labels"),
            topic_labels=_texts(config, "topic_labels"),
            max_length=int(config["max_length"]),
            prefix=_text(config, "prefix"),
            sha256=MappingProxyType({name: str(digest) for name, digest in config["sha256"].items()}),
            temperatures=MappingProxyType({head: float(value) for head, value in config["temperatures"].items()}),
            languages=_texts(config, "languages"),
            event_labels=_texts(config, "event_labels") if "event_labels" in config else (),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{root / 'config.json'} is not a model's config: {error}", mend=REINSTALL) from error
