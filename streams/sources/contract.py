"""The contract between what brings documents in (sources), what takes them (intakes), and what remembers the place (cursors).

A source never loses a document: it hands over a batch, the intake makes it durable, only then the source moves its cursor.
Whoever is killed in between repeats the last batch; deterministic document ids make the repetition harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Batch", "CursorStore", "Intake", "Source"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Raw messages in the order in which they are to be put, and the place after them for the source's own use."""

    messages: tuple[bytes, ...]
    place: object = None


class Intake(Protocol):
    """Where raw messages become durable."""

    async def put(self, messages: Sequence[bytes]) -> None:
        """Take messages; they are durable when this returns. Waits while too much is pending.

        Raises:
            TransientError: not all of them are taken; the same call may succeed later (and may repeat some of them).
        """

    async def close(self) -> None:
        """Let go of connections and files."""


class CursorStore(Protocol):
    """Remembers places by name. Values are short texts (JSON); a save is durable when it returns. Called from any thread."""

    def load(self, name: str) -> str | None:
        """The last saved value; None: nothing was saved."""

    def save(self, name: str, value: str) -> None:
        """Replace the value."""


class Source(Protocol):
    """Where raw messages come from."""

    @property
    def name(self) -> str:
        """For people: what is read."""

    async def setup(self) -> None:
        """Open what is to be read and find the place where the last run stopped. Called once.

        Raises:
            BellwetherError: it cannot be read at all.
        """

    async def poll(self) -> Batch | None:
        """The next batch; waits until there is one. None: the source has come to its end."""

    async def commit(self, batch: Batch) -> None:
        """The intake has this batch: remember the place after it. Called in the order of the polls."""

    async def close(self) -> None:
        """Let go of connections and files."""
