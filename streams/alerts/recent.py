"""Unweighted sums of the newest hops of a key: to see at once that a window is nothing special.

Most documents change nothing. This is what finds it out in a few microseconds, without numpy and without weighing votes.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from operator import attrgetter

__all__ = ["Recent"]

_WINDOWS = 3


class _Hop:
    __slots__ = ("authors", "copies", "documents", "negative", "number", "score", "scored", "sources")

    def __init__(self, number: int) -> None:
        self.number = number
        self.documents = self.scored = self.negative = self.score = self.copies = 0
        self.authors: tuple[int, ...] = ()
        self.sources: tuple[int, ...] = ()

    def count(self, scored: int, negative: int, score: int) -> None:
        self.documents += 1
        self.scored += scored
        self.negative += negative
        self.score += score


_number = attrgetter("number")


class Recent:
    """The hops of the last three windows: what weighs nothing in a window does so because of documents that are at most
    one window older than it, and late documents touch older windows.

    Args:
        size: hops of a window.
        cap: documents of one author that count within a window; 0: all.
        source_cap: the same for one source.
    """

    __slots__ = ("_cap", "_edge", "_hops", "_size", "_source_cap", "_window")

    def __init__(self, size: int, cap: int, source_cap: int = 0) -> None:
        self._size = size
        self._cap = cap
        self._source_cap = source_cap
        self._hops: list[_Hop] = []
        self._edge = 0
        self._window = _Hop(0)

    def add(self, hop: int, scored: int, negative: int, score: int, copy: bool, author: int, source: int = 0) -> None:
        """Count a document in hop number `hop`; one that is too old is left out. `author` 0: unknown."""
        hops = self._hops
        if not hops or hop > hops[-1].number:
            found = _Hop(hop)
            hops.append(found)
            self._move_on(hop)
        elif hop == hops[-1].number:
            found = hops[-1]
        elif hop <= hops[-1].number - _WINDOWS * self._size:
            return
        else:
            known = next((item for item in hops if item.number == hop), None)
            if known is None:
                known = _Hop(hop)
                insort(hops, known, key=_number)
                self._edge += hop <= hops[-1].number - self._size
            found = known
        found.count(scored, negative, score)
        if hop > hops[-1].number - self._size:
            self._window.count(scored, negative, score)
        found.copies += copy
        if author:
            found.authors += (author,)
        if self._source_cap and source:
            found.sources += (source,)

    def _move_on(self, newest: int) -> None:
        hops, window = self._hops, self._window
        while hops[self._edge].number <= newest - self._size:
            left = hops[self._edge]
            window.documents -= left.documents
            window.scored -= left.scored
            window.negative -= left.negative
            window.score -= left.score
            self._edge += 1
        while hops[0].number <= newest - _WINDOWS * self._size:
            del hops[0]
            self._edge -= 1

    def covers(self, hop: int) -> bool:
        """Whether all that decides about the windows from `hop` on is here."""
        return bool(self._hops) and hop > self._hops[-1].number - self._size

    def hops(self, first: int) -> list[int]:
        """Hops with documents from `first` on."""
        hops = self._hops
        return [hops[-1].number] if hops[-1].number == first else [hop.number for hop in hops if hop.number >= first]

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
        """At most so many documents of that window weigh less than one: near-copies, and what is beyond a cap."""
        copies = 0
        authors: list[int] = []
        sources: list[int] = []
        first = last - 2 * self._size
        for hop in self._hops:
            if first < hop.number <= last:
                copies += hop.copies
                authors += hop.authors
                sources += hop.sources
        return copies + _beyond(authors, self._cap) + _beyond(sources, self._source_cap)


def _beyond(whose: list[int], cap: int) -> int:
    if not cap or len(whose) <= cap or len(set(whose)) == len(whose):
        return 0
    return sum(count - cap for count in Counter(whose).values() if count > cap)
