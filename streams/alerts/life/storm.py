"""Storm protection: how many notices each circle of receivers has had lately.

A circle is a set of channels. Beyond `limit` notices within `interval` minutes of event time, what is new joins a digest,
and what is merely amended is recorded only. The end of an alert that was told is always told.
"""

from __future__ import annotations

from bisect import bisect_right

__all__ = ["Storm"]


class Storm:
    """Minutes of the latest notices, by circle; no more than `limit` are kept of each.

    Attributes:
        changed: circles whose minutes changed since they were last taken.
    """

    def __init__(self, limit: int, interval: int) -> None:
        self.limit = limit
        self.interval = interval
        self._minutes: dict[str, list[int]] = {}
        self.changed: set[str] = set()

    def room(self, circle: str, now: int) -> int:
        """How many more notices `circle` may have at minute `now`."""
        minutes = self._minutes.get(circle, [])
        return self.limit - (len(minutes) - bisect_right(minutes, now - self.interval))

    def count(self, circle: str, now: int) -> None:
        """`circle` has had a notice at minute `now`, which is not before the last one."""
        minutes = self._minutes.setdefault(circle, [])
        minutes.append(now)
        del minutes[: max(len(minutes) - self.limit, bisect_right(minutes, now - self.interval))]
        self.changed.add(circle)

    def minutes(self, circle: str) -> list[int]:
        """What must be remembered of `circle`."""
        return self._minutes.get(circle, [])

    def recall(self, circle: str, minutes: list[int]) -> None:
        """Take up what an earlier run remembered."""
        self._minutes[circle] = minutes
