"""The feeder against a real broker: whatever interrupts it, every open row reaches the topic."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaTimeoutError

from streams.documents import Outcome
from streams.embedded.broker import broker_spec
from streams.embedded.feeder import ORIGIN_HEADER, Feeder
from streams.embedded.journal import Journal, journal_row
from streams.embedded.ports import free_ports
from streams.embedded.process import Child
from streams.errors import StackError, TransientError
from streams.settings import Settings, load_settings
from streams.topics import ensure_topics


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Settings]:
    """A broker with the topics; the settings that lead to it."""
    (port,) = free_ports(1)
    child = Child("broker", lambda: broker_spec(port, tmp_path / "logs"))
    await child.start()
    found = load_settings(kafka={"bootstrap_servers": f"127.0.0.1:{port}"}, topics={"partitions": 1})
    await asyncio.to_thread(ensure_topics, found)
    yield found
    await child.stop(seconds=0.0)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db")


@pytest_asyncio.fixture
async def feeder(journal: Journal, broker: Settings) -> AsyncIterator[Feeder]:
    failures: list[BaseException] = []
    made = Feeder(journal, broker, on_failure=failures.append)
    yield made
    await made.stop()
    assert failures == []


async def rows_on_the_topic(settings: Settings, enough: Callable[[list[int]], bool]) -> list[int]:
    """Rows of the journal on the raw topic, in their order, as soon as there are enough of them."""
    consumer = AIOKafkaConsumer(settings.topics.raw, bootstrap_servers=settings.kafka.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    found: list[int] = []
    try:
        async with asyncio.timeout(60):
            while not enough(found):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        row = journal_row(dict(record.headers)[ORIGIN_HEADER].decode())
                        assert row is not None
                        found.append(row)
    finally:
        await consumer.stop()
    return found


async def test_rows_come_in_order_and_each_once(journal: Journal, broker: Settings, feeder: Feeder) -> None:
    rows = journal.append([b"%d" % number for number in range(1200)])
    feeder.start()
    assert await rows_on_the_topic(broker, lambda found: len(found) >= 1200) == rows
    assert feeder.in_flight() == 1200


async def test_rows_that_are_taken_back_ahead_of_the_cursor_are_fed_and_skip_nothing(
    journal: Journal, broker: Settings, feeder: Feeder
) -> None:
    """Broker and search server died together: the feeder begins anew while the journal takes outcomes back."""
    rows = journal.append([b"x"] * 600)
    journal.finish(dict.fromkeys(rows[:300], Outcome.INDEXED))
    journal.watched(rows[:300])
    feeder.feed_again(journal.reopen()[200:250])  # the cursor stands at the begin
    feeder.start()
    found = await rows_on_the_topic(broker, lambda found: set(found) == set(rows))
    assert found[:50] == rows[200:250]


@pytest.mark.parametrize("method", ["messages", "pending"])
async def test_a_journal_that_is_locked_for_a_while_costs_no_row(
    method: str, journal: Journal, broker: Settings, feeder: Feeder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = journal.append([b"x"] * 40)
    ask = getattr(journal, method)
    faults = [TransientError("locked"), TransientError("locked")]

    def busy(*arguments: Any) -> Any:
        if faults:
            raise faults.pop()
        return ask(*arguments)

    monkeypatch.setattr(journal, method, busy)
    feeder.feed_again(rows[:10])
    feeder.start()
    found = await rows_on_the_topic(broker, lambda found: set(found) == set(rows))
    assert found[:10] == rows[:10]


async def test_an_acknowledgement_that_is_lost_costs_no_row(
    journal: Journal, broker: Settings, feeder: Feeder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = journal.append([b"x"] * 30)
    send = feeder._send
    faults = [KafkaTimeoutError(), KafkaTimeoutError()]

    async def lossy(*arguments: Any) -> None:
        await send(*arguments)
        if faults:
            raise faults.pop()

    monkeypatch.setattr(feeder, "_send", lossy)
    feeder.feed_again(rows[:5])
    feeder.start()
    found = await rows_on_the_topic(broker, lambda found: set(found) == set(rows))
    assert faults == []
    assert len(found) > len(rows)


async def test_a_damaged_journal_is_told_and_not_waited_for(journal: Journal, broker: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    told: asyncio.Queue[BaseException] = asyncio.Queue()
    feeder = Feeder(journal, broker, on_failure=told.put_nowait)

    def damaged(*_: Any) -> Any:
        raise StackError("damaged") from sqlite3.DatabaseError()

    monkeypatch.setattr(journal, "pending", damaged)
    feeder.start()
    assert isinstance(await asyncio.wait_for(told.get(), 30), StackError)
    await feeder.stop()
