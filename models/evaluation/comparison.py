"""Two models on the same texts: the difference of every figure, and how far it may be chance (paired bootstrap).

Rows are drawn with replacement, the same rows for both models (Efron & Tibshirani 1993; Berg-Kirkpatrick et al. 2012), and within each
language of a set, so that a set keeps its languages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.evaluation.measuring import ScoredSet

__all__ = ["Comparison", "Difference", "compare"]

DRAWS = 1_000
LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """``metric`` of one set in percent for both models, and the bounds of ``LEVEL`` of the bootstrap's differences."""

    set: str
    metric: str
    rows: int
    first: float
    second: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether nought lies outside the bounds."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Comparison:
    """Every difference of ``second`` against ``first``, two model ids."""

    first: str
    second: str
    differences: Sequence[Difference]

    def to_markdown(self) -> str:
        """A Markdown table; differences that chance explains stand in brackets."""
        lines = [f"| set | figure | rows | {self.first} | {self.second} | difference | 95% |", "|---|---|---:|---:|---:|---:|---|"]
        for one in self.differences:
            change = f"{one.second - one.first:+.1f}"
            shown = change if one.sure else f"({change})"
            bounds = f"{one.low:+.1f} to {one.high:+.1f}"
            lines.append(f"| {one.set} | {one.metric} | {one.rows} | {one.first:.1f} | {one.second:.1f} | {shown} | {bounds} |")
        return "\n".join(lines) + "\n"


Confusions = NDArray[np.float64]


def _macro_f1(confusions: Confusions) -> NDArray[np.float64]:
    """Macro-F1 in percent over the classes that occur, of confusions ``[..., label, answer]``."""
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    support = confusions.sum(-1)
    f1 = 2 * hits / np.maximum(support + confusions.sum(-2), 1)
    return np.asarray(100 * f1.sum(-1) / np.maximum((support > 0).sum(-1), 1))


def _weighted_f1(confusions: Confusions) -> NDArray[np.float64]:
    """F1 in percent, each class by its share of the rows."""
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    support = confusions.sum(-1)
    f1 = 2 * hits / np.maximum(support + confusions.sum(-2), 1)
    return np.asarray(100 * (f1 * support).sum(-1) / np.maximum(support.sum(-1), 1))


def _accuracy(confusions: Confusions) -> NDArray[np.float64]:
    return np.asarray(100 * np.trace(confusions, axis1=-2, axis2=-1) / np.maximum(confusions.sum((-2, -1)), 1))


METRICS: Mapping[str, Sequence[tuple[str, Callable[[Confusions], NDArray[np.float64]]]]] = {
    "sentiment": (("accuracy", _accuracy), ("macro-F1", _macro_f1)),
    "topic": (("accuracy", _accuracy), ("weighted F1", _weighted_f1)),
    "event": (("accuracy", _accuracy), ("macro-F1", _macro_f1)),
}


def _confusions(labels: NDArray[np.integer[Any]], answers: NDArray[np.integer[Any]], classes: int, draws: NDArray[np.int64]) -> Confusions:
    """Confusion matrices ``[draws, classes, classes]`` of the rows ``draws`` ``[draws, rows]``."""
    cells = labels * classes + answers
    counts = np.stack([np.bincount(cells[rows], minlength=classes * classes) for rows in draws])
    return counts.reshape(len(draws), classes, classes).astype(np.float64)


def _draws(langs: Sequence[str], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """The rows as they are, then ``count`` draws of them within each language: ``[1 + count, rows]``."""
    drawn = np.tile(np.arange(len(langs)), (count + 1, 1))
    names = np.array(langs)
    for lang in np.unique(names):
        rows = np.flatnonzero(names == lang)
        drawn[1:, rows] = rows[random.integers(0, len(rows), (count, len(rows)))]
    return drawn


def compare(
    first: tuple[str, Mapping[str, ScoredSet]], second: tuple[str, Mapping[str, ScoredSet]], *, draws: int = DRAWS, seed: int = 0
) -> Comparison:
    """Compare two models, each its id and what :func:`models.evaluation.measuring.score_sets` gave with the same data and limit.

    Raises:
        ModelError: the two were not measured on the same rows.
    """
    differences: list[Difference] = []
    for name, left in first[1].items():
        right = second[1].get(name)
        if right is None or list(right.langs) != list(left.langs) or not np.array_equal(right.labels, left.labels):
            raise ModelError(f"the two models were not measured on the same rows of {name}", mend="score both with the same data and limit")
        # An adapted model may know classes that the other one lacks.
        classes = max(one.probabilities.shape[1] for one in (left, right))
        rows = _draws(left.langs, draws, np.random.default_rng(seed))
        confusions = [_confusions(left.labels, one.probabilities.argmax(1), classes, rows) for one in (left, right)]
        for metric, measured in METRICS[left.task]:
            before, after = (measured(one) for one in confusions)
            low, high = np.quantile(after[1:] - before[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            found = Difference(name, metric, len(left.labels), float(before[0]), float(after[0]), float(low), float(high))
            differences.append(found)
    return Comparison(first[0], second[0], differences)
