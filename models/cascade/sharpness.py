"""The temperature of each stage's answers in a cascade.

A stage answers the texts it is likely right about, so on those it is right more often than its probabilities, calibrated on all texts,
say; and the mean of two calibrated forecasts is less sure than it may be (Ranjan and Gneiting 2010, "Combining probability forecasts").
A temperature mends both, and changes no label.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.calibration.temperature import fit_temperature, logs
from models.cascade.deferral import TASKS
from models.inference import Scores

__all__ = ["LEAST_ROWS", "answer_temperatures"]

#: Labelled rows a stage must answer for a temperature of its own; else it is 1.
LEAST_ROWS = 100


def answer_temperatures(answers: Sequence[Scores], stage: NDArray[np.int64], labels: NDArray[np.int64]) -> tuple[tuple[float, float], ...]:
    """A temperature for sentiment and topic of each stage.

    Args:
        answers: what each stage would give for all rows ``[n]``, the encoder's (blended) last.
        stage: ``[n]``, which of them answers.
        labels: ``[tasks, n]``, -1 where a row has none.
    """
    found = []
    for number, scores in enumerate(answers):
        pair = []
        for task, truth in zip(TASKS, labels, strict=True):
            rows = np.flatnonzero((stage == number) & (truth >= 0))
            enough = len(rows) >= LEAST_ROWS
            pair.append(round(fit_temperature(logs(getattr(scores, task)[rows]), truth[rows]), 4) if enough else 1.0)
        found.append((pair[0], pair[1]))
    return tuple(found)
