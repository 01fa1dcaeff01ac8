"""Temperature scaling and calibration error (Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["expected_calibration_error", "fit_temperature", "negative_log_likelihood", "softmax"]

Floats = NDArray[np.floating[Any]]
BINS = 15
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


def expected_calibration_error(probabilities: Floats, labels: NDArray[np.integer[Any]], bins: int = BINS) -> float:
    """Mean gap between confidence and accuracy over equal-width confidence bins, weighted by their rows; 0 for no rows."""
    if len(labels) == 0:
        return 0.0
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    error = 0.0
    for number in range(bins):
        inside = index == number
        if inside.any():
            error += float(inside.mean()) * abs(float(confidence[inside].mean()) - float(correct[inside].mean()))
    return error
