"""Two runs over the same history: what one tells and the other does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.alerts.backtest.run import Detection

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Detections of two runs, paired by key and nearness in time.

    Attributes:
        both: pairs (first run, second run).
        only_first, only_second: the rest.
    """

    both: tuple[tuple[Detection, Detection], ...]
    only_first: tuple[Detection, ...]
    only_second: tuple[Detection, ...]

    @property
    def lead_minutes(self) -> float | None:
        """Mean minutes by which the second run is ahead of the first where both speak; None where they never do."""
        return sum(a.minute - b.minute for a, b in self.both) / len(self.both) if self.both else None


def compare(first: Sequence[Detection], second: Sequence[Detection], *, within: int) -> Comparison:
    """Pair the detections of two runs: of one key, no more than `within` minutes apart, the nearest pairs first, each used once."""
    pairs = sorted(
        (abs(a.minute - b.minute), i, j)
        for i, a in enumerate(first)
        for j, b in enumerate(second)
        if a.key == b.key and abs(a.minute - b.minute) <= within
    )
    mine: dict[int, int] = {}
    theirs: set[int] = set()
    for _, i, j in pairs:
        if i not in mine and j not in theirs:
            mine[i] = j
            theirs.add(j)
    return Comparison(
        tuple((first[i], second[j]) for i, j in sorted(mine.items())),
        tuple(item for i, item in enumerate(first) if i not in mine),
        tuple(item for j, item in enumerate(second) if j not in theirs),
    )
