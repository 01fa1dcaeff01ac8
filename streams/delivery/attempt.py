"""What is kept of an attempt to deliver: for the log, the metrics and `bellwether alerts resend --failed`."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from streams.documents.wire import Wire

__all__ = ["FAILED", "Attempt", "Result"]


class Result(StrEnum):
    """How an attempt ended."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REFUSED = "refused"
    FORBIDDEN = "forbidden"
    GONE = "gone"
    GIVEN_UP = "given_up"
    DISABLED = "disabled"
    OVERFLOW = "overflow"
    UNKNOWN_CHANNEL = "unknown_channel"


FAILED = frozenset(Result) - {Result.DELIVERED, Result.RETRY}
"""After these a message is not tried again by itself."""


class Attempt(Wire):
    """One attempt of one message at one channel, or why there was none.

    `at` is the wall clock, UTC; `attempt` counts from 1 (0: there was none); `seconds` is how long it took; `next_at` is when
    the next one is planned. `target` is the channel's address without its secrets.
    """

    at: AwareDatetime
    message: str
    channel: str
    target: str
    alert: str
    fingerprint: str
    rule: str
    status: str
    severity: str
    result: Result
    attempt: Annotated[int, Field(ge=0)]
    seconds: Annotated[float, Field(ge=0)]
    detail: str = ""
    next_at: AwareDatetime | None = None

    @property
    def id(self) -> str:
        """Of its document: 128 bits, hexadecimal."""
        place = f"{self.message}|{self.channel}|{self.attempt}|{self.result}|{self.at.isoformat()}"
        return hashlib.sha256(place.encode()).hexdigest()[:32]
