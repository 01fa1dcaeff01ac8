"""A linear model of character n-grams that corrects fastText's lid.176 where it is weak: short texts, kin languages, and the some
seventy languages that lid.176 has never seen.

The scores of the languages are a sum of three: n-grams of the text, embedded and pooled (Joulin et al. 2016), the language that
lid.176 itself names, by its probability, and a matrix that says what another answer of lid.176 tells ("Finnish, not sure" is often
Oromo). All three were fitted together on labelled text (``python -m bench.language_training``), so that each weighs what it is
worth. A temperature that depends on the length makes the scores probabilities (Guo et al. 2017).
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.enrich.ngrams import ngrams
from streams.errors import BellwetherError

__all__ = ["WEIGHTS", "LanguageModel"]

WEIGHTS = Path(__file__).with_name("language.npz")
"""The fitted weights."""

_FLOOR = 1e-3
_MOST_NGRAMS = 4096

Floats = NDArray[np.float32]


class _Head:
    """The part of the model that answers for one script."""

    def __init__(self, codes: list[str], output: Floats, bias: Floats, base: Floats, own: NDArray[np.int64]) -> None:
        self.codes = codes
        self.output = np.ascontiguousarray(output)
        self.bias = bias
        self.base = np.ascontiguousarray(base)
        self.own = own.tolist()


class LanguageModel:
    """Probabilities of the languages that are written in a script. 3 MB of memory; safe for use by several threads.

    Args:
        path: the weights, as :mod:`bench.language_training` writes them.

    Raises:
        BellwetherError: they cannot be read.
    """

    def __init__(self, path: Path = WEIGHTS) -> None:
        try:
            with np.load(path, allow_pickle=False) as stored:
                parts = {name: stored[name] for name in stored.files}
            # Eight bits stay in the processor's cache, where floats do not.
            self._table = np.asarray(parts["table"], np.int8)
            self._ones = np.ones(_MOST_NGRAMS, np.float32)
            self._base_strength, self._base_growth = map(float, parts["strength"])
            self._temperature, self._temperature_growth = map(float, parts["temperature"])
            self._labels = {label: row for row, label in enumerate(parts["labels"].tolist())}
            self._heads = _heads(parts)
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise BellwetherError(
                f"language: {path.name} cannot be read: {error}", mend="reinstall bellwether: the file is part of the package"
            ) from error

    @property
    def scripts(self) -> frozenset[str]:
        """The scripts for which the model has an answer."""
        return frozenset(self._heads)

    def languages(self, script: str) -> list[str]:
        """Codes of the languages that the model knows in `script`."""
        return self._heads[script].codes

    def probabilities(self, words: str, script: str, labels: Sequence[str], shares: Sequence[float]) -> Floats:
        """Probability of each of ``languages(script)``; they sum to 1.

        Args:
            words: the text in lower case with single blanks, not empty.
            script: one of `scripts`.
            labels: the best answers of lid.176 for the same words, without prefix.
            shares: their probabilities.
        """
        head = self._heads[script]
        found = ngrams(words)[:_MOST_NGRAMS]
        # A product with ones sums three times faster than sum().
        scores = (self._ones[: len(found)] @ self._table.take(found, axis=0).astype(np.float32)) @ head.output
        scores *= len(found) ** -0.5
        scores += head.bias
        length = math.log(len(words))
        own: dict[int, float] = {}
        for label, share in zip(labels, shares, strict=True):
            row = self._labels.get(label)
            if row is None:
                continue
            scores += head.base[row] * share
            if (place := head.own[row]) >= 0:
                own[place] = own.get(place, 0.0) + share
        strength = self._base_strength + self._base_growth * length
        for place, share in own.items():
            scores[place] += strength * math.log(min(share, 1.0) / _FLOOR + 1.0)
        scores -= scores.max()
        scores *= 1.0 / (self._temperature + self._temperature_growth * length)
        np.exp(scores, out=scores)
        scores *= 1.0 / float(scores.sum())
        return np.asarray(scores, np.float32)


def _heads(parts: dict[str, NDArray[np.generic]]) -> dict[str, _Head]:
    codes, scripts = parts["codes"].tolist(), parts["scripts"].tolist()
    own = np.asarray(parts["own"], np.int64)
    heads = {}
    for number, script in enumerate(scripts):
        places = np.flatnonzero(parts["written"][number])
        moved = np.full(len(codes) + 1, -1)
        moved[places] = np.arange(len(places))
        heads[script] = _Head(
            [codes[place] for place in places],
            np.asarray(parts["output"], np.float32)[:, places] * np.float32(parts["scale"]),
            np.asarray(parts["bias"], np.float32)[places],
            np.asarray(parts["base"], np.float32)[:, places],
            moved[own],
        )
    return heads
