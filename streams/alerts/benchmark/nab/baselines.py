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

    The parameters are NAB's. Scores are rounded to twelve digits, as its result files hold them: above 1 - 5e-13 they are 1.
    """
    kept: list[float] = []
    waiting: list[float] = []
    mean, deviation = 0.0, 1.0
    scores = np.zeros(len(series))
    for row, value in enumerate(series.values.tolist()):
        if kept:
            scores[row] = round(1.0 - 0.5 * math.erfc(abs(value - mean) / (deviation * math.sqrt(2.0))), 12)
        if len(kept) < window:
            kept.append(value)
        else:
            waiting.append(value)
            if len(waiting) < step:
                continue
            kept, waiting = kept[step:] + waiting, []
        mean, deviation = float(np.mean(kept)), float(np.std(kept)) or 1e-6
    return scores
