"""What the stages take and give: deliveries in, records out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Delivery", "Producer", "Record"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One record taken from a topic: its value, and the origin by which its outcome is known."""

    value: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class Record:
    """One record to be produced."""

    topic: str
    value: bytes
    key: bytes | None = None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


class Producer(Protocol):
    """Produces records and waits until the broker has them."""

    async def send(self, records: Sequence[Record]) -> None:
        """Send all of `records`; they are acknowledged by the broker when this returns.

        Raises:
            TransientError: at least one was not acknowledged; all of them may be sent again.
            PermanentError: reason ``broker.too_large``: the broker will never take one of them.
        """
