"""What the stream ordinarily talks of: document frequencies of words over the last days, in bounded memory.

Headlines are counted by day; older days weigh less (a half-life of days) and keep only their frequent words. Of a day with many
headlines a part is counted, drawn by the headline's checksum, with the weight of those that were not drawn: the same headlines
give the same counts wherever they are counted.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from streams.alerts.evidence.words import words
from streams.errors import BellwetherError

__all__ = ["KEPT_DAYS", "PREFIX", "Background", "Past"]

PREFIX = "words|"
KEPT_DAYS = 14
HALF_LIFE_DAYS = 4.0
_SAMPLE = 1024
"""Headlines of a day that are all counted; from then on the share of those that are counted halves with every doubling."""
_LIVE_WORDS = 50_000
_KEPT_WORDS = 4_000
_CHUNK = 128
"""Headlines that are saved together: a day is not written anew for each of them."""


class _Count(msgspec.Struct):
    """Saved counts: headlines seen and drawn; by language the drawn ones and their words; by language and word its headlines."""

    seen: int = 0
    drawn: int = 0
    documents: dict[str, int] = {}
    totals: dict[str, int] = {}
    words: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Past:
    """Decayed counts of one language, or of all: headlines, words of all of them, and headlines that hold each word asked for."""

    documents: float
    total: float
    words: Mapping[str, float]


@dataclass(slots=True)
class _Day:
    day: int
    seen: int = 0
    documents: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)

    def take(self, count: _Count) -> None:
        self.seen += count.seen
        self.documents.update(count.documents)
        self.totals.update(count.totals)
        self.words.update(count.words)


class Background:
    """Words of the stream's headlines. Deterministic: no wall clock; the order of arrival matters only at midnight.

    Every headline is to be added once; a late one counts for the newest day.
    """

    def __init__(self) -> None:
        self._days: dict[int, _Day] = {}
        self._newest: int | None = None
        self._chunk = _Count()
        self._chunks = 0
        self._dirty = False
        self._pending: dict[str, bytes | None] = {}

    def add(self, title: str, minute: int, language: str = "und") -> None:
        """Count the headline of a document.

        Args:
            title: as it was published; the begin of the text where there is none.
            minute: event time, minutes since 1970-01-01 UTC.
            language: ISO 639 code; words are compared within their language.
        """
        day = minute // 1440
        if self._newest is None or day > self._newest:
            self._begin(day)
        assert self._newest is not None
        today, chunk = self._days[self._newest], self._chunk
        level = (today.seen // _SAMPLE).bit_length()
        today.seen += 1
        chunk.seen += 1
        self._dirty = True
        if level and zlib.crc32(title.encode(errors="replace")) & ((1 << level) - 1):
            return
        found = words(title)
        if not found:
            return
        weight = 1 << level
        chunk.drawn += 1
        for counts, amount in ((chunk.documents, weight), (chunk.totals, weight * len(found))):
            counts[language] = counts.get(language, 0) + amount
        today.documents[language] += weight
        today.totals[language] += weight * len(found)
        known, new = today.words, chunk.words
        for word in found:
            name = f"{language}|{word}"
            if name in known or len(known) < _LIVE_WORDS:
                known[name] += weight
                new[name] = new.get(name, 0) + weight
        if chunk.drawn >= _CHUNK:
            self._seal()

    def past(self, asked: Iterable[str], language: str | None = None) -> Past:
        """How often the words that are `asked` stood in headlines of the last days, the newest day with full weight.

        Args:
            language: count only its headlines; None: those of all languages.
        """
        documents = total = 0.0
        counts = dict.fromkeys(asked, 0.0)
        for place, day in sorted(self._days.items()):
            weight = 0.5 ** (((self._newest or place) - place) / HALF_LIFE_DAYS)
            languages = day.documents.keys() if language is None else [language]
            documents += weight * sum(day.documents.get(one, 0) for one in languages)
            total += weight * sum(day.totals.get(one, 0) for one in languages)
            for one in languages:
                for word in counts:
                    counts[word] += weight * day.words.get(f"{one}|{word}", 0)
        return Past(documents, total, counts)

    def changes(self) -> dict[str, bytes | None]:
        """Entries to save since the last call, named ``words|…``; None deletes."""
        changes, self._pending = self._pending, {}
        if self._dirty and self._newest is not None:
            changes[_chunk_name(self._newest, self._chunks)] = msgspec.json.encode(self._chunk)
            self._dirty = False
        return changes

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Take up what `changes` gave; other entries are left alone.

        Raises:
            BellwetherError: an entry cannot be read.
        """
        whole: dict[int, _Count] = {}
        parts: dict[int, dict[int, _Count]] = {}
        for name, value in saved.items():
            if not name.startswith(PREFIX):
                continue
            try:
                day, _, chunk = name.removeprefix(PREFIX).partition("|")
                count = msgspec.json.decode(value, type=_Count)
                if chunk:
                    parts.setdefault(int(day), {})[int(chunk)] = count
                else:
                    whole[int(day)] = count
            except (msgspec.DecodeError, ValueError) as error:
                raise BellwetherError(f"watch state: {name} does not hold words", mend="delete the saved state to begin anew") from error
        self._restore(whole, parts)

    def _restore(self, whole: Mapping[int, _Count], parts: Mapping[int, Mapping[int, _Count]]) -> None:
        for day in sorted({*whole, *parts}):
            self._days[day] = restored = _Day(day)
            for count in [whole[day]] if day in whole else [parts[day][chunk] for chunk in sorted(parts[day])]:
                restored.take(count)
            # A kill between two writes may leave the parts of a day that was put together.
            if day in whole:
                self._pending.update(dict.fromkeys(_chunk_name(day, chunk) for chunk in parts.get(day, {})))
        self._newest = max(self._days, default=None)
        if self._newest is not None and self._newest not in whole:
            self._chunks = max(parts[self._newest])
            self._chunk = parts[self._newest][self._chunks]
            if self._chunk.drawn >= _CHUNK:
                self._chunks, self._chunk = self._chunks + 1, _Count()

    def _begin(self, day: int) -> None:
        if self._newest is not None:
            self._close(self._days[self._newest])
        for old in [old for old in self._days if old <= day - KEPT_DAYS]:
            del self._days[old]
            self._pending[_day_name(old)] = None
        self._newest = day
        self._days[day] = _Day(day)

    def _close(self, day: _Day) -> None:
        """A day is over: only its frequent words are kept, in one entry."""
        kept = sorted(day.words.items(), key=lambda item: (-item[1], item[0]))[:_KEPT_WORDS]
        day.words = Counter(dict(kept))
        count = _Count(seen=day.seen, documents=dict(day.documents), totals=dict(day.totals), words=dict(kept))
        self._pending[_day_name(day.day)] = msgspec.json.encode(count)
        self._pending.update(dict.fromkeys(_chunk_name(day.day, chunk) for chunk in range(self._chunks + 1)))
        self._chunk, self._chunks, self._dirty = _Count(), 0, False

    def _seal(self) -> None:
        assert self._newest is not None
        self._pending[_chunk_name(self._newest, self._chunks)] = msgspec.json.encode(self._chunk)
        self._chunk, self._chunks, self._dirty = _Count(), self._chunks + 1, False


def _day_name(day: int) -> str:
    return f"{PREFIX}{day}"


def _chunk_name(day: int, chunk: int) -> str:
    return f"{PREFIX}{day}|{chunk}"
