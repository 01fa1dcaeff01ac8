"""The bundled sample newswire: three invented days of news and social text, for the demo and the tests.

The texts, the companies and the outlets are invented for this project; the README beside this file tells the story.
Messages come in the order of sending: a near-copy has a date of its own, an exact duplicate is the same bytes sent once
more some minutes later, so its date lies a little behind that of the line before it.
"""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

__all__ = [
    "ENTITIES",
    "NEWSWIRE",
    "TRUTH",
    "UNREADABLE",
    "NewswireCounts",
    "SampleEntity",
    "Truth",
    "Unreadable",
    "counts",
    "documents",
    "entities",
    "entities_path",
    "span",
    "truths",
    "unreadable",
]

_HERE = Path(__file__).resolve().parent

NEWSWIRE: Path = _HERE / "newswire.jsonl"
"""The readable items, UTF-8 JSON, one raw document a line, in the order of sending."""

ENTITIES: Path = _HERE / "entities.jsonl"
"""The invented companies and clubs, with their names in the scripts that matter."""

UNREADABLE: Path = _HERE / "unreadable.jsonl"
"""Messages that cannot be read, base64 in JSON, and the line of the newswire after which each is sent."""

TRUTH: Path = _HERE / "truth.jsonl"
"""What the author meant each item to say, keyed by url. For tests; the service never reads it."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Truth(_Record):
    """What the author of an item meant.

    `language` is ISO 639-1, or ``und`` where the text is in no language; `crisis` marks the negative items, near-copies
    included, of the story that the demo's alert is about.
    """

    url: str
    language: str
    sentiment: Literal["negative", "neutral", "positive"]
    entities: tuple[str, ...]
    near_copy_of: str | None
    crisis: bool


class Unreadable(_Record):
    """A message that cannot be read.

    `after` is the number (from 1) of the newswire's line after which it is sent, 0 for before the first; `why` is for
    people, `reason` is the reason that :func:`streams.documents.parse_raw` gives.
    """

    after: int = Field(ge=0)
    bytes_base64: str
    why: str
    reason: str

    @property
    def message(self) -> bytes:
        """The bytes as they are sent. Raises ValueError (binascii.Error) when the base64 is damaged."""
        return base64.b64decode(self.bytes_base64, validate=True)


class SampleEntity(_Record):
    """An invented company or club; `aliases` maps an ISO 639-1 code to names and inflected forms in that language."""

    id: str
    name: str
    kind: Literal["bank", "company", "club"]
    tickers: tuple[str, ...]
    aliases: Mapping[str, tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """The name and every alias, without the tickers; each form once."""
        return tuple(dict.fromkeys([self.name, *(alias for forms in self.aliases.values() for alias in forms)]))


@dataclass(frozen=True, slots=True)
class NewswireCounts:
    """What the newswire holds, counted from its files.

    `messages` are all messages sent = `items` (different documents, near-copies among them) + `exact_duplicates` +
    `unreadable`. `languages` counts items by the language that the author wrote them in (``und``: none).
    """

    messages: int
    items: int
    unreadable: int
    exact_duplicates: int
    near_copies: int
    languages: Mapping[str, int]


def _lines() -> list[bytes]:
    return NEWSWIRE.read_bytes().splitlines()


def documents() -> Iterator[bytes]:
    """Every message in the order of sending, the unreadable ones at their place. UTF-8 JSON without a line end, else any bytes."""
    broken: defaultdict[int, list[bytes]] = defaultdict(list)
    for message in unreadable():
        broken[message.after].append(message.message)
    yield from broken[0]
    for number, line in enumerate(_lines(), start=1):
        yield line
        yield from broken[number]


def entities_path() -> Path:
    """The companies and clubs of the newswire, as the service's entity list."""
    return ENTITIES


def entities() -> tuple[SampleEntity, ...]:
    """The companies and clubs of the newswire, read."""
    return tuple(SampleEntity.model_validate_json(line) for line in ENTITIES.read_bytes().splitlines())


def truths() -> dict[str, Truth]:
    """The ground truth by url."""
    found = (Truth.model_validate_json(line) for line in TRUTH.read_bytes().splitlines())
    return {truth.url: truth for truth in found}


def unreadable() -> tuple[Unreadable, ...]:
    """The messages that cannot be read, in the order of the file."""
    return tuple(Unreadable.model_validate_json(line) for line in UNREADABLE.read_bytes().splitlines())


def span() -> tuple[datetime, datetime]:
    """Dates of the earliest and the latest readable item, zone-aware: what a replay shifts to now."""
    instants = TypeAdapter(AwareDatetime)
    dates = [instants.validate_python(json.loads(line)["published_at"]) for line in _lines()]
    return min(dates), max(dates)


def counts() -> NewswireCounts:
    """Count the newswire, from its files."""
    lines = _lines()
    sent = Counter(lines)
    known = truths()
    written = [known[json.loads(line)["url"]] for line in sent]
    broken = len(unreadable())
    return NewswireCounts(
        messages=len(lines) + broken,
        items=len(sent),
        unreadable=broken,
        exact_duplicates=len(lines) - len(sent),
        near_copies=sum(truth.near_copy_of is not None for truth in written),
        languages=dict(Counter(truth.language for truth in written).most_common()),
    )
