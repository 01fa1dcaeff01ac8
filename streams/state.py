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
    """A store for two owners, each with entries of its own. It is read once.

    Args:
        store: where everything is kept; it belongs to whoever made it, who also closes it.
        prefix: begin of the names of one owner's entries.

    Attributes:
        part: entries whose names begin with `prefix`.
        rest: all others.
    """

    def __init__(self, store: StateStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix
        self._read: dict[str, bytes] | None = None
        self._reading = asyncio.Lock()
        self.part: StateStore = _View(self, of_part=True)
        self.rest: StateStore = _View(self, of_part=False)

    async def load(self, *, of_part: bool) -> dict[str, bytes]:
        """One owner's entries. What the other has not asked for yet is kept until it does. Raises TransientError."""
        async with self._reading:
            found = await self._store.load() if self._read is None else self._read
            mine = {name: value for name, value in found.items() if name.startswith(self._prefix) is of_part}
            self._read = None if self._read is not None else {name: value for name, value in found.items() if name not in mine}
            return mine

    async def save(self, changes: Mapping[str, bytes | None]) -> None:
        """Write `changes`. Raises TransientError."""
        await self._store.save(changes)


class _View:
    """One owner's side of a shared store."""

    def __init__(self, shared: SharedStateStore, *, of_part: bool) -> None:
        self._shared = shared
        self._of_part = of_part

    async def load(self) -> dict[str, bytes]:
        """This owner's entries. Called once, before the first save."""
        return await self._shared.load(of_part=self._of_part)

    async def save(self, changes: Mapping[str, bytes | None]) -> None:
        """Write `changes`; None deletes."""
        await self._shared.save(changes)

    async def close(self) -> None:
        """Nothing: the store is not ours."""
