"""The journal as intake, ledger and store of state."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streams.documents import Outcome
from streams.embedded.adapters import JournalIntake, JournalLedger, JournalStateStore, journal_origin
from streams.embedded.journal import Journal
from streams.errors import StackError


async def test_the_intake_holds_sources_back_until_there_is_room(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    intake = JournalIntake(journal, max_pending=10)
    await intake.put([b"x"] * 12)
    held = asyncio.create_task(intake.put([b"y"]))
    await asyncio.sleep(0.3)
    assert not held.done()
    ledger = JournalLedger(journal)
    origins = [journal_origin(seq) for seq, _ in journal.pending(0, 5)]
    await ledger.watched(origins)
    await ledger.finish(dict.fromkeys(origins, Outcome.INDEXED) | {"documents.raw-0-1": Outcome.INDEXED}, await ledger.moment())
    await asyncio.wait_for(held, 60)
    assert journal.counts().produced == 13


async def test_a_closed_intake_lets_go_of_who_waits(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    intake = JournalIntake(journal, max_pending=1)
    await intake.put([b"x"])
    held = asyncio.create_task(intake.put([b"y"]))
    await asyncio.sleep(0.2)
    await intake.close()
    with pytest.raises(StackError, match="takes no more documents"):
        await asyncio.wait_for(held, 60)
    assert journal.counts().produced == 1


async def test_the_state_store_keeps_what_it_was_given(tmp_path: Path) -> None:
    store = JournalStateStore(Journal(tmp_path / "journal.db"))
    await store.save({"a": b"1", "b": b"2"})
    await store.save({"a": None})
    await store.close()
    again = JournalStateStore(Journal(tmp_path / "journal.db"))
    assert await again.load() == {"b": b"2"}
    await again.close()
