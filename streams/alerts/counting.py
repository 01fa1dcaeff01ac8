"""What counts once: near-copies of a story, and the many documents of one author or source.

A weight belongs to a document, not to a window, so that window and baseline are counted on the same footing, and it
depends on earlier documents only:

* Within one window a family of near-copies has one vote: a member counts fully only when no earlier member, by
  (minute, copy, id), lies within one window before it. Further ones weigh ``counting.copy_weight``.
* Of one author (and of one source, where that is capped) no more than the cap count within any window: a document
  weighs nothing when as many that count lie within one window before it. Who writes steadily keeps his cap in every
  window; who floods is cut down to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.alerts.rules.model import Counting
from streams.alerts.votes import Flag, Votes

__all__ = ["Weights", "settled_weights", "weigh"]


@dataclass(frozen=True, slots=True)
class Weights:
    """Of each row: its weight in [0, 1], and whether it is 0 because of a cap."""

    weight: NDArray[np.float64]
    capped: NDArray[np.bool_]


def settled_weights(rows: Votes, counting: Counting) -> Weights:
    """What was written down of rows whose flag says that they are settled."""
    flags = rows["flags"]
    capped = (flags & Flag.CAPPED) != 0
    weight = np.where(capped, 0.0, np.where((flags & Flag.MUTED) != 0, counting.copy_weight, 1.0))
    return Weights(weight, capped)


def weigh(minutes: NDArray[np.int64], rows: Votes, known: Weights, counting: Counting, window: int) -> Weights:
    """Weights of `rows`, of which the first ``len(known.weight)`` are decided already and the rest come later in time.

    Args:
        minutes: event time of each row.
        rows: in any order, but no row behind the known ones is earlier than the hour after them.
        known: what is decided of the earliest rows.
        counting: the rule's.
        window: its window, in minutes.
    """
    first = len(known.weight)
    if _nothing_to_weigh(rows, counting):
        rest = len(rows) - first
        return Weights(np.concatenate((known.weight, np.ones(rest))), np.concatenate((known.capped, np.zeros(rest, dtype=np.bool_))))
    order = np.lexsort((rows["id"], (rows["flags"] & Flag.COPY) != 0, minutes))
    at = minutes[order]
    muted = _muted(at, rows["original"][order], window)
    weight = np.where(muted, counting.copy_weight, 1.0)
    capped = np.zeros(len(rows), dtype=np.bool_)
    if first:
        # The known ones come first in time as well: their hours are over where those of the rest begin.
        weight[:first] = known.weight[order[:first]]
        capped[:first] = known.capped[order[:first]]
    _cap(at, rows[order], weight, capped, first, counting, window)
    result = Weights(np.empty(len(rows)), np.empty(len(rows), dtype=np.bool_))
    result.weight[order] = weight
    result.capped[order] = capped
    return result


def _nothing_to_weigh(rows: Votes, counting: Counting) -> bool:
    """Whether there is no near-copy, and nobody has more rows than his cap: the usual case."""
    if (rows["flags"] & Flag.COPY).any():
        return False
    caps = ((counting.per_author, "author"), (counting.per_source, "source"))
    return not any(cap and len(_beyond(rows[field], cap)) for cap, field in caps)


def _muted(at: NDArray[np.int64], families: NDArray[np.uint64], window: int) -> NDArray[np.bool_]:
    together = np.argsort(families, kind="stable")
    family, moment = families[together], at[together]
    late = np.zeros(len(at), dtype=np.bool_)
    late[1:] = (family[1:] == family[:-1]) & (moment[1:] - moment[:-1] < window)
    muted = np.empty(len(at), dtype=np.bool_)
    muted[together] = late
    return muted


def _beyond(whose: NDArray[np.unsignedinteger[Any]], cap: int) -> NDArray[np.unsignedinteger[Any]]:
    """Who has more than `cap` rows, 0 (unknown) left out; once for each row too many."""
    if len(whose) <= cap:
        return whose[:0]
    together = np.sort(whose)
    found: NDArray[np.unsignedinteger[Any]] = together[cap:][together[cap:] == together[:-cap]]
    known: NDArray[np.unsignedinteger[Any]] = found[found != 0]
    return known


def _cap(
    at: NDArray[np.int64],
    rows: Votes,
    weight: NDArray[np.float64],
    capped: NDArray[np.bool_],
    first: int,
    counting: Counting,
    window: int,
) -> None:
    """Take the weight of what is beyond a cap; in place. Only who has more rows than his cap is looked at one by one.

    Both caps in one go through time: what is beyond the cap of its source must not take a place of its author's.
    """
    seen = np.zeros(len(at), dtype=np.bool_)
    caps = []
    for cap, field in ((counting.per_author, "author"), (counting.per_source, "source")):
        if cap:
            whose = rows[field]
            many = np.unique(_beyond(whose, cap))
            seen |= np.isin(whose, many)
            caps.append((cap, whose, {number: list[int]() for number in many.tolist()}))
    for place in np.flatnonzero(seen).tolist():
        moment = int(at[place])
        counted = [(cap, times) for cap, whose, by in caps if (times := by.get(int(whose[place]))) is not None]
        if place >= first and any(len(times) >= cap and moment - times[-cap] < window for cap, times in counted):
            weight[place] = 0.0
            capped[place] = True
        elif weight[place] >= 1.0:
            for _, times in counted:
                times.append(moment)
