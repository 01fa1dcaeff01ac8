"""The wire models: what travels on the topics and rests in the index. The only schema of the service.

A document is identified by what it is, not by when it came: :func:`document_id` gives the same id to the same document
wherever and however often it is delivered. An *origin* names one delivery (a record of the raw topic, or a row of the
journal); two deliveries of one document share the id and differ in the origin.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    computed_field,
    field_validator,
    model_validator,
)

from streams.errors import PermanentError

__all__ = [
    "EARLIEST",
    "MAX_BYTES",
    "Alert",
    "AlertStatus",
    "Baseline",
    "DeadLetter",
    "Decision",
    "DecisionOutcome",
    "EntityMention",
    "Evidence",
    "Key",
    "Language",
    "Observation",
    "Origin",
    "Outcome",
    "RawDocument",
    "ScoredDocument",
    "Sentiment",
    "SentimentLabel",
    "Timings",
    "Topic",
    "Unscored",
    "document_id",
    "parse_raw",
    "read_scored",
]

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Nothing on our topics was published before this; an earlier date is a parsing fault at the sender."""

MAX_BYTES = 1_048_576
"""Largest raw message that is read, in bytes; a larger one is dead-lettered whole."""

FUTURE_TOLERANCE = timedelta(days=1)
"""How far ahead of our clock a publication date may lie (senders with a wrong zone)."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class _Lenient(_Wire):
    """Input from outside: fields that we do not know are ignored, not refused."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)


def _clean_string(value: object) -> object:
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise ValueError("lone surrogate: not text in any encoding")
        if "\x00" in value:
            raise ValueError("NUL character")
    return value


def _only_text(value: object) -> object:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool) and _is_number(value):
        # Seconds or milliseconds? pydantic would guess, from a string as well.
        raise ValueError("a number is not a time; send ISO 8601 with a zone")
    return value


def _is_number(value: float | str) -> bool:
    try:
        float(value)
    except OverflowError:
        return True
    except ValueError:
        return False
    return True


def _replace_surrogates(value: object) -> object:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_clean_string)]
Short = Annotated[str, BeforeValidator(_clean_string), Field(max_length=512)]
Instant = Annotated[AwareDatetime, BeforeValidator(_only_text)]


def document_id(source: str, *, source_id: str | None, url: str | None, parts: tuple[str, ...]) -> str:
    """Deterministic id of a document: 32 hexadecimal digits (128 bits of SHA-256).

    A sender's own id is believed within its source. Without one the content counts as well as the address, so that a
    story that was rewritten under the same address is a new document and not a lost one.

    Args:
        source: name of the source; ids of different sources never meet.
        source_id: the sender's own id, if it gave one.
        url: address of the document, if it has one.
        parts: what else tells it from others (title, text, author, time), in a fixed order.
    """
    fields = ("id", source, source_id) if source_id is not None else ("content", source, url or "", *parts)
    digest = hashlib.sha256()
    for field in fields:
        data = field.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:32]


class RawDocument(_Lenient):
    """A document as a source hands it in, before anything is known about it.

    `id` is the sender's own id, unique within `source`, or absent. Times carry a zone.
    """

    id: Short | None = None
    source: Annotated[Short, Field(min_length=1)]
    url: Annotated[str, BeforeValidator(_clean_string), Field(max_length=4096)] | None = None
    title: Annotated[Text, Field(max_length=4096)] = ""
    text: Text = ""
    author: Short | None = None
    published_at: Instant
    fetched_at: Instant | None = None
    language_hint: Annotated[Short, Field(max_length=35)] | None = None
    tags: Annotated[tuple[Annotated[Short, Field(min_length=1, max_length=128)], ...], Field(max_length=64)] = ()

    @field_validator("id", "url", "author", "language_hint")
    @classmethod
    def _empty_is_absent(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("title", "text", mode="before")
    @classmethod
    def _null_is_empty(cls, value: object) -> object:
        return "" if value is None else value

    @field_validator("tags", mode="before")
    @classmethod
    def _no_tags(cls, value: object) -> object:
        return () if value is None else value

    @field_validator("published_at", "fetched_at")
    @classmethod
    def _sensible(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        if value < EARLIEST:
            raise ValueError(f"before {EARLIEST:%Y-%m-%d}")
        if value > datetime.now(UTC) + FUTURE_TOLERANCE:
            raise ValueError("in the future")
        return value.astimezone(UTC)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.title and not self.text:
            raise ValueError("no text: title and text are both empty")
        return self

    @property
    def document_id(self) -> str:
        """The deterministic id under which the document is scored and indexed."""
        return document_id(
            self.source,
            source_id=self.id,
            url=self.url,
            parts=(self.title, self.text, self.author or "", "" if self.url else self.published_at.isoformat()),
        )


_REASONS = {
    "missing": "missing",
    "timezone_aware": "date.naive",
    "datetime_parsing": "date.unreadable",
    "datetime_from_date_parsing": "date.unreadable",
    "datetime_type": "type",
    "string_type": "type",
    "string_unicode": "encoding.surrogate",
    "tuple_type": "type",
    "model_type": "json.not_an_object",
    "string_too_long": "length",
    "too_long": "length",
    "string_too_short": "missing",
    "too_short": "missing",
    "json_invalid": "json.invalid",
}

_VALUE_REASONS = (
    ("lone surrogate", "encoding.surrogate"),
    ("NUL character", "text.nul"),
    ("no text", "text.empty"),
    ("before ", "date.absurd"),
    ("in the future", "date.absurd"),
    ("a number is not a time", "type"),
)


def _reason(error: ValidationError) -> tuple[str, str]:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "document"
    message = first["msg"]
    kind = _REASONS.get(first["type"], "schema")
    if first["type"] == "value_error":
        kind = next((reason for text, reason in _VALUE_REASONS if text in message), "schema")
    return f"document.{kind}", f"{place}: {message}"


def parse_raw(message: bytes | None) -> RawDocument:
    """Read one raw message.

    Args:
        message: the value of a record: UTF-8 JSON, one object.

    Raises:
        PermanentError: it cannot be read; `reason` is one of ``document.empty``, ``document.too_large``,
            ``document.encoding.utf8``, ``document.encoding.surrogate``, ``document.json.invalid``,
            ``document.json.not_an_object``, ``document.missing``, ``document.type``, ``document.length``,
            ``document.text.empty``, ``document.text.nul``, ``document.date.naive``,
            ``document.date.unreadable``, ``document.date.absurd``, ``document.schema``.
    """
    if not message:
        raise PermanentError("the message is empty", reason="document.empty")
    if len(message) > MAX_BYTES:
        raise PermanentError(f"{len(message)} bytes; at most {MAX_BYTES} are read", reason="document.too_large")
    try:
        text = message.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PermanentError(f"not UTF-8: {error.reason} at byte {error.start}", reason="document.encoding.utf8") from error
    try:
        # RFC 8259, 8.1: a byte order mark may be ignored.
        return RawDocument.model_validate_json(message.removeprefix(codecs.BOM_UTF8))
    except ValidationError as error:
        reason, detail = _reason(error)
        if reason == "document.json.invalid" and _has_surrogate(text):
            reason, detail = "document.encoding.surrogate", "lone surrogate: not text in any encoding"
        raise PermanentError(detail, reason=reason) from error


def _has_surrogate(text: str) -> bool:
    """Whether `text` is JSON but for an escaped lone surrogate: pydantic's parser calls it bad syntax, the standard library's reads it."""
    try:
        return _SURROGATE.search(json.dumps(json.loads(text.removeprefix("\ufeff")), ensure_ascii=False)) is not None
    except (ValueError, RecursionError):
        return False


class Origin(_Wire):
    """One delivery of a document: where its raw record stands.

    ``journal`` origins are rows of the embedded journal, the others records of a Kafka topic.
    """

    topic: str
    partition: Annotated[int, Field(ge=0)] = 0
    offset: Annotated[int, Field(ge=0)]

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Read the form that ``str`` gives. Raises ValueError when it is not of that form."""
        topic, partition, offset = text.rsplit("-", 2)
        return cls(topic=topic, partition=int(partition), offset=int(offset))


class Outcome(StrEnum):
    """How the way of one delivery ended. Every delivery ends in exactly one of them."""

    INDEXED = "indexed"
    DUPLICATE = "duplicate"
    DEAD = "dead"
    FILTERED = "filtered"


class SentimentLabel(StrEnum):
    """The three classes of sentiment, in the order of the model's output."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class Sentiment(_Wire):
    """Calibrated probabilities of the three classes; `score` = positive - negative, in [-1, 1]."""

    negative: Probability
    neutral: Probability
    positive: Probability

    @computed_field  # type: ignore[prop-decorator]
    @property
    def label(self) -> SentimentLabel:
        """The most probable class."""
        # Written out: this is asked several times for every document, and iterating an enumeration is slow.
        if self.negative >= self.neutral and self.negative >= self.positive:
            return SentimentLabel.NEGATIVE
        return SentimentLabel.NEUTRAL if self.neutral >= self.positive else SentimentLabel.POSITIVE

    @computed_field  # type: ignore[prop-decorator]
    @property
    def score(self) -> float:
        """positive - negative, in [-1, 1]."""
        return max(-1.0, min(1.0, round(self.positive - self.negative, 6)))

    @model_validator(mode="before")
    @classmethod
    def _computed_on_the_wire(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: item for key, item in value.items() if key not in {"label", "score"}}
        return value


class Topic(_Wire):
    """Most probable topic (IPTC Media Topics, top level) and the probability of every topic."""

    label: str
    probabilities: dict[str, Probability]


class Language(_Wire):
    """ISO 639-1 code (639-3 where there is none), or ``und`` when the identifier is unsure."""

    code: str
    confidence: Probability


class EntityMention(_Wire):
    """A known entity that the text names: its id and name, and the words by which it was recognised."""

    id: str
    name: str
    matched: str


class Unscored(_Wire):
    """Why a document has no score: machine-readable reason (``language.unknown``, ``text.no_words``) and a detail to read."""

    reason: str
    detail: str = ""


class Timings(_Wire):
    """When the document passed the score agent (UTC), and the milliseconds that its batch spent there."""

    received_at: AwareDatetime
    scored_at: AwareDatetime
    enrich_ms: float = 0.0
    score_ms: float = 0.0


class ScoredDocument(_Wire):
    """A document with everything the service knows about it.

    `sentiment` and `topic` are absent exactly when `unscored` says why. `duplicate_of` is the id of the first document
    of which this one is a near-copy; its score is then the first one's.
    """

    id: str
    source: str
    source_id: str | None = None
    url: str | None = None
    title: str
    text: str
    author: str | None = None
    published_at: AwareDatetime
    fetched_at: AwareDatetime | None = None
    tags: tuple[str, ...] = ()
    language: Language
    sentiment: Sentiment | None = None
    topic: Topic | None = None
    unscored: Unscored | None = None
    duplicate_of: str | None = None
    entities: tuple[EntityMention, ...] = ()
    model_id: str
    timings: Timings
    origin: str

    @model_validator(mode="after")
    def _scored_or_explained(self) -> Self:
        if (self.sentiment is None) == (self.unscored is None):
            raise ValueError("a document has either a sentiment or a reason why it has none")
        return self


@lru_cache(maxsize=4096)
def read_scored(message: bytes) -> ScoredDocument:
    """Read one scored message. The index and the watch agent read the same ones: the second gets the first's result.

    Raises:
        pydantic.ValidationError: it is not a scored document.
    """
    return ScoredDocument.model_validate_json(message)


class DeadLetter(_Wire):
    """What stands on the dead-letter topic: the original bytes as the value, the rest as headers.

    `reason` is machine-readable and dotted; reasons that begin with ``filtered.`` are documents that the configuration
    asked to leave out.
    """

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    reason: str
    detail: Annotated[str, BeforeValidator(_replace_surrogates)]
    stage: Literal["source", "score", "index", "watch", "notify"]
    origin: str
    failed_at: AwareDatetime
    original: bytes
    truncated_from: int | None = None

    @property
    def outcome(self) -> Outcome:
        """FILTERED for reasons under ``filtered.``, else DEAD."""
        return Outcome.FILTERED if self.reason.startswith("filtered.") else Outcome.DEAD

    def headers(self) -> list[tuple[str, bytes]]:
        """Kafka headers, UTF-8."""
        headers = {
            "bellwether-reason": self.reason,
            "bellwether-detail": self.detail[:1000],
            "bellwether-stage": self.stage,
            "bellwether-origin": self.origin,
            "bellwether-failed-at": self.failed_at.isoformat(),
        }
        if self.truncated_from is not None:
            headers["bellwether-truncated-from"] = str(self.truncated_from)
        return [(name, value.encode("utf-8", "replace")) for name, value in headers.items()]

    @classmethod
    def from_record(cls, value: bytes | None, headers: list[tuple[str, bytes]]) -> DeadLetter:
        """Read a record of the dead-letter topic. Raises pydantic's ValidationError if the headers are not ours."""
        found = {name: data.decode("utf-8", "replace") for name, data in headers if data is not None}
        fields: dict[str, Any] = {
            "reason": found.get("bellwether-reason"),
            "detail": found.get("bellwether-detail"),
            "stage": found.get("bellwether-stage"),
            "origin": found.get("bellwether-origin"),
            "failed_at": found.get("bellwether-failed-at"),
            "original": value or b"",
            "truncated_from": found.get("bellwether-truncated-from"),
        }
        return cls.model_validate(fields)


class Key(_Wire):
    """What a rule watches: an entity or a tag."""

    kind: Literal["entity", "tag"]
    value: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class Observation(_Wire):
    """Counts over a window of event time [start, end), UTC: scored documents and how many of them are negative."""

    start: AwareDatetime
    end: AwareDatetime
    documents: Annotated[int, Field(ge=0)]
    negative: Annotated[int, Field(ge=0)]
    share: Probability


class Baseline(Observation):
    """The same counts over the time before the window; `expected_share` is the share that the detector compared with."""

    expected_share: Probability


class Evidence(_Wire):
    """A document that caused an alert."""

    id: str
    title: str
    url: str | None
    source: str
    language: str
    published_at: AwareDatetime
    score: float
    duplicate_of: str | None = None


class AlertStatus(StrEnum):
    """Alertmanager's two states."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Alert(_Wire):
    """Opinion about a key turned.

    `fingerprint` is stable for a rule and key (64 bits, hexadecimal); `id` is stable for one episode of it, so that a
    receiver can drop repeated deliveries.
    """

    id: str
    fingerprint: str
    rule: str
    status: AlertStatus
    severity: Literal["info", "warning", "critical"]
    key: Key
    starts_at: AwareDatetime
    observed: Observation
    baseline: Baseline
    p_value: Probability
    evidence: tuple[Evidence, ...]
    languages: dict[str, int]
    sources: dict[str, int]
    summary: str


class DecisionOutcome(StrEnum):
    """What a rule did with one evaluation."""

    FIRED = "fired"
    HELD = "held"
    TOO_FEW = "too_few_documents"
    NOT_UNUSUAL = "not_unusual"
    BELOW_SHARE = "below_share"
    COOLING_DOWN = "cooling_down"
    NO_BASELINE = "no_baseline"
    RESOLVED = "resolved"


class Decision(_Wire):
    """One evaluation near a threshold: the numbers, and what the rule did with them. Answers why it fired or did not."""

    id: str
    rule: str
    key: Key
    at: AwareDatetime
    outcome: DecisionOutcome
    observed: Observation
    baseline: Baseline | None
    p_value: Probability | None
    explanation: str
    alert_id: str | None = None
