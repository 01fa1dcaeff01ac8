"""What is ordinary over all keys of a rule: sums of whole days.

A window is compared only with days that no late document can touch any more, so that what is said of it does not depend on
how much of a day had been read. Near-copies are left out; an author's cap is not known of a day.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from streams.alerts.tally import NOTHING, Tally
from streams.alerts.votes import Packed

__all__ = ["World"]

_DAY = 1440
_DAYS = 28


class World:
    """Sums of the days of one rule.

    Args:
        lateness: minutes after which a day that is over cannot change.
    """

    def __init__(self, lateness: int) -> None:
        self._lateness = lateness
        self._days: dict[int, list[int]] = {}
        self._changed: set[int] = set()
        self._known: dict[int, tuple[Tally, int]] = {}
        self._asked = -1

    def add(self, packed: Packed, new_key: bool) -> None:
        """Count a document of one key; `new_key` when it is the first one of its key on that day."""
        day = packed.minute // _DAY
        sums = self._days.get(day)
        if sums is None:
            sums = self._days[day] = [0, 0, 0, 0, 0]
        sums[4] += new_key
        if not packed.copy:
            sums[0] += 1
            sums[1] += packed.scored
            sums[2] += packed.negative
            sums[3] += packed.score
        self._changed.add(day)
        if day < self._asked:
            self._known.clear()

    def before(self, minute: int) -> tuple[Tally, int]:
        """Sums of the last four weeks' days that were finished at `minute`, and how many keys the latest of them had; 0 without."""
        last = (minute - self._lateness) // _DAY
        found = self._known.get(last)
        if found is None:
            days = [day for day in self._days if last - _DAYS <= day < last]
            documents, scored, negative, score = (sum(self._days[day][place] for day in days) for place in range(4))
            keys = self._days[max(days)][4] if days else 0
            found = (Tally(float(documents), float(scored), float(negative), score / 10_000) if days else NOTHING, keys)
            if len(self._known) > 64:
                self._known.clear()
            self._known[last] = found
            self._asked = max(self._asked, last)
        return found

    def forget(self, before: int) -> list[int]:
        """Drop days that end before `before` and that no window asks for any more; which."""
        gone = [day for day in self._days if (day + 2 + _DAYS) * _DAY + self._lateness < before]
        for day in gone:
            del self._days[day]
            self._changed.discard(day)
        return gone

    def changes(self) -> dict[int, bytes]:
        """Days that changed since the last call."""
        changed, self._changed = self._changed, set()
        return {day: msgspec.msgpack.encode(self._days[day]) for day in sorted(changed)}

    def restore(self, days: Mapping[int, bytes]) -> None:
        """Take saved days in."""
        for day, value in days.items():
            self._days[day] = msgspec.msgpack.decode(value, type=list[int])
