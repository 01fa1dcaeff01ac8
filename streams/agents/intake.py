"""What the agents share: the topic as raw bytes, and the delivery of an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import faust

from streams.documents import Origin
from streams.stages.contract import Delivery

__all__ = ["ORIGIN_HEADER", "acknowledge", "delivery_of", "raw_topic"]

ORIGIN_HEADER = "bellwether-origin"
"""Header by which the journal names its own deliveries, and by which a scored document keeps that name."""

_LARGEST_OFFSET = 2**63 - 1


def raw_topic(app: faust.App, name: str) -> Any:
    """The topic `name` with keys and values as bytes: reading them is the stages' business."""
    return app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw", internal=False)


def delivery_of(event: Any, *, named: bool) -> Delivery:
    """The delivery that `event` carries.

    Args:
        event: of a stream of :func:`raw_topic`.
        named: whether an origin in its headers is believed. Else, and where that is none, it is the record's own place.
    """
    message = event.message
    origin = _named(event.headers.get(ORIGIN_HEADER)) if named else None
    own = Origin(topic=message.topic, partition=message.partition, offset=message.offset)
    return Delivery(value=message.value or b"", origin=str(origin or own))


def _named(header: bytes | None) -> Origin | None:
    """The origin in a header; None for what somebody else may have put there."""
    if header is None:
        return None
    try:
        origin = Origin.parse(header.decode())
    except ValueError:
        return None
    return origin if origin.offset <= _LARGEST_OFFSET else None


def acknowledge(events: Sequence[Any]) -> None:
    """Let the offsets of `events` be committed."""
    for event in events:
        event.ack()
