"""Acknowledgements: somebody looks after it. They end by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from streams.alerts.life.commands import Acknowledge, minute_of

__all__ = ["MAX_ACKNOWLEDGEMENTS", "Acknowledgements"]

MAX_ACKNOWLEDGEMENTS = 10_000
"""More are not kept: the one that ends first makes room."""


class Acknowledgements:
    """All acknowledgements that are not over, by what they are about.

    Attributes:
        changed: targets added or removed since they were last taken.
    """

    def __init__(self) -> None:
        self._all: dict[str, Acknowledge] = {}
        self._next: int | None = None
        self.changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Acknowledge]:
        return iter(self._all.values())

    def get(self, target: str) -> Acknowledge | None:
        """The acknowledgement of `target`."""
        return self._all.get(target)

    def add(self, acknowledge: Acknowledge) -> None:
        """Take it in; it replaces an earlier one of the same target."""
        self._all[acknowledge.target] = acknowledge
        self.changed.add(acknowledge.target)
        ends = minute_of(acknowledge.until)
        self._next = ends if self._next is None else min(self._next, ends)
        if len(self._all) > MAX_ACKNOWLEDGEMENTS:
            self._remove(min(self._all.values(), key=lambda each: (each.until, each.target)).target)

    def expire(self, now: int) -> None:
        """Remove those that are over at minute `now`."""
        if self._next is None or now < self._next:
            return
        for target in [each.target for each in self._all.values() if minute_of(each.until) <= now]:
            self._remove(target)
        self._next = min((minute_of(each.until) for each in self._all.values()), default=None)

    def covering(self, id: str, fingerprint: str, now: int) -> Acknowledge | None:
        """Who looks after the alert at minute `now`; of two the one who does so longer."""
        found = [each for each in (self._all.get(id), self._all.get(fingerprint)) if each is not None and now < minute_of(each.until)]
        return max(found, key=lambda each: each.until, default=None)

    def _remove(self, target: str) -> None:
        del self._all[target]
        self.changed.add(target)
