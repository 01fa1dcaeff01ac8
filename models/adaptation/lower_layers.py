"""What the frozen layers of a model make of a text, computed once by its own int8 graph and kept on disk.

Of a text are stored its states after the frozen layers, and behind them, as if they were tokens, the pooled states of the lower layers
that the heads read. Everything above is then a matter of the few layers that an adaptation moves: training them, and scoring thousands
of old texts by every candidate, goes over those layers alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact
from models.encoder.restoration import Restored
from models.inference import Runner
from models.progress import Progress
from models.training.activations import STATES, ActivationStore

__all__ = ["Lower", "LowerLayers", "lower_layers"]

#: Texts whose states are computed and written together; a run that is killed loses at most so many.
CHUNK = 256


class Lower(NamedTuple):
    """``states`` float32 ``[n, sequence, hidden]``, ``lengths`` int64 ``[n]``: tokens, ``pooled`` float32 ``[n, layers * hidden]``.

    What stands in ``states`` behind a text's last token means nothing.
    """

    states: NDArray[np.float32]
    lengths: NDArray[np.int64]
    pooled: NDArray[np.float32]


def _graph(restored: Restored, frozen: int, pooled: Sequence[int], path: Path) -> str:
    """Write the graph of the ``frozen`` lowest layers to ``path``; return the digest its states are valid under."""
    graph = restored.encoder.graph(layers=frozen)
    parts = [graph.state(frozen)]
    if pooled:
        row = graph.constant("pooled_row", np.array([1], np.int64))
        parts += [graph.node("Unsqueeze", [graph.pooled(layer), row], f"pooled_token{layer}") for layer in pooled]
    graph.node("Concat", parts, STATES, axis=1)
    graph.output(STATES, ["batch", "sequence", graph.hidden])
    content = graph.model().SerializeToString(deterministic=True)
    path.write_bytes(content)
    return hashlib.sha256(content + restored.encoder.tokenizer_path.read_bytes()).hexdigest()


class LowerLayers:
    """States after ``frozen`` layers, and pooled states of the layers ``pooled`` below.

    Args:
        store: of the graph that writes both.
    """

    def __init__(self, store: ActivationStore, frozen: int, pooled: tuple[int, ...]) -> None:
        self.frozen, self.pooled = frozen, pooled
        self._store = store

    def fill(self, texts: Sequence[str], progress: Progress) -> None:
        """Compute and store what is missing of ``texts``."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._store]
        # Texts of like length side by side make full batches out of small chunks.
        missing.sort(key=len)
        for start in range(0, len(missing), CHUNK):
            progress("running the frozen layers", start, len(missing))
            self._store.fill(missing[start : start + CHUNK])
        progress("running the frozen layers", len(missing), len(missing))

    def lengths(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens of each of ``texts``, which :meth:`fill` has stored."""
        return self._store.lengths(texts) - len(self.pooled)

    def get(self, texts: Sequence[str]) -> Lower:
        """What :meth:`fill` has stored of ``texts``.

        Raises:
            KeyError: a text is not stored.
        """
        stored, whole = self._store.get(texts)
        lengths = whole - len(self.pooled)
        rows = np.arange(len(texts))
        parts = [stored[rows, lengths + place] for place in range(len(self.pooled))]
        pooled = np.concatenate(parts, axis=1) if parts else np.zeros((len(texts), 0), np.float32)
        return Lower(np.ascontiguousarray(stored[:, : int(lengths.max(initial=0))]), lengths, pooled)


@contextmanager
def lower_layers(artifact: Artifact, restored: Restored, frozen: int, cache: Path) -> Iterator[LowerLayers]:
    """The ``frozen`` lowest layers of ``artifact``, whose states are kept under ``cache``.

    Raises:
        ModelError: the extra ``train`` is missing.
    """
    pooled = tuple(layer for layer in restored.layers if layer < frozen)
    path = cache / "encoder" / f"lower-{frozen}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [_graph(restored, frozen, pooled, path), str(artifact.max_length), artifact.prefix]
    key = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]
    hidden = int(restored.encoder.config["hidden_size"])
    with (
        Runner(path, artifact.tokenizer_path, max_length=artifact.max_length, prefix=artifact.prefix) as runner,
        ActivationStore(cache / "activations" / key, runner, hidden) as store,
    ):
        yield LowerLayers(store, frozen, pooled)
