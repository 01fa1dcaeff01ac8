"""Votes of one key over event time, in buckets of a minute.

Late documents correct the bucket that they belong to. The counts are a function of the *set* of documents, not of the
order in which they came, as long as none is further behind than the allowed lateness.

Memory is bounded twice: single votes are kept for the allowed lateness and two windows, then only the counts of their
hour; hours older than the baseline are dropped.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["PART", "Counts", "Hour", "KeyWindow", "Span", "Vote"]

PART = 256
"""Votes of an hour that are saved together: an hour with many votes is not written anew for each of them."""


class Vote(NamedTuple):
    """What is remembered of a scored document. `minute` is its event time; `original` the id of its family of near-copies.

    `title` and `url` are kept for negative documents only: they are the evidence.
    """

    id: str
    original: str
    minute: int
    negative: bool
    score: float
    source: str
    language: str
    entities: tuple[str, ...]
    published: float
    title: str
    url: str | None

    @property
    def copy(self) -> bool:
        """A near-copy of another document."""
        return self.original != self.id


class Counts(NamedTuple):
    """Votes, and how many of them are negative."""

    documents: int
    negative: int

    @property
    def share(self) -> float:
        """Negative share; 0 without documents."""
        return self.negative / self.documents if self.documents else 0.0


class Span(NamedTuple):
    """Lengths in minutes: the window, the baseline before it, the allowed lateness."""

    window: int
    baseline: int
    lateness: int

    @property
    def kept_votes(self) -> int:
        """How far back single votes are kept: whatever a late document may still touch."""
        return self.lateness + 2 * self.window

    @property
    def kept_counts(self) -> int:
        """How far back hours are kept."""
        return self.window + self.baseline + self.lateness + 60


class Hour:
    """An hour of votes; `minutes` and `votes` are empty once only the counts are kept."""

    __slots__ = ("documents", "minutes", "negative", "votes")

    def __init__(self, documents: int = 0, negative: int = 0) -> None:
        self.documents = documents
        self.negative = negative
        self.minutes: dict[int, list[int]] = {}
        self.votes: list[Vote] = []


def _order(vote: Vote) -> tuple[int, bool, str]:
    return vote.minute, vote.copy, vote.id


class KeyWindow:
    """Votes of one key.

    A family (an original and its near-copies) has one vote: a member counts only when no other member spoke within one
    window before it. So a copy counts when its original is unknown or has left the window, a story that is syndicated
    for hours counts once, and what counts is decided by event time alone.

    Attributes:
        head: newest minute of a vote, None before the first.
        documents, negative: sums of all hours that are kept.
        changed: (hour, part) pairs that must be saved. dropped: (hour, number of parts) whose votes are gone.
    """

    __slots__ = ("_families", "_ids", "_muted", "changed", "documents", "dropped", "head", "hours", "negative", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.head: int | None = None
        self.hours: dict[int, Hour] = {}
        self.documents = 0
        self.negative = 0
        self.changed: set[tuple[int, int]] = set()
        self.dropped: list[tuple[int, int]] = []
        self._families: dict[str, list[Vote]] = {}
        self._ids: set[str] = set()
        self._muted: set[str] = set()

    def accepts(self, minute: int) -> bool:
        """Whether a vote at `minute` can still be counted here: votes of its time are still known one by one."""
        return self.head is None or minute > self.head - self.span.lateness - self.span.window

    def add(self, vote: Vote) -> bool:
        """Count `vote`; False when it is already counted. Its minute must be one that `accepts` lets in."""
        if self.knows(vote):
            return False
        self._ids.add(vote.id)
        hour = self.hours.setdefault(vote.minute // 60, Hour())
        self.changed.add((vote.minute // 60, len(hour.votes) // PART))
        hour.votes.append(vote)
        hour.minutes.setdefault(vote.minute, [0, 0])
        family = self._families.setdefault(vote.original, [])
        insort(family, vote, key=_order)
        if len(family) == 1:
            self._count(vote, 1)
        else:
            self._share_one_vote(family, vote)
        self._advance(vote)
        return True

    def recall_vote(self, vote: Vote, counted: bool) -> None:
        """Take a saved vote back in as it counted then: the member of its family that muted it may be forgotten."""
        self._ids.add(vote.id)
        hour = self.hours.setdefault(vote.minute // 60, Hour())
        hour.votes.append(vote)
        hour.minutes.setdefault(vote.minute, [0, 0])
        insort(self._families.setdefault(vote.original, []), vote, key=_order)
        if counted:
            self._count(vote, 1)
        else:
            self._muted.add(vote.id)
        self._advance(vote)

    def knows(self, vote: Vote) -> bool:
        """Whether the document of `vote` is already here."""
        return vote.id in self._ids

    def counted(self, vote: Vote) -> bool:
        """Whether `vote`, one of those that are kept, has a vote of its own."""
        return vote.id not in self._muted

    def _advance(self, vote: Vote) -> None:
        if self.head is None or vote.minute > self.head:
            before, self.head = self.head, vote.minute
            if before is not None and before // 60 != vote.minute // 60:
                self._forget()

    def _share_one_vote(self, family: list[Vote], vote: Vote) -> None:
        place = family.index(vote)
        if place and vote.minute - family[place - 1].minute < self.span.window:
            self._muted.add(vote.id)
        else:
            self._count(vote, 1)
        if place + 1 < len(family):
            later = family[place + 1]
            if later.minute - vote.minute < self.span.window and later.id not in self._muted:
                self._muted.add(later.id)
                self._count(later, -1)
                number = later.minute // 60
                self.changed.add((number, self.hours[number].votes.index(later) // PART))

    def _count(self, vote: Vote, sign: int) -> None:
        hour = self.hours[vote.minute // 60]
        bucket = hour.minutes[vote.minute]
        negative = sign if vote.negative else 0
        bucket[0] += sign
        bucket[1] += negative
        hour.documents += sign
        hour.negative += negative
        self.documents += sign
        self.negative += negative

    def _forget(self) -> None:
        assert self.head is not None
        now = self.head // 60 * 60  # the hour, not the minute: the state must not depend on which vote opened the hour
        oldest_votes = (now - self.span.kept_votes) // 60
        oldest_counts = (now - self.span.kept_counts) // 60
        for number in [number for number in self.hours if number < oldest_votes]:
            hour = self.hours[number]
            if hour.votes:
                self.dropped.append((number, (len(hour.votes) - 1) // PART + 1))
                for vote in hour.votes:
                    self._forget_vote(vote)
                hour.votes, hour.minutes = [], {}
            if number < oldest_counts:
                self.documents -= hour.documents
                self.negative -= hour.negative
                del self.hours[number]

    def _forget_vote(self, vote: Vote) -> None:
        self._ids.discard(vote.id)
        self._muted.discard(vote.id)
        family = self._families[vote.original]
        family.remove(vote)
        if not family:
            del self._families[vote.original]

    def counts(self, start: int, end: int) -> Counts:
        """Votes in the minutes [start, end). Both ends are exact where single votes are kept, else aligned to the hour."""
        documents = negative = 0
        first, last = start // 60, (end - 1) // 60
        numbers = range(first, last + 1) if last - first < len(self.hours) else (n for n in self.hours if first <= n <= last)
        for number in numbers:
            hour = self.hours.get(number)
            if hour is None:
                continue
            if number * 60 >= start and number * 60 + 60 <= end:
                documents += hour.documents
                negative += hour.negative
            else:
                for minute, bucket in hour.minutes.items():
                    if start <= minute < end:
                        documents += bucket[0]
                        negative += bucket[1]
        return Counts(documents, negative)

    def window(self, end: int) -> Counts:
        """Votes of the window whose last minute is `end`."""
        return self.counts(end - self.span.window + 1, end + 1)

    def before(self, end: int) -> Counts:
        """Votes of the baseline of that window."""
        return self.counts(self.baseline_start(end), end - self.span.window + 1)

    def baseline_start(self, end: int) -> int:
        """First minute of the baseline of the window that ends with minute `end`: the hour in which it would begin."""
        return (end - self.span.window + 1 - self.span.baseline) // 60 * 60

    def votes(self, end: int) -> Iterator[tuple[Vote, bool]]:
        """Documents of the window whose last minute is `end`, and whether each has a vote of its own."""
        start = end - self.span.window + 1
        for number in range(start // 60, end // 60 + 1):
            hour = self.hours.get(number)
            for vote in hour.votes if hour else ():
                if start <= vote.minute <= end:
                    yield vote, self.counted(vote)

    def parts(self) -> list[tuple[int, int]]:
        """(hour, number of parts) of all votes that are kept one by one."""
        return [(number, (len(hour.votes) - 1) // PART + 1) for number, hour in self.hours.items() if hour.votes]

    def compacted(self) -> list[tuple[int, int, int]]:
        """(hour, documents, negative) of the hours of which only the counts are kept, ascending."""
        return sorted((number, hour.documents, hour.negative) for number, hour in self.hours.items() if not hour.votes)

    def recall(self, compacted: list[tuple[int, int, int]]) -> None:
        """Begin from saved counts, oldest first; the saved votes are added afterwards."""
        for number, documents, negative in compacted:
            self.head = number * 60 + 59
            self.hours[number] = Hour(documents, negative)
            self.documents += documents
            self.negative += negative

    def ends(self, minute: int) -> list[int]:
        """Minutes with documents, ascending, at which a window that holds `minute` ends."""
        last = minute + self.span.window - 1
        if self.head is None or minute >= self.head:
            return [minute]
        numbers = range(minute // 60, min(last, self.head) // 60 + 1)
        found = (self.hours[number].minutes for number in numbers if number in self.hours)
        return sorted(m for minutes in found for m in minutes if minute <= m <= last)
