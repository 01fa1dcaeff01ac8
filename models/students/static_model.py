"""The first stage of a cascade: a bag of static vectors and a small network, in numpy alone.

A text is the mean of one vector for each of its pieces and one for each pair of neighbours, hashed into buckets (Joulin et al. 2017,
"Bag of Tricks for Efficient Text Classification", arXiv:1607.01759); one hidden layer stands between that mean and the heads.
"""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.artifact import REINSTALL
from models.calibration.temperature import softmax
from models.encoder.quantization import Rows
from models.errors import ModelError
from models.inference import Scores
from models.training.heads import Head

__all__ = ["Bags", "StaticModel", "bags"]

Floats = NDArray[np.float32]

#: Texts of one matrix product. Always as many, the last ones empty: a text's numbers then do not depend on its company, bit by bit.
BLOCK = 64
_FIRST, _SECOND, _WORD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(33)


@dataclass(frozen=True)
class Bags:
    """Rows of the table that make up each text: those of text ``i`` are ``rows[starts[i] : starts[i + 1]]``; all int64."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]


def bags(tokens: Sequence[Sequence[int]], pieces: int, buckets: int) -> Bags:
    """The pieces of each text, then its pairs of neighbours as rows ``pieces`` to ``pieces + buckets - 1``.

    Raises:
        ValueError: a text has no token; tokenizers of the encoder give two at least.
    """
    lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
    if len(lengths) and lengths.min() < 1:
        raise ValueError("a text without a token has no place in a bag")
    ids = np.fromiter(itertools.chain.from_iterable(tokens), np.int64, int(lengths.sum()))
    ends = np.cumsum(lengths)
    sizes = 2 * lengths - 1
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    rows = np.empty(int(starts[-1]), np.int64)
    # Token k of a text goes to place k of its bag, the pair of tokens k and k + 1 to place length + k.
    within = np.arange(len(ids)) - np.repeat(ends - lengths, lengths)
    base = np.repeat(starts[:-1], lengths)
    rows[base + within] = ids
    pairs = np.flatnonzero(within < np.repeat(lengths, lengths) - 1)
    words = ids.astype(np.uint64)
    hashed = words[pairs] * _FIRST ^ words[pairs + 1] * _SECOND
    rows[(base + within + np.repeat(lengths, lengths))[pairs]] = pieces + ((hashed >> _WORD) % np.uint64(buckets)).astype(np.int64)
    return Bags(rows, starts)


@dataclass(frozen=True)
class StaticModel:
    """A table of int8 vectors, a hidden layer, and the heads on it.

    Attributes:
        table: ``pieces + buckets`` rows.
        pieces: rows of the tokenizer's vocabulary.
        inner: mean vector to hidden layer, which is cut off at nought.
        heads: task -> head on the hidden layer, at its temperature: its softmax is calibrated.
        embedding: hidden layer to the space of the encoder's embeddings.
    """

    table: Rows
    pieces: int
    inner: Head
    heads: Mapping[str, Head]
    embedding: Head

    def means(self, tokens: Sequence[Sequence[int]]) -> Floats:
        """Mean vector of each text ``[n, width]``."""
        whole = bags(tokens, self.pieces, len(self.table.scales) - self.pieces)
        vectors = self.table.levels[whole.rows].astype(np.float32)
        vectors *= self.table.scales[whole.rows][:, None]
        sums: Floats = np.add.reduceat(vectors, whole.starts[:-1], axis=0)
        return sums / np.diff(whole.starts).astype(np.float32)[:, None]

    def hidden(self, means: Floats) -> Floats:
        """The hidden layer of mean vectors ``[n, width]``."""
        return np.maximum(self.inner.logits(means), np.float32(0))

    def logits(self, tokens: Sequence[Sequence[int]]) -> dict[str, Floats]:
        """Logits ``[n, classes]`` of each head and ``embedding`` ``[n, width]``, not yet of unit length."""
        outlets = {**self.heads, "embedding": self.embedding}
        whole = {name: np.zeros((len(tokens), outlet.bias.size), np.float32) for name, outlet in outlets.items()}
        for start in range(0, len(tokens), BLOCK):
            means = self.means(tokens[start : start + BLOCK])
            padded = np.zeros((BLOCK, means.shape[1]), np.float32)
            padded[: len(means)] = means
            hidden = self.hidden(padded)
            for name, outlet in outlets.items():
                whole[name][start : start + len(means)] = outlet.logits(hidden)[: len(means)]
        return whole

    def score(self, tokens: Sequence[Sequence[int]]) -> Scores:
        """Scores of tokenised texts, as :meth:`models.inference.Runner.score` gives them."""
        logits = self.logits(tokens)
        sentiment, topic = (np.asarray(softmax(logits[task]), np.float32) for task in ("sentiment", "topic"))
        lengths = np.linalg.norm(logits["embedding"], axis=1, keepdims=True)
        return Scores(sentiment, topic, logits["embedding"] / np.maximum(lengths, np.float32(1e-12)))

    def save(self, path: Path) -> None:
        """Write the model as one ``.npz`` file."""
        arrays = {"levels": self.table.levels, "scales": self.table.scales, "pieces": np.array(self.pieces)}
        for name, layer in {
            "inner": self.inner,
            "embedding": self.embedding,
            **{f"head.{task}": head for task, head in self.heads.items()},
        }.items():
            arrays |= {f"{name}.weights": layer.weights, f"{name}.bias": layer.bias}
        with path.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type,unused-ignore]

    @classmethod
    def load(cls, path: Path) -> StaticModel:
        """Read what :meth:`save` wrote.

        Raises:
            ModelError: the file is missing or no such model.
        """
        try:
            with np.load(path) as stored:
                arrays = {name: stored[name] for name in stored.files}
            layers = {
                name.removesuffix(".weights"): Head(arrays[name], arrays[f"{name.removesuffix('.weights')}.bias"])
                for name in arrays
                if name.endswith(".weights")
            }
            heads = {name.removeprefix("head."): layer for name, layer in layers.items() if name.startswith("head.")}
            table = Rows(arrays["levels"], arrays["scales"])
            return cls(table, int(arrays["pieces"]), layers["inner"], heads, layers["embedding"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ModelError(f"{path} is not a static model: {error}", mend=REINSTALL) from error
