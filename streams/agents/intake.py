"""What the agents share: the topic as raw bytes, and the delivery of an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import faust

from streams.documents import Origin
from streams.stages.contract import Delivery

__all__ = ["ORIGIN_HEADER", "acknowledge", "delivery_of", "raw_topic"]

ORIGIN_HEADER = "bellwether-origin"
"""Header by which the journal names its own deliveries."""


def raw_topic(app: faust.App, name: str) -> Any:
    """The topic `name` with keys and values as bytes: reading them is the stages' business."""
    return app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw", internal=False)


def delivery_of(event: Any) -> Delivery:
    """The delivery that `event` carries. Its origin is the journal's where the journal sent it, else the record's own place."""
    named = event.headers.get(ORIGIN_HEADER)
    message = event.message
    origin = named.decode() if named else str(Origin(topic=message.topic, partition=message.partition, offset=message.offset))
    return Delivery(value=message.value or b"", origin=origin)


def acknowledge(events: Sequence[Any]) -> None:
    """Let the offsets of `events` be committed."""
    for event in events:
        event.ack()
