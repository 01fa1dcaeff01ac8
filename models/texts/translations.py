"""Translation pairs of the parallel sets, found by their features: the sets hold the same sentences, but not which belongs to which.

A pair are two texts of one set and label, one of them English, each the other's nearest by the margin of Artetxe & Schwenk 2019
(arXiv:1811.01136): their likeness over the mean likeness of each to its few nearest. What is left out for want of a clear margin costs
only pairs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.texts.mixture import Lesson

__all__ = ["LANGUAGES", "PARALLEL", "PIVOT", "Pair", "mine", "mutual_nearest", "translation_pairs"]

#: Sets whose sentences are translations of each other, and the languages that are searched: those that others are read through most.
PARALLEL = ("nusax", "sib200")
LANGUAGES = ("ar", "de", "es", "fr", "hi", "id", "ja", "pt", "ru", "zh")
PIVOT = "en"

NEIGHBOURS = 4
MARGIN = 1.2

Pair = tuple[str, str]
Embed = Callable[[Sequence[Lesson]], NDArray[np.float32]]


def mutual_nearest(left: NDArray[np.float32], right: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Rows of ``left`` ``[n, width]`` and ``right`` ``[m, width]``, both of unit length, that are nearest to each other by a margin."""
    likeness = left @ right.T
    few = min(NEIGHBOURS, *likeness.shape)
    if few == 0:
        return []
    around_left = np.sort(likeness, axis=1)[:, -few:].mean(1)
    around_right = np.sort(likeness, axis=0)[-few:].mean(0)
    margin = likeness / ((around_left[:, None] + around_right[None, :]) / 2)
    best = margin.argmax(1)
    return [(row, int(col)) for row, col in enumerate(best) if margin[:, col].argmax() == row and margin[row, col] >= MARGIN]


def _unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), np.float32(1e-6))
    return scaled


def _labels(lesson: Lesson) -> tuple[tuple[int, ...], ...]:
    return tuple(example.targets for _, example in sorted(lesson.answers.items()))


def mine(groups: Mapping[tuple[str, str], Sequence[Lesson]], embed: Embed) -> tuple[list[Pair], float]:
    """Pairs of texts of one label, English first, and the share of all nearest pairs that were of one label.

    Translations have the same label, so that share, against what chance would give, says how many pairs are right.

    Args:
        groups: (set, language) -> its lessons.
        embed: features ``[n, width]`` of lessons, on a scale that makes their directions comparable.
    """
    pairs: list[Pair] = []
    agreeing: Counter[bool] = Counter()
    for source in PARALLEL:
        english = list(groups.get((source, PIVOT), ()))
        if not english:
            continue
        pivot = _unit(embed(english))
        for language in LANGUAGES:
            other = list(groups.get((source, language), ()))
            for row, col in mutual_nearest(pivot, _unit(embed(other))) if other else ():
                same = _labels(english[row]) == _labels(other[col])
                agreeing[same] += 1
                if same:
                    pairs.append((english[row].text, other[col].text))
    return pairs, agreeing[True] / max(1, agreeing.total())


def translation_pairs(path: Path, find: Callable[[], Iterable[Pair]]) -> list[Pair]:
    """The pairs in the file ``path``, which :func:`mine`, called by ``find``, fills the first time."""
    if not path.is_file():
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(list(find()), ensure_ascii=False), encoding="utf-8")
        partial.replace(path)
    return [(str(left), str(right)) for left, right in json.loads(path.read_text(encoding="utf-8"))]
