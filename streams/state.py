"""Where the watch agent's state survives: one small contract, kept by the journal (embedded) or a compacted topic (Kafka)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

__all__ = ["MemoryStateStore", "SharedStateStore", "StateStore"]


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


class SharedStateStore:
    """A store for several owners, who each read all of it and write entries of their own. It is read once.

    Args:
        store: where everything is kept; it belongs to whoever made it, who also closes it.
        owners: how many call `load`; what was read is forgotten after the last one.
    """

    def __init__(self, store: StateStore, owners: int) -> None:
        self._store = store
        self._owners = owners
        self._read: dict[str, bytes] | None = None
        self._reading = asyncio.Lock()

    async def load(self) -> dict[str, bytes]:
        """Everything that was saved before the first owner asked. Raises TransientError."""
        async with self._reading:
            found = self._read if self._read is not None else await self._store.load()
            self._owners -= 1
            self._read = found if self._owners > 0 else None
            return found

    async def save(self, changes: Mapping[str, bytes | None]) -> None:
        """As `StateStore.save`."""
        await self._store.save(changes)

    async def close(self) -> None:
        """Nothing: the store is not ours."""
