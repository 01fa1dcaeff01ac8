"""Accuracy, macro-F1 and calibration error of predictions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibration import expected_calibration_error

__all__ = ["Figures", "macro_f1", "measure"]


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
