"""The journal behind the contracts of the service: ledger, state store, intake. SQLite runs in threads, never in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from streams.documents import DeadLetter, Origin, Outcome
from streams.errors import StackError

if TYPE_CHECKING:
    from streams.embedded.journal import Journal

__all__ = ["JOURNAL_TOPIC", "JournalIntake", "JournalLedger", "JournalStateStore", "journal_origin", "journal_row"]

JOURNAL_TOPIC: Final = "journal"
"""The topic that origins of journal rows name: ``journal-0-<row>``."""

_HELD_BACK_SECONDS: Final = 0.1


_LARGEST_ROW: Final = 2**63 - 1
"""SQLite's largest integer: a larger number names no row of ours, whoever wrote it."""


def journal_origin(seq: int) -> str:
    """The origin of a row of the journal."""
    return str(Origin(topic=JOURNAL_TOPIC, offset=seq))


def journal_row(origin: str) -> int | None:
    """The row that `origin` names; None where it names something else."""
    try:
        parsed = Origin.parse(origin)
    except ValueError:
        return None
    ours = parsed.topic == JOURNAL_TOPIC and parsed.partition == 0 and parsed.offset <= _LARGEST_ROW
    return parsed.offset if ours else None


class JournalLedger:
    """Writes outcomes into the journal. Origins that are not rows of it are ignored."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def moment(self) -> int:
        """How often the search server has been found dead so far. Raises TransientError when the file cannot be read now."""
        return await asyncio.to_thread(self._journal.losses)

    async def finish(self, outcomes: Mapping[str, Outcome], since: int) -> None:
        """Note these outcomes. Raises TransientError when the file cannot be written now, or the search server died since."""
        rows = {row: outcome for origin, outcome in outcomes.items() if (row := journal_row(origin)) is not None}
        if rows:
            await asyncio.to_thread(self._journal.finish, rows, since=since)

    async def bury(self, letters: Iterable[DeadLetter]) -> None:
        """Keep these letters. Raises TransientError when the file cannot be written now."""
        kept = list(letters)
        if kept:
            await asyncio.to_thread(self._journal.bury, kept)

    async def watched(self, origins: Iterable[str]) -> None:
        """Note that these were watched. Raises TransientError when the file cannot be written now."""
        rows = [row for origin in origins if (row := journal_row(origin)) is not None]
        if rows:
            await asyncio.to_thread(self._journal.watched, rows)

    async def close(self) -> None:
        """Close the journal."""
        await asyncio.to_thread(self._journal.close)


class JournalStateStore:
    """Keeps the watch agent's state in the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def load(self) -> dict[str, bytes]:
        """Everything that was saved."""
        return await asyncio.to_thread(self._journal.load_state)

    async def save(self, changes: Mapping[str, bytes | None]) -> None:
        """Write `changes`; on the disk when this returns. Raises TransientError when the file cannot be written now."""
        if changes:
            await asyncio.to_thread(self._journal.save_state, changes)

    async def close(self) -> None:
        """Close the journal."""
        await asyncio.to_thread(self._journal.close)


class JournalIntake:
    """Takes documents from sources into the journal, and holds the sources back while too many are pending.

    Args:
        journal: the journal; it stays open when the intake is closed.
        max_pending: documents that may wait before `put` does.
    """

    def __init__(self, journal: Journal, max_pending: int) -> None:
        self._journal = journal
        self._max_pending = max_pending
        self._closed = False

    async def put(self, messages: Sequence[bytes]) -> None:
        """Take `messages`; on the disk when this returns. Waits while more than `max_pending` documents have not ended.

        Raises:
            TransientError: the file cannot be written now; nothing was taken.
            StackError: the intake is closed; nothing was taken.
        """
        if not messages:
            return
        while not self._closed and await asyncio.to_thread(self._journal.backlog) >= self._max_pending:  # noqa: ASYNC110 - another process ends documents
            await asyncio.sleep(_HELD_BACK_SECONDS)
        if self._closed:
            raise StackError("the stack is stopping: it takes no more documents")
        await asyncio.to_thread(self._journal.append, messages)

    async def close(self) -> None:
        """Take no more documents; who is held back in `put` gets a StackError."""
        self._closed = True
