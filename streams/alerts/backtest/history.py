"""History from files: scored documents as JSON lines, plain or gzip, or counts as CSV.

JSON lines are read as the service writes them (the scored topic, an export of the document index), and in the looser form
in which labelled sets come: ``sentiment`` may be the object with probabilities, a label or a score, ``label`` and
``sentiment_true`` stand in for it, ``entities`` may be ids, ``target`` and ``ticker`` are one, ``ts``, ``timestamp``,
``created_at`` and ``date`` stand in for ``published_at``.

A CSV has the columns ``timestamp`` and ``value`` (documents), and where known ``negative`` and ``key``: every row becomes that many
documents of the entity `key`.

A line that cannot be read is never dropped silently: it is counted with its number and the reason.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from io import BufferedReader
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from streams.alerts.sighting import Sighting
from streams.errors import BellwetherError

__all__ = ["Fault", "History", "read_history"]

_MAX_COUNT = 1_000_000
_LABELS = {"negative": -1.0, "neutral": 0.0, "positive": 1.0, "non_negative": 0.5, "bearish": -1.0, "bullish": 1.0, "neg": -1.0, "pos": 1.0}


class _Sentiment(msgspec.Struct):
    negative: float = 0.0
    neutral: float = 0.0
    positive: float = 0.0


class _Entity(msgspec.Struct):
    id: str
    name: str = ""


class _Language(msgspec.Struct):
    code: str


class _Topic(msgspec.Struct):
    label: str


class _Timings(msgspec.Struct):
    received_at: str = ""


class _Line(msgspec.Struct):
    id: str | int | None = None
    source: str | None = None
    outlet: str | None = None
    channel: str | None = None
    author: str | None = None
    published_at: str | None = None
    ts: str | None = None
    timestamp: str | None = None
    created_at: str | None = None
    date: str | None = None
    title: str | None = None
    text: str | None = None
    url: str | None = None
    tags: list[str] | None = None
    language: _Language | str | None = None
    lang: str | None = None
    lang_true: str | None = None
    sentiment: _Sentiment | str | float | None = None
    label: str | float | None = None
    sentiment_true: str | float | None = None
    topic: _Topic | str | None = None
    entities: list[_Entity | str] | None = None
    target: str | None = None
    ticker: str | None = None
    duplicate_of: str | None = None
    timings: _Timings | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that could not be read: its number from 1, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class History:
    """Sightings of a file, ascending in event time.

    Attributes:
        sightings: ordered by (minute, id); the order of the file decides nothing.
        faults: lines that could not be read.
        unscored: how many have no sentiment.
    """

    sightings: list[Sighting]
    faults: list[Fault] = field(default_factory=list)
    unscored: int = 0

    @property
    def days(self) -> float:
        """Days of event time from the first to the last sighting."""
        return (self.sightings[-1].minute - self.sightings[0].minute + 1) / 1440 if self.sightings else 0.0


def read_history(path: Path, *, zone: ZoneInfo | None = None) -> History:
    """Read the history in `path`.

    Args:
        path: ``.jsonl``, ``.jsonl.gz``, ``.csv`` or ``.csv.gz``.
        zone: zone of the times that carry none; None: such lines are faults.

    Raises:
        BellwetherError: the file cannot be read, or holds no readable line.
    """
    faults: list[Fault] = []
    try:
        with _open(path) as file:
            rows = _counts(file, zone, faults) if ".csv" in path.suffixes else _documents(file, zone, faults)
            found = list(rows)
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise BellwetherError(f"{path}: cannot be read: {error}", mend="name a file of JSON lines or a CSV, plain or .gz") from error
    if not found:
        first = f"; line {faults[0].line}: {faults[0].reason}" if faults else ""
        raise BellwetherError(
            f"{path}: holds no readable line{first}",
            mend='{"id": "1", "published_at": "2026-03-02T10:00:00Z", "label": "negative", "target": "ACME"}',
        )
    found.sort(key=lambda item: (item.minute, item.id))
    return History(found, faults, sum(not item.scored for item in found))


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _documents(file: Iterable[bytes], zone: ZoneInfo | None, faults: list[Fault]) -> Iterator[Sighting]:
    decode = msgspec.json.Decoder(_Line).decode
    for number, raw in enumerate(file, start=1):
        if not raw.strip():
            continue
        try:
            yield _sighting(decode(raw), raw, zone)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError) as error:
            faults.append(Fault(number, str(error)))


def _sighting(line: _Line, raw: bytes, zone: ZoneInfo | None) -> Sighting:
    minute = _minute(line.published_at or line.ts or line.timestamp or line.created_at or line.date, zone)
    name = str(line.id) if line.id is not None else blake2b(raw, digest_size=16).hexdigest()
    scored, negative, score = _feeling(line)
    entities, names = _entities(line)
    tags = tuple(line.tags) if line.tags else ()
    language = line.language.code if isinstance(line.language, _Language) else line.language
    received = line.timings.received_at if line.timings is not None else ""
    return Sighting(
        id=name,
        original=line.duplicate_of or name,
        minute=minute,
        received=_minute(received, zone) if received else minute,
        scored=scored,
        negative=negative,
        score=score,
        source=line.outlet or line.channel or line.source or "",
        author=line.author or "",
        language=language or line.lang or line.lang_true or "und",
        topic=line.topic.label if isinstance(line.topic, _Topic) else line.topic or "",
        entities=entities,
        names=names,
        tags=tuple([tag.casefold() for tag in tags]) if tags else (),
        tag_names=tags,
        title=line.title or "",
        text=line.text or "",
        url=line.url or "",
    )


def _minute(text: str | None, zone: ZoneInfo | None) -> int:
    if not text:
        raise ValueError("no published_at")
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        if zone is None:
            raise ValueError(f"published_at {text!r} has no zone; say which it is: --zone UTC")
        at = at.replace(tzinfo=zone)
    return int(at.timestamp() // 60)


def _feeling(line: _Line) -> tuple[bool, bool, float]:
    """Whether it is scored, whether negative, and the score."""
    given: Any = line.sentiment
    if isinstance(given, _Sentiment):
        negative = given.negative >= given.neutral and given.negative >= given.positive
        return True, negative, max(-1.0, min(1.0, round(given.positive - given.negative, 6)))
    if given is None:
        given = line.label if line.label is not None else line.sentiment_true
    if given is None:
        return False, False, 0.0
    score = _LABELS.get(given.casefold()) if isinstance(given, str) else float(given)
    if score is None:
        raise ValueError(f"sentiment {given!r} is none of {', '.join(_LABELS)}")
    if not -1.0 <= score <= 1.0:
        raise ValueError(f"sentiment {score:g} is not within -1 and 1")
    return True, score <= -1 / 3, score


def _entities(line: _Line) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if line.entities:
        found = [(item.id, item.name or item.id) if isinstance(item, _Entity) else (item, item) for item in line.entities]
        return tuple([one for one, _ in found]), tuple([name for _, name in found])
    one = line.target or line.ticker
    return ((one,), (one,)) if one else ((), ())


def _counts(file: Iterable[bytes], zone: ZoneInfo | None, faults: list[Fault]) -> Iterator[Sighting]:
    reader = csv.DictReader(line.decode("utf-8-sig" if number == 0 else "utf-8") for number, line in enumerate(file))
    if not {"timestamp", "value"} <= set(reader.fieldnames or ()):
        raise BellwetherError("the CSV has no columns timestamp and value", mend="timestamp,value,negative,key")
    for number, row in enumerate(reader, start=2):
        try:
            yield from _row(row, number, zone)
        except (ValueError, TypeError, OverflowError) as error:
            faults.append(Fault(number, str(error)))


def _row(row: dict[str, Any], number: int, zone: ZoneInfo | None) -> Iterator[Sighting]:
    minute, count, key = _minute(row["timestamp"], zone), int(float(row["value"])), row.get("key") or "series"
    given = row.get("negative")
    negative = int(float(given)) if given else 0
    if not 0 <= negative <= count <= _MAX_COUNT:
        raise ValueError(
            f"{count} documents, {negative} negative: both must be counts up to {_MAX_COUNT:,}, the second no more than the first"
        )
    for place in range(count):
        name = f"{key}/{number}/{place}"
        bad = place < negative
        yield Sighting(name, name, minute, minute, bool(given), bad, -1.0 if bad else 0.0, "counts", entities=(key,), names=(key,))
