"""The sums of an hour of votes: documents, scored, negative and score of each hop, by what every vote weighs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from streams.alerts.counting import Weights
from streams.alerts.tally import Tally
from streams.alerts.votes import MAX_VOTES, Flag, Hour, Votes

__all__ = ["settled_sums", "sum_weighed", "sum_whole"]

_SCALE = 10_000.0
_MINUTES = 60
_ONES = np.ones(MAX_VOTES)
_NONE = np.zeros(MAX_VOTES, dtype=np.bool_)
_ONES.flags.writeable = _NONE.flags.writeable = False


def settled_sums(hour: Hour, copy_weight: float) -> Tally:
    """Sums of an hour whose weights are settled."""
    documents = scored = negative = score = 0.0
    for _, flags, value, _, _, _ in hour.plain():
        if flags & Flag.CAPPED:
            continue
        vote = copy_weight if flags & Flag.MUTED else 1.0
        documents += vote
        scored += vote * (flags & Flag.SCORED)
        negative += vote * (flags & Flag.NEGATIVE) / Flag.NEGATIVE
        score += vote * value
    return Tally(documents, scored, negative, score / _SCALE)


def sum_whole(hour: Hour, each: Iterable[tuple[int, tuple[int, int, int, int]]], hops: int) -> None:
    """Give `hour` the sums of its hops, counted from 0, in which every vote weighs one; hops that are not there are empty."""
    rows = [[0.0, 0.0, 0.0, 0.0] for _ in range(hops)]
    for hop, (documents, scored, negative, score) in each:
        rows[hop] = [documents, scored, negative, score / _SCALE]
    hour.weights, hour.capped = _ONES[: len(hour)], _NONE[: len(hour)]
    hour.sums = np.array(rows, dtype=np.float64)
    hour.total = hour.sums[0] if hops == 1 else hour.sums.sum(axis=0)


def sum_weighed(hour: Hour, rows: Votes, weights: Weights, hop: int, copy_weight: float) -> None:
    """Give `hour` the sums of its `rows` by their `weights`, each of which is 1, `copy_weight` or 0; `hop` in minutes."""
    hops = _MINUTES // hop
    if hops == 1 and bool((weights.weight == 1.0).all()):
        _sum_ones(hour, rows, weights)
        return
    place = rows["minute"] // hop
    flags = rows["flags"]
    sums = np.zeros((hops, 4))
    # Whole and part votes are summed apart, as whole numbers: the order of the rows must not show in the last digit.
    for value in (1.0, copy_weight):
        counts = weights.weight == value
        if value == 0.0 or not counts.any():
            continue
        at = place[counts]
        chosen = flags[counts]
        sums[:, 0] += value * np.bincount(at, minlength=hops)
        sums[:, 1] += value * np.bincount(at, weights=(chosen & Flag.SCORED) != 0, minlength=hops)
        sums[:, 2] += value * np.bincount(at, weights=(chosen & Flag.NEGATIVE) != 0, minlength=hops)
        sums[:, 3] += value * np.bincount(at, weights=rows["score"][counts], minlength=hops) / _SCALE
        if value == copy_weight:
            break
    hour.weights, hour.capped, hour.sums = weights.weight, weights.capped, sums
    hour.total = sums.sum(axis=0)


def _sum_ones(hour: Hour, rows: Votes, weights: Weights) -> None:
    """The usual case: an hour is one hop, and every vote weighs one."""
    flags = rows["flags"]
    scored, negative = np.count_nonzero(flags & Flag.SCORED), np.count_nonzero(flags & Flag.NEGATIVE)
    hour.weights, hour.capped = weights.weight, weights.capped
    hour.sums = np.array([[len(rows), scored, negative, int(rows["score"].sum(dtype=np.int64)) / _SCALE]])
    hour.total = hour.sums[0]
