"""Messages that are larger than a topic takes: dead-lettered at the source, because no agent will ever see them.

The same rule for both intakes: the letter carries the first bytes of the original and how long it was.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from streams.documents import DeadLetter, Origin

__all__ = ["ENVELOPE_BYTES", "REASON", "letter", "too_large"]

ENVELOPE_BYTES = 4096
"""Room in a record beside the value: batch header, key, and the headers of a dead letter."""

REASON = "source.too_large"


def too_large(message: bytes, max_message_bytes: int) -> bool:
    """Whether a topic that takes records of `max_message_bytes` refuses this message."""
    return len(message) > max(1, max_message_bytes - ENVELOPE_BYTES)


def letter(message: bytes, max_message_bytes: int, *, failed_at: datetime | None = None) -> DeadLetter:
    """The dead letter of a message that is too large: cut to what the topic takes.

    Args:
        message: the whole original.
        max_message_bytes: largest record that the dead-letter topic takes.
        failed_at: instant (with zone); None: now.

    Returns:
        A letter of stage ``source`` whose origin is the same for the same bytes, so that repetitions can be told.
    """
    kept = message[: max(1, max_message_bytes - ENVELOPE_BYTES)]
    digest = int.from_bytes(hashlib.sha256(message).digest()[:6], "big")
    return DeadLetter(
        reason=REASON,
        detail=f"{len(message)} bytes; the topic takes {max_message_bytes} with everything around them",
        stage="source",
        origin=str(Origin(topic="source", partition=0, offset=digest)),
        failed_at=failed_at or datetime.now(UTC),
        original=kept,
        truncated_from=len(message),
    )
