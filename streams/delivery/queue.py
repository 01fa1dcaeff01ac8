"""Messages that wait for one channel: those of one fingerprint in their order, the others in the order in which they are due."""

from __future__ import annotations

import heapq
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["ENTRY", "Entry", "Queue"]

ENTRY = "delivery|"
"""Begin of the name of an entry in the state."""


@dataclass(slots=True, eq=False)
class Entry:
    """One message for one channel.

    Attributes:
        message: its id.
        channel: name of the channel.
        fingerprint: messages of one fingerprint reach a channel in their order.
        sequence: their order.
        origin: the delivery of the alerts topic, for a dead letter.
        due: when it may be tried, seconds since 1970-01-01 UTC.
        attempts: that have failed.
        error: why the last attempt failed.
    """

    message: str
    channel: str
    fingerprint: str
    sequence: int
    origin: str
    due: float
    attempts: int = 0
    error: str = ""

    @property
    def name(self) -> str:
        """Of its state entry."""
        return f"{ENTRY}{self.message}|{self.channel}"

    def dump(self) -> bytes:
        """Its state entry."""
        fields = [self.fingerprint, self.sequence, self.origin, self.due, self.attempts, self.error]
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def load(cls, message: str, channel: str, fields: list[object]) -> Entry:
        """Read what `dump` wrote. Raises ValueError, TypeError."""
        fingerprint, sequence, origin, due, attempts, error = fields
        if not isinstance(sequence, int) or not isinstance(attempts, int) or not isinstance(due, (int, float)):
            raise TypeError("not an entry of the outbox")
        return cls(message, channel, str(fingerprint), sequence, str(origin), float(due), attempts, str(error))


class Queue:
    """A line for each fingerprint, of which only the head may go; a head that is taken blocks its line until it is back or gone."""

    def __init__(self) -> None:
        self._order: dict[int, Entry] = {}
        self._lines: dict[str, deque[Entry]] = {}
        self._heads: list[tuple[float, int]] = []
        self._taken: set[int] = set()

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Entry]:
        """In the order in which they came, those that are taken too."""
        return iter(list(self._order.values()))

    def __contains__(self, entry: Entry) -> bool:
        return self._order.get(entry.sequence) is entry

    def add(self, entry: Entry) -> None:
        """Put `entry` behind all others."""
        self._order[entry.sequence] = entry
        line = self._lines.setdefault(entry.fingerprint, deque())
        line.append(entry)
        if len(line) == 1:
            self._offer(entry)

    def take(self, now: float) -> Entry | None:
        """The head that is due longest; None: none is due."""
        due = self.next_due()
        if due is None or due > now:
            return None
        _, sequence = heapq.heappop(self._heads)
        self._taken.add(sequence)
        return self._order[sequence]

    def next_due(self) -> float | None:
        """When the next head is due that is not taken; None: there is none."""
        while self._heads and not self._is_free(*self._heads[0]):
            heapq.heappop(self._heads)
        return self._heads[0][0] if self._heads else None

    def back(self, entry: Entry) -> None:
        """A taken `entry` waits again, until its new `due`. Nothing happens to one that is not taken."""
        if entry.sequence in self._taken:
            self._taken.discard(entry.sequence)
            self._offer(entry)

    def remove(self, entry: Entry) -> None:
        """Take `entry` out; the next of its line may go."""
        del self._order[entry.sequence]
        self._taken.discard(entry.sequence)
        line = self._lines[entry.fingerprint]
        was_head = line[0] is entry
        line.remove(entry)
        if not line:
            del self._lines[entry.fingerprint]
        elif was_head:
            self._offer(line[0])

    def oldest(self) -> Entry:
        """The one that came first and is not taken; the first of all where all are."""
        return next((entry for sequence, entry in self._order.items() if sequence not in self._taken), next(iter(self._order.values())))

    def _offer(self, entry: Entry) -> None:
        heapq.heappush(self._heads, (entry.due, entry.sequence))

    def _is_free(self, due: float, sequence: int) -> bool:
        # Places in the heap are not taken out when their entry goes: they are recognised here.
        entry = self._order.get(sequence)
        return entry is not None and entry.due == due and sequence not in self._taken
