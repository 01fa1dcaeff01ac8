"""Making the replay rows of a model: features of old texts by its own int8 graph."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from models.adaptation.graph import ServedModel
from models.adaptation.old_texts import OldText
from models.adaptation.replay import Replay, Space
from models.artifact import Artifact
from models.errors import ModelError
from models.inference import Runner
from models.progress import Progress
from models.training.embedding import FeatureCache

__all__ = ["DIMS", "build_replay", "compute_features", "old_rows"]

#: Coordinates of a row.
DIMS = 160


def compute_features(
    artifact: Artifact, served: ServedModel, texts: Sequence[str], cache: Path, name: str, progress: Progress
) -> NDArray[np.float16]:
    """Features ``[n, width]`` of ``texts``; kept under ``cache`` without the text, so that a broken run goes on where it was."""
    parts = [artifact.sha256["model.onnx"], artifact.sha256["tokenizer.json"], str(artifact.max_length), artifact.prefix]
    store = FeatureCache(cache / "features", hashlib.sha256(" ".join(parts).encode()).hexdigest())
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress(f"embedding the {name}", done, len(texts))

    with TemporaryDirectory() as folder:
        graph = Path(folder) / "features.onnx"
        graph.write_bytes(served.features_only())
        with Runner(graph, artifact.tokenizer_path, max_length=artifact.max_length, prefix=artifact.prefix) as runner:
            store.fill(runner, name.replace(" ", "-"), texts, advance)
    return store.get(name.replace(" ", "-"), texts)


def old_rows(artifact: Artifact, space: Space, heads: Sequence[str], texts: Sequence[OldText], features: NDArray[np.float16]) -> Replay:
    """``texts`` with their ``features`` as rows in ``space``."""
    answers = {task: np.array([one.answers.get(task, -1) for one in texts], np.int16) for task in heads}
    return Replay(
        model_id=artifact.model_id,
        digest=artifact.sha256["model.onnx"],
        space=space,
        levels=space.levels(features),
        langs=np.array([one.lang for one in texts]),
        sources=np.array([one.source for one in texts]),
        check=np.array([one.check for one in texts], np.bool_),
        answers=answers,
    )


def build_replay(artifact: Artifact, texts: Sequence[OldText], cache: Path, progress: Progress, *, dims: int = DIMS) -> Replay:
    """The replay rows of ``artifact`` for ``texts``, and the space that its heads may be changed in.

    Raises:
        ModelError: the artifact is damaged, or there are not enough texts to span the space.
    """
    artifact.verify()
    served = ServedModel(artifact.onnx_path)
    if len(texts) < dims:
        message = f"{len(texts)} old texts cannot span {dims} coordinates"
        raise ModelError(message, mend="give the folder that holds train/ with --data")
    features = compute_features(artifact, served, [one.text for one in texts], cache, "old texts", progress)
    progress("finding the coordinates", 0, 1)
    space = Space.of(features, list(served.heads.values()), dims)
    return old_rows(artifact, space, list(served.heads), texts, features)
