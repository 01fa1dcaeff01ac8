"""Event time: how far every source has come, and which documents come too late.

No wall clock is asked, so that a replay decides as the live run did.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from streams.alerts.sighting import Sighting
from streams.documents import EARLIEST
from streams.errors import BellwetherError

__all__ = ["FUTURE_TOLERANCE_MINUTES", "PREFIX", "Ignored", "Watermark"]

FUTURE_TOLERANCE_MINUTES = 24 * 60
PREFIX = "source|"
_EARLIEST_MINUTE = int(EARLIEST.timestamp() // 60)


class Ignored(StrEnum):
    """Why a document was not counted; labels of a metric."""

    UNSCORED = "unscored"
    NO_KEY = "no_key"
    REDELIVERED = "redelivered"
    LATE = "late"
    CROWDED = "crowded"
    ABSURD_TIME = "absurd_time"


class Watermark:
    """The newest event time that every source has shown.

    A time is absurd when it lies before 1990, or more than a day after the moment at which the service received the
    document: one such document would otherwise make everything after it late.

    Attributes:
        newest: newest event time of any source, in minutes since 1970-01-01 UTC; None before the first.
    """

    def __init__(self) -> None:
        self.newest: int | None = None
        self._sources: dict[str, int] = {}
        self._changed: dict[str, int | None] = {}

    def admit(self, sighting: Sighting) -> int | None:
        """Take note of the document's time; how many minutes it lies behind its source, None where its time is absurd."""
        minute = sighting.minute
        if minute < _EARLIEST_MINUTE or minute > sighting.received + FUTURE_TOLERANCE_MINUTES:
            return None
        known = self._sources.get(sighting.source)
        if known is not None and minute <= known:
            return known - minute
        self._sources[sighting.source] = minute
        self._changed[sighting.source] = minute
        if self.newest is None or minute > self.newest:
            self.newest = minute
        return 0

    def forget(self, before: int) -> None:
        """Drop sources that have been silent since `before`."""
        for source in [source for source, minute in self._sources.items() if minute < before]:
            del self._sources[source]
            self._changed[source] = None

    def __len__(self) -> int:
        return len(self._sources)

    def changes(self) -> dict[str, bytes | None]:
        """Entries to save since the last call; None deletes."""
        changed, self._changed = self._changed, {}
        return {f"{PREFIX}{source}": None if minute is None else b"%d" % minute for source, minute in changed.items()}

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Take saved entries in; those of others are left alone.

        Raises:
            BellwetherError: an entry is not a number.
        """
        for name, value in saved.items():
            if name.startswith(PREFIX):
                try:
                    minute = int(value)
                except ValueError as error:
                    raise BellwetherError(
                        f"watch state: entry {name} is not a minute", mend="delete the saved state to begin anew"
                    ) from error
                self._sources[name.removeprefix(PREFIX)] = minute
                if self.newest is None or minute > self.newest:
                    self.newest = minute
