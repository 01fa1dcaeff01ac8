"""Where the watch agent's state survives: one small contract, kept by the journal (embedded) or a compacted topic (Kafka)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

__all__ = ["MemoryStateStore", "StateStore"]


class StateStore(Protocol):
    """A durable map of keys to bytes. One writer."""

    async def load(self) -> dict[str, bytes]:
        """Everything that was saved, the newest value of each key. Called once, before the first save."""

    async def save(self, changes: Mapping[str, bytes | None]) -> None:
        """Write `changes`; None deletes. They are durable when this returns.

        Raises:
            TransientError: not written; the same call may succeed later.
        """

    async def close(self) -> None:
        """Let go of connections and files."""


class MemoryStateStore:
    """Keeps state as long as the process lives: for backtests and measurements."""

    def __init__(self) -> None:
        self._state: dict[str, bytes] = {}

    async def load(self) -> dict[str, bytes]:
        """A copy of everything saved."""
        return dict(self._state)

    async def save(self, changes: Mapping[str, bytes | None]) -> None:
        """Apply `changes`."""
        for key, value in changes.items():
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value

    async def close(self) -> None:
        """Nothing to let go of."""
