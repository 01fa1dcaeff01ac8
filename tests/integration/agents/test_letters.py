"""Letters get through whatever the topic takes, and nobody else's header names a delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import stamina
import structlog
from hypothesis import given
from hypothesis import strategies as st

from streams.agents.breakdown import or_stop
from streams.agents.intake import ORIGIN_HEADER, delivery_of
from streams.agents.letters import TRUNCATED_BYTES, Letters
from streams.documents import DeadLetter, Origin
from streams.errors import PermanentError, StackError, TransientError
from streams.ledger import KafkaLedger
from streams.metrics import Metrics
from streams.settings import TopicSettings
from streams.stages.contract import Delivery, Record


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with stamina.set_testing(True, attempts=50), structlog.testing.capture_logs():
        yield


class Topic:
    """Takes records of at most `limit` bytes, and never more than that in one request."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken: list[Record] = []

    async def send(self, records: Sequence[Record]) -> None:
        if any(_size(record) > self.limit for record in records):
            raise PermanentError("too large", reason="broker.too_large")
        self.taken += records


def _size(record: Record) -> int:
    return len(record.value) + sum(len(name) + len(value) for name, value in record.headers)


class Ledger(KafkaLedger):
    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.buried: list[DeadLetter] = []

    async def bury(self, letters: Any) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.buried += letters


def _letters(topic: Topic, ledger: Ledger, *sizes: int) -> tuple[Letters, list[DeadLetter]]:
    letters = Letters(topic, ledger, Metrics(), TopicSettings())
    return letters, [letters.write("score", Delivery(b"x" * size, f"t-0-{number}"), ValueError("odd")) for number, size in enumerate(sizes)]


@pytest.mark.parametrize("limit", [2_000_000, 300_000, 200_000, 50_000, 1_000, 300])
async def test_a_letter_is_cut_until_the_topic_takes_it(limit: int) -> None:
    topic, ledger = Topic(limit), Ledger()
    letters, written = _letters(topic, ledger, 10, 1_000_000, 20)
    await letters.deliver(written, stage="score")
    found = {letter.origin: letter for letter in (DeadLetter.from_record(record.value, record.headers) for record in topic.taken)}
    assert {letter.origin for letter in ledger.buried} == set(found) == {"t-0-0", "t-0-1", "t-0-2"}
    assert (found["t-0-0"].original, found["t-0-0"].truncated_from) == (b"x" * 10, None)
    cut = found["t-0-1"]
    if limit > 1_000_500:
        assert (len(cut.original), cut.truncated_from) == (1_000_000, None)
    else:
        assert cut.truncated_from == 1_000_000
        assert len(cut.original) <= min(limit, TRUNCATED_BYTES)
        assert len(cut.original) > (limit - 300) / 2 or len(cut.original) == TRUNCATED_BYTES


async def test_a_topic_that_takes_no_letter_at_all_is_an_error_and_nothing_is_told_to_the_ledger() -> None:
    ledger = Ledger()
    letters, written = _letters(Topic(10), ledger, 1000)
    with pytest.raises(PermanentError):
        await letters.deliver(written, stage="score")
    assert ledger.buried == []


async def test_a_ledger_that_stumbles_is_told_again() -> None:
    ledger = Ledger(TransientError("locked"), KeyError("row"), TransientError("locked"))
    letters, written = _letters(Topic(1000), ledger, 10)
    await letters.deliver(written, stage="score")
    assert ledger.buried == written


async def test_a_ledger_that_fails_for_good_is_no_letter_lost_in_silence() -> None:
    ledger = Ledger(*[StackError("closed")] * 100)
    letters, written = _letters(Topic(1000), ledger, 10, 20)
    with pytest.raises(StackError):
        await letters.deliver(written, stage="score")


class App:
    def __init__(self) -> None:
        self.crashed: list[BaseException] = []

    async def crash(self, reason: BaseException) -> None:
        self.crashed.append(reason)


async def test_what_cannot_be_buried_stops_the_app_and_never_returns() -> None:
    app = App()

    async def work() -> int:
        raise StackError("closed")

    task = asyncio.create_task(or_stop(app, "score", work()))
    await asyncio.sleep(0.05)
    assert not task.done(), "whoever waits for it must not acknowledge"
    assert [str(error) for error in app.crashed] == ["closed"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_work_that_succeeds_or_is_cancelled_passes() -> None:
    app = App()
    assert await or_stop(app, "score", asyncio.sleep(0, 7)) == 7
    task = asyncio.create_task(or_stop(app, "score", asyncio.sleep(9)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert app.crashed == []


def _event(header: bytes | None, value: bytes | None = b"v") -> Any:
    message = SimpleNamespace(topic="documents.raw", partition=3, offset=9, value=value)
    return SimpleNamespace(message=message, headers={} if header is None else {ORIGIN_HEADER: header})


@given(st.binary())
def test_no_header_whatever_keeps_a_delivery_from_having_an_origin(header: bytes) -> None:
    origin = delivery_of(_event(header), named=True).origin
    assert str(Origin.parse(origin)) == origin
    assert delivery_of(_event(header), named=False).origin == "documents.raw-3-9"


@pytest.mark.parametrize(
    ("header", "origin"),
    [
        (b"journal-0-17", "journal-0-17"),
        (b"a-b-c.d-2-5", "a-b-c.d-2-5"),
        (b"journal-0--17", "documents.raw-3-9"),
        (b"journal-0-9223372036854775808", "documents.raw-3-9"),
        (b"journal-0-" + b"9" * 5000, "documents.raw-3-9"),
        (b"journal", "documents.raw-3-9"),
        (b"", "documents.raw-3-9"),
        (b"\xff-0-1", "documents.raw-3-9"),
        (None, "documents.raw-3-9"),
    ],
)
def test_a_header_is_believed_where_it_is_an_origin(header: bytes | None, origin: str) -> None:
    assert delivery_of(_event(header), named=True).origin == origin


def test_a_record_without_a_value_is_an_empty_delivery() -> None:
    assert delivery_of(_event(None, None), named=False).value == b""
