"""What the teacher says of the texts its students learn from, computed once by its int8 graph and kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.encoder.restoration import Restored
from models.inference import Runner
from models.progress import Progress
from models.training.embedding import FeatureCache
from models.training.heads import Head

__all__ = ["TeacherAnswers", "teacher_answers"]


class TeacherAnswers:
    """Features and logits of a teacher for a fixed list of texts.

    Args:
        texts: each once.
        features: ``[len(texts), len(layers) * hidden]``: pooled states of ``layers``, side by side.
        heads: on these features, at their temperature: their softmax is calibrated.
    """

    def __init__(self, texts: Sequence[str], features: NDArray[np.float16], layers: tuple[int, ...], heads: Mapping[str, Head]) -> None:
        self._rows = {text: row for row, text in enumerate(texts)}
        self._features, self.layers, self.heads = features, layers, heads
        self.hidden = features.shape[1] // len(layers)

    def __contains__(self, text: str) -> bool:
        return text in self._rows

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of ``texts``, float32.

        Raises:
            KeyError: a text is none of those the teacher was asked about.
        """
        return self._features[[self._rows[text] for text in texts]].astype(np.float32)

    def logits(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Logits ``[n, classes]`` of every head."""
        features = self.features(texts)
        return {task: head.logits(features) for task, head in self.heads.items()}

    def pooled(self, texts: Sequence[str], layer: int) -> NDArray[np.float32]:
        """Pooled states of the teacher's ``layer``, one of ``layers``: ``[n, hidden]``."""
        place = self.layers.index(layer) * self.hidden
        return self.features(texts)[:, place : place + self.hidden]

    def deviation(self, layer: int) -> NDArray[np.float32]:
        """Standard deviation of each pooled state of ``layer`` over all texts ``[hidden]``."""
        place = self.layers.index(layer) * self.hidden
        deviation: NDArray[np.float32] = self._features[:, place : place + self.hidden].astype(np.float32).std(axis=0) + np.float32(1e-6)
        return deviation


def teacher_answers(teacher: Restored, texts: Sequence[str], cache: Path, *, max_length: int, progress: Progress) -> TeacherAnswers:
    """Ask ``teacher`` about ``texts``, cut to ``max_length`` tokens; what was asked before comes from ``cache``."""
    once = list(dict.fromkeys(texts))
    graph = cache / "encoder" / "teacher-features.onnx"
    graph.parent.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(f"{teacher.encoder.features_model(teacher.layers, graph)} {max_length}".encode()).hexdigest()
    store = FeatureCache(cache / "features", key)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress("asking the teacher", done, len(once))

    with Runner(graph, teacher.encoder.tokenizer_path, max_length=max_length) as runner:
        store.fill(runner, "teacher", once, advance)
    return TeacherAnswers(once, store.get("teacher", once), teacher.layers, teacher.heads)
