"""Temperature scaling and calibration error (Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BINS",
    "ReliabilityBin",
    "at_temperature",
    "brier_score",
    "expected_calibration_error",
    "fit_temperature",
    "logs",
    "negative_log_likelihood",
    "reliability_curve",
    "softmax",
]

Floats = NDArray[np.floating[Any]]
BINS = 15
#: Below it a probability counts as this, so that its logarithm is a number.
LEAST = 1e-12
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


def softmax(logits: Floats) -> NDArray[np.float64]:
    """Row-wise softmax of ``[n, classes]``."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def negative_log_likelihood(logits: Floats, labels: NDArray[np.integer[Any]], temperature: float = 1.0) -> float:
    """Mean negative log-likelihood (nats) of ``labels`` ``[n]`` under ``softmax(logits / temperature)``."""
    scaled = logits.astype(np.float64) / temperature
    peak = scaled.max(axis=1)
    log_sum = peak + np.log(np.exp(scaled - peak[:, None]).sum(axis=1))
    return float((log_sum - scaled[np.arange(len(labels)), labels]).mean())


def fit_temperature(logits: Floats, labels: NDArray[np.integer[Any]], *, low: float = 0.1, high: float = 10.0) -> float:
    """The temperature in ``[low, high]`` that minimises the likelihood loss, by golden-section search over its logarithm.

    Raises:
        ValueError: there is nothing to fit.
    """
    if len(labels) == 0:
        raise ValueError("no rows to fit a temperature on")
    left, right = float(np.log(low)), float(np.log(high))
    while right - left > 1e-4:
        inner = right - GOLDEN * (right - left)
        outer = left + GOLDEN * (right - left)
        if negative_log_likelihood(logits, labels, float(np.exp(inner))) < negative_log_likelihood(logits, labels, float(np.exp(outer))):
            right = outer
        else:
            left = inner
    return float(np.exp((left + right) / 2))


def logs(probabilities: Floats) -> NDArray[np.float64]:
    """Logarithms of ``probabilities``: logits that :func:`softmax` turns back into them."""
    found: NDArray[np.float64] = np.log(np.maximum(probabilities.astype(np.float64), LEAST))
    return found


def at_temperature(probabilities: Floats, temperatures: Floats | float) -> NDArray[np.float32]:
    """``probabilities`` ``[n, classes]`` at another temperature: ``p ** (1 / T)``, normalised row by row; T = 1 changes nothing.

    It is what the logits divided by ``T`` would give, without the logits. ``temperatures``: one for all, or one a row ``[n]``.
    """
    divisors = np.asarray(temperatures, np.float64).reshape(-1, 1)
    scaled: NDArray[np.float32] = softmax(logs(probabilities) / divisors).astype(np.float32)
    return np.where(divisors == 1.0, probabilities.astype(np.float32), scaled)


def brier_score(probabilities: Floats, labels: NDArray[np.integer[Any]]) -> float:
    """Mean squared distance of ``probabilities`` ``[n, classes]`` from the truth, summed over classes: 0 to 2 (Brier 1950)."""
    if len(labels) == 0:
        return 0.0
    truth = np.eye(probabilities.shape[1])[labels]
    return float(np.square(probabilities - truth).sum(axis=1).mean())


@dataclass(frozen=True)
class ReliabilityBin:
    """The rows whose confidence lies from ``low`` to ``high``: how many, their mean confidence, and the share that is right."""

    low: float
    high: float
    rows: int
    confidence: float
    accuracy: float


def reliability_curve(probabilities: Floats, labels: NDArray[np.integer[Any]], bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """The bins of equal width that hold rows, from low to high confidence (the reliability diagram of Guo et al.)."""
    if len(labels) == 0:
        return ()
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    found = []
    for number in np.unique(index).tolist():
        inside = index == number
        low, high = number / bins, (number + 1) / bins
        found.append(ReliabilityBin(low, high, int(inside.sum()), float(confidence[inside].mean()), float(correct[inside].mean())))
    return tuple(found)


def expected_calibration_error(probabilities: Floats, labels: NDArray[np.integer[Any]], bins: int = BINS) -> float:
    """Mean gap between confidence and accuracy over equal-width confidence bins, weighted by their rows; 0 for no rows."""
    curve = reliability_curve(probabilities, labels, bins)
    return sum(one.rows * abs(one.confidence - one.accuracy) for one in curve) / max(1, len(labels))
