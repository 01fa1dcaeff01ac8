"""Thousands of keys are judged every few minutes: how small must a p-value be among so many?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Budget", "benjamini_hochberg"]


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


def benjamini_hochberg(p_values: Sequence[float] | NDArray[np.float64], q: float) -> NDArray[np.bool_]:
    """Which of the hypotheses to reject so that the expected share of false ones among them is at most `q`.

    The step-up procedure of Benjamini and Hochberg (*Journal of the Royal Statistical Society B* 57, 1995), valid for
    independent or positively dependent p-values (Benjamini and Yekutieli, *Annals of Statistics* 29, 2001).

    Returns:
        bool of the shape of `p_values` (one dimension), True where rejected.

    Raises:
        ValueError: `q` is not in (0, 1), or a p-value is not in [0, 1].
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not 0.0 < q < 1.0 or bool(np.any(~((p >= 0.0) & (p <= 1.0)))):
        raise ValueError(f"benjamini_hochberg: q={q}, p-values from {p.min(initial=1.0)} to {p.max(initial=0.0)}")
    order = np.argsort(p, kind="stable")
    passes = p[order] <= q * np.arange(1, len(p) + 1) / max(1, len(p))
    rejected = np.zeros(len(p), dtype=np.bool_)
    if passes.any():
        rejected[order[: int(np.flatnonzero(passes)[-1]) + 1]] = True
    return rejected
