"""When to say nothing: risk against coverage, and the confidence from which answers may be given.

After Geifman & El-Yaniv 2017, "Selective Classification for Deep Neural Networks" (arXiv:1705.08500). Risk is the share of wrong
answers among those given, coverage the share of texts that get one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RiskCoverage", "Selection", "risk_bound", "risk_coverage", "select"]

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

#: Thresholds have so many decimals: what is written down and what is compared are the same number.
DECIMALS = 4


@dataclass(frozen=True)
class RiskCoverage:
    """``risk`` among the answers of highest confidence at each ``coverage``, rising to 1; answers of equal confidence go together."""

    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Mean risk over all coverages (AURC): 0 where every answer is right; 0 for no rows."""
        if len(self.coverage) == 0:
            return 0.0
        return float((np.diff(self.coverage, prepend=0.0) * self.risk).sum())

    def at(self, coverage: float) -> float:
        """Risk at the least coverage of the curve that is not below ``coverage``; 0 for no rows."""
        if len(self.coverage) == 0:
            return 0.0
        index = int(np.searchsorted(self.coverage, coverage - 1e-9))
        return float(self.risk[min(index, len(self.risk) - 1)])


def risk_coverage(confidence: Floats, wrong: Bools) -> RiskCoverage:
    """The curve of answers with this ``confidence`` ``[n]`` of which these are ``wrong`` ``[n]``."""
    if len(confidence) == 0:
        return RiskCoverage(np.zeros(0), np.zeros(0))
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    answered = ends + 1
    return RiskCoverage(answered / len(falling), np.cumsum(wrong[order])[ends] / answered)


def _log_tail(errors: int, rows: int, risk: float) -> float:
    """Logarithm of the chance of at most ``errors`` wrong answers among ``rows``, each wrong with probability ``risk``."""
    numbers = np.arange(errors + 1)
    combinations = math.lgamma(rows + 1) - np.array([math.lgamma(k + 1) + math.lgamma(rows - k + 1) for k in numbers.tolist()])
    terms = combinations + numbers * math.log(risk) + (rows - numbers) * math.log1p(-risk)
    peak = float(terms.max())
    return peak + math.log(float(np.exp(terms - peak).sum()))


def risk_bound(errors: int, rows: int, doubt: float) -> float:
    """What the risk is below with probability ``1 - doubt``, after ``errors`` wrong answers among ``rows`` (Clopper & Pearson 1934).

    1 for no rows.
    """
    if errors >= rows:
        return 1.0
    low, high = errors / rows, 1.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        if _log_tail(errors, rows, middle) > math.log(doubt):
            low = middle
        else:
            high = middle
    return high


@dataclass(frozen=True)
class Selection:
    """Answers of at least ``threshold`` confidence: their share of ``rows``, their risk, and the ``bound`` of their true risk."""

    threshold: float
    rows: int
    coverage: float
    risk: float
    bound: float


def select(confidence: Floats, wrong: Bools, *, target: float, doubt: float) -> Selection | None:
    """The selection of largest coverage found whose risk is below ``target`` with probability ``1 - doubt``; None where there is none.

    "Selection with guaranteed risk" of the paper: a binary search over the thresholds, each step with its share of ``doubt``. All answers
    are tried first, as one more step.
    """
    if len(confidence) == 0:
        return None
    rounded = np.floor(confidence.astype(np.float64) * 10**DECIMALS) / 10**DECIMALS
    rising = np.sort(rounded)
    share = doubt / (math.floor(math.log2(len(rising))) + 2)

    def measured(threshold: float) -> Selection:
        given = rounded >= threshold
        rows, errors = int(given.sum()), int(wrong[given].sum())
        return Selection(threshold, len(rising), rows / len(rising), errors / rows, risk_bound(errors, rows, share))

    best = measured(0.0)
    if best.bound <= target:
        return best
    found: Selection | None = None
    low, high = 0, len(rising) - 1
    while low <= high:
        middle = (low + high) // 2
        one = measured(float(rising[middle]))
        if one.bound <= target:
            found, high = one, middle - 1
        else:
            low = middle + 1
    return found
