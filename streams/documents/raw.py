"""A document as a source hands it in, its identity, and how a raw message is read."""

from __future__ import annotations

import codecs
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from streams.documents.wire import SURROGATE, Instant, Lenient, Short, Text
from streams.errors import PermanentError

__all__ = ["EARLIEST", "FUTURE_TOLERANCE", "MAX_BYTES", "RawDocument", "document_id", "parse_raw"]

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Nothing on our topics was published before this; an earlier date is a parsing fault at the sender."""

MAX_BYTES = 1_048_576
"""Largest raw message that is read, in bytes; a larger one is dead-lettered whole."""

FUTURE_TOLERANCE = timedelta(days=1)
"""How far ahead of our clock a publication date may lie (senders with a wrong zone)."""


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


class RawDocument(Lenient):
    """A document as a source hands it in, before anything is known about it.

    `id` is the sender's own id, unique within `source`, or absent. Times carry a zone.
    """

    id: Short | None = None
    source: Annotated[Short, Field(min_length=1)]
    url: Annotated[Text, Field(max_length=4096)] | None = None
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
        """No tags, and blank ones, are no reason to refuse a document."""
        if isinstance(value, (list, tuple)):
            return [tag for tag in value if not isinstance(tag, str) or tag.strip()]
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
        return SURROGATE.search(json.dumps(json.loads(text.removeprefix("\ufeff")), ensure_ascii=False)) is not None
    except (ValueError, RecursionError):
        return False
