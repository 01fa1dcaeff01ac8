"""What every detector promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from streams.alerts.windows import Counts

__all__ = ["Assessment", "Detector"]


@dataclass(frozen=True, slots=True)
class Assessment:
    """How unusual a window is.

    Attributes:
        p_value: probability of a window at least so negative, if nothing had changed.
        expected_share: negative share that the baseline lets expect, in [0, 1].
        explanation: one sentence with the numbers.
    """

    p_value: float
    expected_share: float
    explanation: str


class Detector(Protocol):
    """Judges a window by the past of its key. Has no state: the same counts give the same answer."""

    def assess(self, window: Counts, baseline: Counts, others: Counts) -> Assessment:
        """Judge `window`.

        Args:
            window: votes of the window.
            baseline: votes of the same key before the window; may be empty.
            others: votes of all keys outside this window: what is ordinary for a key of which little is known.
        """
