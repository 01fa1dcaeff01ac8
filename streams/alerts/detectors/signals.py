"""The signals of a rule: what is measured of a window, and how it is said."""

from __future__ import annotations

import numpy as np

from streams.alerts.rules.detectors import Signal
from streams.alerts.tally import Buckets, Floats, Tally, View

__all__ = ["COUNTS", "NAMES", "evidence", "of_buckets", "of_tally", "of_window", "upper_bound", "write"]

COUNTS: frozenset[Signal] = frozenset({"documents", "negative"})
"""Signals that count: they grow with the length of the window, and 0 is a measurement."""

NAMES: dict[Signal, str] = {
    "documents": "documents",
    "negative": "negative documents",
    "negative_share": "negative share",
    "mean_score": "mean score",
}


def of_tally(tally: Tally, signal: Signal) -> float:
    """`signal` of a sum: a count, a share in [0, 1] or a mean score in [-1, 1]; the latter two are 0 where nothing was scored."""
    if signal == "documents":
        return tally.documents
    if signal == "negative":
        return tally.negative
    return tally.share if signal == "negative_share" else tally.mean


def of_window(view: View, signal: Signal) -> float:
    """`signal` of the judged window."""
    return of_tally(view.window, signal)


def of_buckets(buckets: Buckets, signal: Signal) -> Floats:
    """`signal` of every bucket, float64 of shape (len(buckets),); shares and means are 0 where nothing was scored."""
    if signal == "documents":
        return buckets.documents
    if signal == "negative":
        return buckets.negative
    above = buckets.negative if signal == "negative_share" else buckets.score
    return np.divide(above, buckets.scored, out=np.zeros(len(buckets)), where=buckets.scored > 0)


def evidence(tally: Tally, signal: Signal) -> float:
    """Documents that `signal` rests on: all of them for counts, the scored ones for shares and means."""
    return tally.documents if signal in COUNTS else tally.scored


def upper_bound(signal: Signal, value: float) -> float:
    """The largest value that `signal` can take; for counts, which have none, `value` itself."""
    return value if signal in COUNTS else 1.0


def write(signal: Signal, value: float) -> str:
    """`value` as a person reads it: ``12``, ``12.5``, ``48%``, ``-0.31``."""
    if signal == "negative_share":
        return f"{value:.0%}"
    if signal == "mean_score":
        return f"{value:+.2f}"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"
