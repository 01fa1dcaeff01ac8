"""Unweighted sums of the newest hops of a key: to see at once that a window is nothing special.

Most documents change nothing. This is what finds it out in a few microseconds, without numpy and without weighing votes.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from operator import attrgetter

__all__ = ["Recent"]

_WINDOWS = 3
_FIELDS = 3


class _Hop:
    """Sums of one hop; `marks` holds family, author and source of each of its documents, one after the other."""

    __slots__ = ("documents", "marks", "negative", "number", "score", "scored")

    def __init__(self, number: int) -> None:
        self.number = number
        self.documents = self.scored = self.negative = self.score = 0
        self.marks: list[int] = []


_number = attrgetter("number")


class Recent:
    """The hops of the last three windows: what weighs nothing in a window does so because of documents that are at most
    one window older than it, and late documents touch older windows.

    Of the newest window the sums are kept, and of the newest two how often each family, author and source stands there.

    Args:
        size: hops of a window.
        cap: documents of one author that count within a window; 0: all.
        source_cap: the same for one source.
    """

    __slots__ = (
        "_authors", "_cap", "_crowded", "_edge", "_families", "_faults", "_hops", "_size", "_source_cap", "_sources", "_spare", "_verge",
        "_window",
    )  # fmt: skip

    def __init__(self, size: int, cap: int, source_cap: int = 0) -> None:
        self._size = size
        self._cap = cap
        self._source_cap = source_cap
        self._hops: list[_Hop] = []
        self._edge = self._verge = 0
        self._window = _Hop(0)
        self._families: dict[int, int] = {}
        self._authors: dict[int, int] | None = None
        self._sources: dict[int, int] | None = None
        self._spare = 0
        self._crowded = -(1 << 40)
        self._faults = 1 + (cap > 0) + (source_cap > 0)

    def add(self, hop: int, scored: int, negative: int, score: int, family: int, author: int, source: int = 0) -> None:
        """Count a document in hop number `hop`; one that is too old is left out.

        Args:
            family: the same number for a document and its near-copies.
            author, source: 0: unknown.
        """
        hops = self._hops
        if not hops or hop > (newest := hops[-1].number):
            newest = hop
            found = _Hop(hop)
            hops.append(found)
            self._move_on(hop)
        elif hop == newest:
            found = hops[-1]
        elif hop <= newest - _WINDOWS * self._size:
            return
        else:
            known = next((item for item in hops if item.number == hop), None)
            if known is None:
                known = _Hop(hop)
                insort(hops, known, key=_number)
                self._edge += hop <= newest - self._size
                self._verge += hop <= newest - 2 * self._size
            found = known
        found.documents += 1
        found.scored += scored
        found.negative += negative
        found.score += score
        found.marks += (family, author, source)
        age = newest - hop
        if age < self._size:
            window = self._window
            window.documents += 1
            window.scored += scored
            window.negative += negative
            window.score += score
        if age < 2 * self._size:
            families = self._families
            before = families.get(family, 0)
            families[family] = before + 1
            if before:
                self._spare += 1
            if author and self._cap:
                if self._authors is None:
                    self._authors = {}
                before = self._authors.get(author, 0)
                self._authors[author] = before + 1
                if before >= self._cap:
                    self._spare += 1
            if source and self._source_cap:
                if self._sources is None:
                    self._sources = {}
                before = self._sources.get(source, 0)
                self._sources[source] = before + 1
                if before >= self._source_cap:
                    self._spare += 1

    def _move_on(self, newest: int) -> None:
        hops, window = self._hops, self._window
        while hops[self._edge].number <= newest - self._size:
            left = hops[self._edge]
            window.documents -= left.documents
            window.scored -= left.scored
            window.negative -= left.negative
            window.score -= left.score
            self._edge += 1
        while hops[self._verge].number <= newest - 2 * self._size:
            self._leave(hops[self._verge].marks)
            self._verge += 1
        while hops[0].number <= newest - _WINDOWS * self._size:
            del hops[0]
            self._edge -= 1
            self._verge -= 1

    def _leave(self, marks: list[int]) -> None:
        """Documents with these marks are no longer in the newest two windows."""
        self._spare -= _take_out(self._families, marks[::_FIELDS], 1)
        if self._authors is not None:
            self._spare -= _take_out(self._authors, filter(None, marks[1::_FIELDS]), self._cap)
        if self._sources is not None:
            self._spare -= _take_out(self._sources, filter(None, marks[2::_FIELDS]), self._source_cap)

    @property
    def newest(self) -> int:
        """The newest hop with a document; there must be one."""
        return self._hops[-1].number

    def crowd(self, hop: int) -> None:
        """Not all of the documents counted up to `hop` are votes: their hour was too full."""
        self._crowded = max(self._crowded, hop)

    def covers(self, hop: int) -> bool:
        """Whether all that decides about the windows from `hop` on is here, and nothing else."""
        return bool(self._hops) and hop > self._hops[-1].number - self._size and hop >= self._crowded + 2 * self._size

    def hops(self, first: int) -> list[int]:
        """Hops with documents from `first` on."""
        hops = self._hops
        return [hops[-1].number] if hops[-1].number == first else [hop.number for hop in hops if hop.number >= first]

    def each(self, first: int, last: int) -> list[tuple[int, tuple[int, int, int, int]]]:
        """Hops with documents in [first, last], ascending, with the same sums of each."""
        found: list[tuple[int, tuple[int, int, int, int]]] = []
        for hop in reversed(self._hops):
            if hop.number < first:
                break
            if hop.number <= last:
                found.append((hop.number, (hop.documents, hop.scored, hop.negative, hop.score)))
        return found[::-1]

    def sums(self, last: int) -> tuple[int, int, int, int]:
        """Documents, scored, negative, and the sum of scores of the window that ends with hop `last`."""
        if last == self._hops[-1].number:
            window = self._window
            return window.documents, window.scored, window.negative, window.score
        documents = scored = negative = score = 0
        first = last - self._size
        for hop in reversed(self._hops):
            if hop.number <= first:
                break
            if hop.number <= last:
                documents += hop.documents
                scored += hop.scored
                negative += hop.negative
                score += hop.score
        return documents, scored, negative, score

    def doubtful(self, last: int) -> int:
        """At most so many documents of that window weigh less than one: near-copies, and what is beyond a cap.

        Of a family in the window and the one before it, one document at least is no near-copy of an earlier one there. What the
        newest two windows hold is counted; a document that only an older window sees may be a near-copy and beyond every cap.
        """
        spare, hops, place = self._spare, self._hops, self._verge - 1
        first = last - 2 * self._size
        while place >= 0 and hops[place].number > first:
            spare += self._faults * hops[place].documents
            place -= 1
        return spare


def _take_out(counts: dict[int, int], gone: Iterable[int], cap: int) -> int:
    """Count `gone` out of `counts`; how many of them were beyond `cap`."""
    beyond = 0
    for one in gone:
        count = counts[one]
        if count > cap:
            beyond += 1
        if count == 1:
            del counts[one]
        else:
            counts[one] = count - 1
    return beyond
