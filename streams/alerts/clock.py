"""Event time: how far every source has come, and which documents come too late."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from streams.documents import EARLIEST, ScoredDocument

__all__ = ["Clock", "Ignored", "minute_of"]

FUTURE_TOLERANCE_MINUTES = 24 * 60
_EARLIEST_MINUTE = int(EARLIEST.timestamp() // 60)
_MINUTE = timedelta(minutes=1)


class Ignored(StrEnum):
    """Why a document was not counted; labels of a metric."""

    UNSCORED = "unscored"
    NO_KEY = "no_key"
    REDELIVERED = "redelivered"
    LATE = "late"
    ABSURD_TIME = "absurd_time"


def minute_of(document: ScoredDocument) -> int:
    """Event time of a document: minutes since 1970-01-01 UTC, rounded down."""
    return int(document.published_at.timestamp() // 60)


class Clock:
    """Watermark of every source: the newest event time that it has shown.

    No wall clock is asked, so that a replay decides as the live run did. A time is absurd when it lies before 1990, or
    more than a day after the moment at which the service received the document: one such document would otherwise make
    everything after it late.

    Args:
        lateness: minutes that a document may lie behind the watermark of its source.
    """

    def __init__(self, lateness: int) -> None:
        self._lateness = lateness
        self.sources: dict[str, int] = {}
        self.newest: int | None = None
        self.first: int | None = None
        self.dirty: set[str] = set()

    def admit(self, document: ScoredDocument, minute: int) -> Ignored | None:
        """Take note of the document's time; the reason when it must not be counted."""
        received = int(document.timings.received_at.timestamp() // 60)
        if minute < _EARLIEST_MINUTE or minute > received + FUTURE_TOLERANCE_MINUTES:
            return Ignored.ABSURD_TIME
        watermark = self.sources.get(document.source)
        if watermark is not None and minute < watermark - self._lateness:
            return Ignored.LATE
        if watermark is None or minute > watermark:
            self.advance(document.source, minute)
            self.dirty.add(document.source)
        if self.first is None or minute < self.first:
            self.first = minute
        return None

    def advance(self, source: str, minute: int) -> None:
        """`source` has come as far as `minute`."""
        self.sources[source] = minute
        if self.newest is None or minute > self.newest:
            self.newest = minute

    def forget(self, before: int) -> list[str]:
        """Drop sources that have been silent since `before`; their names."""
        silent = [source for source, minute in self.sources.items() if minute < before]
        for source in silent:
            del self.sources[source]
        self.dirty.difference_update(silent)
        return silent
