"""Detectors that NAB itself publishes scores of."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streams.alerts.benchmark.nab.corpus import TimeSeries

__all__ = ["Baseline", "null", "random", "windowed_gaussian"]

Baseline = Callable[[TimeSeries], NDArray[np.float64]]
"""Anomaly scores in [0, 1] of a series, one for each row, each knowing only the rows up to it."""


def null(series: TimeSeries) -> NDArray[np.float64]:
    """The same score everywhere: the zero of NAB's scale."""
    return np.full(len(series), 0.5)


def random(series: TimeSeries, seed: int = 0) -> NDArray[np.float64]:
    """Uniform noise."""
    return np.random.default_rng([seed, len(series), *series.name.encode()]).random(len(series))


def windowed_gaussian(series: TimeSeries, window: int = 6_400, step: int = 100) -> NDArray[np.float64]:
    """One minus the tail of a normal distribution fitted to the last `window` rows, refitted every `step` of them.

    The parameters are those of the published scores (NAB 1.1). Scores are rounded to twelve digits, as its result files hold
    them: above 1 - 5e-13 they are 1.
    """
    sums = np.concatenate(((0.0,), np.cumsum(series.values)))
    squares = np.concatenate(((0.0,), np.cumsum(series.values**2)))
    scores = np.zeros(len(series))
    for row in range(1, len(series)):
        last = row if row <= window else window + (row - window) // step * step
        first = max(0, last - window)
        mean = (sums[last] - sums[first]) / (last - first)
        variance = (squares[last] - squares[first]) / (last - first) - mean * mean
        deviation = math.sqrt(variance) if variance > 0.0 else 1e-6
        scores[row] = round(1.0 - 0.5 * math.erfc(abs(series.values[row] - mean) / (deviation * math.sqrt(2.0))), 12)
    return scores
