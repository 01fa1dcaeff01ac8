"""What every detector promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from streams.alerts.tally import Tally, View

__all__ = ["Assessment", "Detector"]


@dataclass(frozen=True, slots=True)
class Assessment:
    """How unusual a window is.

    Attributes:
        holds: the detector's condition is fulfilled.
        near: it is not, but nearly: worth a line in the decision log.
        score: anomaly score in [0, 1], comparable between keys; 0 ordinary, 1 beyond doubt.
        p_value: probability of a window at least so unusual, if nothing had changed; None where the method has none.
        value: what was measured (a count, a share, a mean, a ratio).
        expected: what the baseline lets expect of `value`.
        low, high: interval in which an ordinary window's value lies (99 % where the method has a distribution).
        baseline_minutes: how much past the expectation rests on.
        baseline_documents: documents in it.
        explanation: one sentence with the numbers, for the decision log.
    """

    holds: bool
    near: bool
    score: float
    p_value: float | None
    value: float
    expected: float
    low: float
    high: float
    baseline_minutes: int
    baseline_documents: float
    explanation: str


class Detector(Protocol):
    """Judges a window by the past of its key. Has no state: the same view gives the same answer.

    Attributes:
        name: as rules write it (``type:`` of the detector).
        lookback: how many windows of ``View.recent`` it wants, the judged one included; at least 1.
        judges_silence: whether windows without new documents must be judged too (absence).
    """

    name: str
    lookback: int
    judges_silence: bool

    def possible(self, window: Tally) -> bool:
        """Cheap and safe: False only if `assess` could neither hold nor be near, whatever the past.

        `window` holds unweighted sums, which are upper bounds of the counts.
        """

    def assess(self, view: View) -> Assessment:
        """Judge the window of `view`."""
