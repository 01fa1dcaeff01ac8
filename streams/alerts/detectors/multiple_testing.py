"""Thousands of keys are judged every few minutes: how small must a p-value be among so many?"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Budget"]


@dataclass(frozen=True, slots=True)
class Budget:
    """False alerts a day that all keys of a rule together may cost.

    The expected number of evaluations with p <= alpha among m of them is at most m * alpha where nothing happens, however
    they depend on each other, and an alert takes at least one such evaluation: alpha = `per_day` / m keeps the promise.
    Windows overlap, false alarms come in runs of several evaluations, and so the real number is lower still.
    """

    per_day: float

    def alpha(self, keys: float, hops_per_day: float) -> float:
        """Largest p-value that may fire; in (0, 1].

        Args:
            keys: keys of the rule that were judged in a finished day. Finished days only: today's number would make
                what is said of a window depend on how much of the day had been read.
            hops_per_day: evaluations of one key in a day.
        """
        return min(1.0, self.per_day / max(1.0, keys * hops_per_day))
