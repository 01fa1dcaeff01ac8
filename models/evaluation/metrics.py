"""Accuracy, F1, calibration and selective risk of predictions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibration.abstention import risk_coverage
from models.calibration.temperature import brier_score, expected_calibration_error, logs, negative_log_likelihood, softmax
from models.data import Example

__all__ = ["Figures", "confusion", "dev_score", "macro_f1", "measure", "weighted_f1"]

#: Figures in percent; the others are shown to four places.
PERCENT = ("accuracy", "macro_f1", "weighted_f1")


@dataclass(frozen=True)
class Figures:
    """Over ``rows`` texts. In percent: ``accuracy``, ``macro_f1`` over the classes that occur, ``weighted_f1`` by their shares.

    ``ece``: expected calibration error, 0 to 1. ``nll``: negative log-likelihood in nats. ``brier``: 0 to 2. ``aurc``: area under the
    risk-coverage curve, 0 to 1.
    """

    rows: int
    accuracy: float
    macro_f1: float
    weighted_f1: float
    ece: float
    nll: float
    brier: float
    aurc: float

    def rounded(self) -> dict[str, float]:
        """The fields as JSON: percentages to two places, the others to four."""
        fields = {name: value for name, value in asdict(self).items() if name != "rows"}
        return {"rows": self.rows, **{name: round(value, 2 if name in PERCENT else 4) for name, value in fields.items()}}


def _f1(predicted: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]]) -> list[tuple[int, float]]:
    """Rows and F1 (0 to 1) of each class that occurs in ``labels``."""
    found = []
    for label in np.unique(labels):
        hits = float(((predicted == label) & (labels == label)).sum())
        rows = int((labels == label).sum())
        found.append((rows, 2 * hits / (float((predicted == label).sum()) + rows)))
    return found


def macro_f1(predicted: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]]) -> float:
    """Mean F1 in percent over the classes that occur in ``labels``; a wrong prediction of another class still costs recall."""
    scores = [score for _, score in _f1(predicted, labels)]
    return 100 * float(np.mean(scores)) if scores else 0.0


def weighted_f1(predicted: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]]) -> float:
    """Mean F1 in percent over the classes that occur in ``labels``, each by its share of the rows."""
    return 100 * sum(rows * score for rows, score in _f1(predicted, labels)) / max(1, len(labels))


def confusion(predicted: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]], classes: int) -> NDArray[np.int64]:
    """Counts ``[label, answer]``."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def measure(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> Figures:
    """Figures of ``probabilities`` ``[n, classes]`` against ``labels`` ``[n]``."""
    predicted = probabilities.argmax(axis=1)
    right = predicted == labels
    return Figures(
        rows=len(labels),
        accuracy=100 * float(right.mean()) if len(labels) else 0.0,
        macro_f1=macro_f1(predicted, labels),
        weighted_f1=weighted_f1(predicted, labels),
        ece=expected_calibration_error(probabilities, labels),
        nll=negative_log_likelihood(logs(probabilities), labels) if len(labels) else 0.0,
        brier=brier_score(probabilities, labels),
        aurc=risk_coverage(probabilities.max(axis=1), ~right).area if len(labels) else 0.0,
    )


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
