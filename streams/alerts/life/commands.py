"""What people tell the desk: silence, unsilence, acknowledge. JSON on the control topic, one object a message."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from streams.documents.wire import Instant, Short, Wire
from streams.errors import PermanentError

__all__ = ["Acknowledge", "Command", "Silence", "SilenceMatcher", "Unsilence", "minute_of", "read_command"]

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Glob = Annotated[Short, Field(min_length=1)]


class SilenceMatcher(Wire):
    """Which alerts: all four must match. ``*``, ``?`` and ``[…]`` are shell patterns; case does not matter.

    `kind` and `value` are those of the alert's key (``entity`` and ``deutsche-bank``).
    """

    rule: Glob = "*"
    kind: Glob = "*"
    value: Glob = "*"
    severity: Glob = "*"


class Silence(Wire):
    """Alerts that one of `matchers` matches are not sent in [starts_at, ends_at). The times are event time, as everything is.

    A second silence of the same id replaces the first.
    """

    command: Literal["silence"] = "silence"
    id: Identifier
    matchers: Annotated[tuple[SilenceMatcher, ...], Field(min_length=1, max_length=64)]
    starts_at: Instant
    ends_at: Instant
    author: Short = ""
    comment: Short = ""

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise ValueError("ends_at: must be later than starts_at")
        return self


class Unsilence(Wire):
    """The silence `id` ends now."""

    command: Literal["unsilence"] = "unsilence"
    id: Identifier
    author: Short = ""


class Acknowledge(Wire):
    """Somebody looks after an alert until `until` (event time): no escalation, no repeated notice; its end is still told.

    `target` is an alert's id (one episode, or a digest) or a fingerprint (a rule and key, whatever comes).
    """

    command: Literal["acknowledge"] = "acknowledge"
    target: Annotated[str, Field(pattern=r"^[0-9a-f]{16}([0-9a-f]{16})?$")]
    until: Instant
    author: Short = ""
    comment: Short = ""


Command: TypeAlias = Silence | Unsilence | Acknowledge

_READER: TypeAdapter[Command] = TypeAdapter(Annotated[Silence | Unsilence | Acknowledge, Field(discriminator="command")])


def read_command(value: bytes) -> Command:
    """The command in a message of the control topic.

    Raises:
        PermanentError: reason ``control.unreadable``: it is none.
    """
    try:
        return _READER.validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PermanentError(
            f"control: {place + ': ' if place else ''}{first['msg']}",
            reason="control.unreadable",
            mend="`bellwether alerts silence --help` shows what can be said",
        ) from error


def minute_of(instant: datetime) -> int:
    """Minutes since 1970-01-01 UTC, rounded down."""
    return int(instant.astimezone(UTC).timestamp() // 60)
