"""Votes of a key, packed: 48 bytes a document, an hour of event time at a time.

What is needed to count is a row of numbers, so that a window is judged by numpy and fifty thousand keys fit into memory.
Texts (sources, languages, topics, entities) are hashes, looked up in `streams.alerts.names`. What people want to read, id,
headline and link, is kept apart and for `KEPT` documents of an hour only: the most negative ones.

An hour of one key holds at most `MAX_VOTES` documents. Beyond them those with the smallest hashes of their ids count, a
fair sample that does not depend on the order in which they came, and the rest is ignored.
"""

from __future__ import annotations

import struct
from bisect import insort
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.alerts.names import Names, digest
from streams.alerts.sighting import Sighting

__all__ = ["KEPT", "MAX_VOTES", "PART", "SIZE", "VOTE", "Flag", "Hour", "Kept", "Packed", "Votes", "pack", "unpack_kept"]

VOTE = np.dtype(
    [
        ("minute", "u1"),
        ("id", "<u8"),
        ("original", "<u8"),
        ("author", "<u4"),
        ("source", "<u8"),
        ("cast", "<u8"),
        ("language", "<u4"),
        ("topic", "<u4"),
        ("score", "<i2"),
        ("flags", "u1"),
    ]
)
"""`minute` of the hour; `cast` are the entities that are named; `score` in ten-thousandths; `flags` see `Flag`."""

Votes = NDArray[np.void]

KEPT = 20
"""Documents of an hour whose headline and link are kept."""

MAX_VOTES = 10_000
"""Documents of one key that count in one hour."""

PART = 256
"""Votes that are saved together: an hour with many is not written anew for each of them."""

_PACK = struct.Struct("<BQQIQQIIhB")
SIZE = _PACK.size
_ID = slice(1, 9)
_INDEXED = 64
_SLACK = MAX_VOTES // 8
_TITLE = 300
_LINK = 2000
_SEPARATOR = "\x1f"


class Flag:
    """Bits of `flags`. The last three stand in votes of which it is settled what they weigh; see `streams.alerts.tracker`."""

    SCORED = 1
    NEGATIVE = 2
    COPY = 4
    SETTLED = 8
    MUTED = 16
    CAPPED = 32


class Kept(NamedTuple):
    """A document that people can read. `rank` orders them: the score in ten-thousandths, then the id's hash."""

    rank: tuple[int, int]
    text: bytes


class Packed(NamedTuple):
    """A sighting, packed once for all keys that it counts for; `id`, `family`, `author` and `source` are hashes, as in the vote."""

    minute: int
    vote: bytes
    scored: int
    negative: int
    score: int
    copy: bool
    id: bytes
    family: int
    author: int
    source: int
    kept: Kept


def pack(sighting: Sighting, names: Names, *, show: bool = True) -> Packed:
    """`sighting` as a vote. Scores beyond [-1, 1] count as the nearest of them.

    Args:
        show: make it ready to be kept for people even where it is not negative.
    """
    minute = sighting.minute
    number = digest(sighting.id)
    copy = sighting.original != sighting.id
    score = max(-10_000, min(10_000, round(sighting.score * 10_000))) if sighting.scored else 0
    negative = sighting.scored and sighting.negative
    family = digest(sighting.original) if copy else number
    author, source = names.author(sighting.author), names.take(sighting.source)
    vote = _PACK.pack(
        minute % 60,
        number,
        family,
        author,
        source,
        names.take(_SEPARATOR.join(sighting.entities)),
        names.take(sighting.language) & 0xFFFFFFFF,
        names.take(sighting.topic) & 0xFFFFFFFF,
        score,
        sighting.scored * Flag.SCORED | negative * Flag.NEGATIVE | copy * Flag.COPY,
    )
    text = b""
    if negative or show:
        original = sighting.original if copy else ""
        title = (sighting.title or sighting.text)[:_TITLE]
        text = _SEPARATOR.join((sighting.id, title, sighting.url[:_LINK], original)).encode(errors="replace")
    kept = Kept((score, number), text)
    return Packed(minute, vote, int(sighting.scored), int(negative), score, copy, vote[_ID], family, author, source, kept)


def unpack_kept(text: bytes) -> tuple[str, str, str, str]:
    """Id, headline, link and the original's id of a document."""
    # The headline is the only one that may hold the separator itself.
    first, rest = text.decode().split(_SEPARATOR, 1)
    title, link, original = rest.rsplit(_SEPARATOR, 2)
    return first, title, link, original or first


class Hour:
    """An hour of votes of one key, in the order in which they came.

    Attributes:
        votes: rows of `VOTE`.
        kept: the documents that people can read, ascending by rank.
        weights, capped: what each row weighs, and which of them weigh nothing because of a cap; None until asked for.
        sums: documents, scored, negative, score of each hop; shape (hops of an hour, 4); None until asked for.
        total: their sum.
        copies: whether there is a near-copy.
    """

    __slots__ = ("_index", "_limit", "capped", "copies", "kept", "sums", "total", "votes", "weights")

    def __init__(self) -> None:
        self.votes = bytearray()
        self.kept: list[Kept] | None = None
        self.weights: NDArray[np.float64] | None = None
        self.capped: NDArray[np.bool_] | None = None
        self.sums: NDArray[np.float64] | None = None
        self.total: NDArray[np.float64] | None = None
        self.copies = False
        self._index: set[bytes] | None = None
        self._limit: int | None = None

    def __len__(self) -> int:
        return len(self.votes) // SIZE

    def knows(self, number: bytes) -> bool:
        """Whether the document with this hash of its id is here."""
        if self._index is not None:
            return number in self._index
        place = self.votes.find(number)
        while place >= 0:
            if place % SIZE == _ID.start:
                return True
            place = self.votes.find(number, place + 1)
        return False

    def full_for(self, number: bytes) -> bool:
        """Whether the hour has `MAX_VOTES` votes that come before this one in the sample."""
        return self._limit is not None and int.from_bytes(number, "little") > self._limit

    def add(self, vote: bytes) -> bool:
        """Take a vote that is not here yet. True where the hour was too full and rows have moved."""
        self.votes += vote
        if vote[SIZE - 1] & Flag.COPY:
            self.copies = True
        if self._index is not None:
            self._index.add(vote[_ID])
        elif len(self.votes) > _INDEXED * SIZE:
            self._reindex()
        self.weights = self.sums = None
        if len(self.votes) >= (MAX_VOTES + _SLACK) * SIZE:
            self._thin_out()
            return True
        return False

    def keep(self, kept: Kept) -> bool:
        """Take a document to show; False where there are enough more negative ones."""
        if self.kept is None:
            self.kept = [kept]
            return True
        if len(self.kept) >= KEPT and kept.rank > self.kept[-1].rank:
            return False
        insort(self.kept, kept)
        del self.kept[KEPT:]
        return True

    def packed(self) -> bytes:
        """The votes that count: all, or the sample."""
        packed = bytes(self.votes)
        if len(packed) <= MAX_VOTES * SIZE:
            return packed
        rows: Votes = np.frombuffer(packed, dtype=VOTE)
        return rows[np.sort(np.argsort(rows["id"], kind="stable")[:MAX_VOTES])].tobytes()

    def rows(self) -> Votes:
        """The same as rows. A copy; safe to hold."""
        return np.frombuffer(self.packed(), dtype=VOTE)

    def plain(self) -> Iterator[tuple[int, int, int, int, int, int]]:
        """(minute of the hour, flags, score, family, author, source) of each vote, without numpy: faster for a few."""
        for row in _PACK.iter_unpack(self.votes):
            yield row[0], row[9], row[8], row[2], row[3], row[4]

    def settle(self, flags: NDArray[np.uint8]) -> None:
        """Write down for good what the votes weigh: bits to be added to the flags of each row of `rows`."""
        rows = self.rows().copy()
        rows["flags"] |= flags | np.uint8(Flag.SETTLED)
        self.votes = bytearray(rows.tobytes())

    @property
    def parts(self) -> int:
        """Parts in which the votes are saved."""
        return (len(self) + PART - 1) // PART

    def part(self, number: int) -> bytes:
        """Votes of one part."""
        return bytes(self.votes[number * PART * SIZE : (number + 1) * PART * SIZE])

    def _thin_out(self) -> None:
        rows = self.rows()
        self._limit = int(rows["id"].max())
        self.votes = bytearray(rows.tobytes())
        self._reindex()

    def _reindex(self) -> None:
        self._index = {bytes(self.votes[start + _ID.start : start + _ID.stop]) for start in range(0, len(self.votes), SIZE)}
