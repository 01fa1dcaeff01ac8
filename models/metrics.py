"""Accuracy, macro-F1 and calibration error of predictions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibration import expected_calibration_error, softmax
from models.data import Example

__all__ = ["Figures", "dev_score", "macro_f1", "measure"]


@dataclass(frozen=True)
class Figures:
    """``accuracy`` and ``macro_f1`` in percent, ``ece`` from 0 to 1, over ``rows`` texts."""

    rows: int
    accuracy: float
    macro_f1: float
    ece: float

    def rounded(self) -> dict[str, float]:
        """The fields as JSON: percentages to two places, the calibration error to four."""
        fields = asdict(self)
        return {"rows": self.rows, **{name: round(fields[name], 4 if name == "ece" else 2) for name in ("accuracy", "macro_f1", "ece")}}


def macro_f1(predicted: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]]) -> float:
    """Mean F1 in percent over the classes that occur in ``labels``; a wrong prediction of another class still costs recall."""
    scores = []
    for label in np.unique(labels):
        hits = float(((predicted == label) & (labels == label)).sum())
        total = float((predicted == label).sum() + (labels == label).sum())
        scores.append(2 * hits / total)
    return 100 * float(np.mean(scores)) if scores else 0.0


def measure(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> Figures:
    """Figures of ``probabilities`` ``[n, classes]`` against ``labels`` ``[n]``."""
    predicted = probabilities.argmax(axis=1)
    accuracy = 100 * float((predicted == labels).mean()) if len(labels) else 0.0
    return Figures(len(labels), accuracy, macro_f1(predicted, labels), expected_calibration_error(probabilities, labels))


def dev_score(task: str, logits: NDArray[np.float32], rows: Sequence[Example]) -> float:
    """Mean over sets of macro-F1 (sentiment) or accuracy (other tasks) of ``logits`` ``[n, classes]``, in percent.

    Rows whose label is not one class are left out.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(rows):
        if example.label is not None:
            groups[example.source].append(index)
    labels = np.array([-1 if example.label is None else example.label for example in rows])
    figures = [measure(softmax(logits[group]), labels[group]) for group in groups.values()]
    return float(np.mean([one.macro_f1 if task == "sentiment" else one.accuracy for one in figures]))
