"""Silences: what is not sent for a while. Expired ones are removed."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from streams.alerts.life.commands import Silence, SilenceMatcher, minute_of
from streams.documents import Key

__all__ = ["MAX_SILENCES", "Silences", "matches"]

MAX_SILENCES = 1000
"""More are not kept: the one that ends first makes room."""


def matches(matcher: SilenceMatcher, rule: str, key: Key, severity: str) -> bool:
    """Whether `matcher` means an alert of `rule` about `key`. Case does not matter."""
    pairs = ((matcher.rule, rule), (matcher.kind, key.kind), (matcher.value, key.value), (matcher.severity, severity))
    return all(pattern == "*" or fnmatchcase(value.casefold(), pattern.casefold()) for pattern, value in pairs)


class Silences:
    """All silences that are not over.

    Attributes:
        changed: ids added or removed since they were last taken.
    """

    def __init__(self) -> None:
        self._all: dict[str, Silence] = {}
        self._next: int | None = None
        self.changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Silence]:
        return iter(self._all.values())

    def get(self, id: str) -> Silence | None:
        """The silence of that id."""
        return self._all.get(id)

    def add(self, silence: Silence) -> None:
        """Take `silence` in; it replaces one of the same id."""
        self._all[silence.id] = silence
        self.changed.add(silence.id)
        ends = minute_of(silence.ends_at)
        self._next = ends if self._next is None else min(self._next, ends)
        if len(self._all) > MAX_SILENCES:
            self.remove(min(self._all.values(), key=lambda each: (each.ends_at, each.id)).id)

    def remove(self, id: str) -> bool:
        """End the silence `id`; False where there is none."""
        if self._all.pop(id, None) is None:
            return False
        self.changed.add(id)
        return True

    def expire(self, now: int) -> None:
        """Remove those that are over at minute `now`."""
        if self._next is None or now < self._next:
            return
        for id in [each.id for each in self._all.values() if minute_of(each.ends_at) <= now]:
            self.remove(id)
        self._next = min((minute_of(each.ends_at) for each in self._all.values()), default=None)

    def covering(self, rule: str, key: Key, severity: str, now: int) -> Silence | None:
        """The silence under which such an alert is at minute `now`; of several the one that ends last."""
        found = [
            silence
            for silence in self._all.values()
            if minute_of(silence.starts_at) <= now < minute_of(silence.ends_at)
            and any(matches(matcher, rule, key, severity) for matcher in silence.matchers)
        ]
        return max(found, key=lambda each: (each.ends_at, each.id), default=None)
