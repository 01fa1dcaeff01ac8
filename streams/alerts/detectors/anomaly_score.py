"""One scale for all detectors: anomaly scores in [0, 1], 0.5 exactly where the rule would fire."""

from __future__ import annotations

import math

__all__ = ["NEAR_P_VALUE", "NEAR_SHARE", "from_p_value", "from_ratio"]

NEAR_P_VALUE = 100.0
"""A p-value within this factor of its limit is near."""

NEAR_SHARE = 0.8
"""A value that reached this part of a fixed limit is near."""

_LEAST = 1e-300
_MOST = 1e12


def from_p_value(p_value: float, limit: float) -> float:
    """Digits of the p-value against those of its limit: 0 at p = 1, 0.5 at p = `limit` (which is below 1), towards 1 as p vanishes."""
    digits = -math.log10(min(1.0, max(p_value, _LEAST)))
    return digits / (digits - math.log10(limit))


def from_ratio(ratio: float) -> float:
    """`ratio` is how much of its limit a value reached: 0 at 0 and below, 0.5 at 1, towards 1 beyond."""
    reached = min(_MOST, max(0.0, ratio))
    return reached / (1.0 + reached)
