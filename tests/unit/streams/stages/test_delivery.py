"""Delivery: nothing leaves it but cancellation; a poisonous item stands alone in the end."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence

import pytest
import stamina
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from streams.errors import PermanentError, StackError, TransientError
from streams.metrics import Metrics
from streams.stages.delivery import ATTEMPTS_BEFORE_SPLITTING, deliver

Read = Callable[..., float]


class Work:
    """Processes items; fails as told. Remembers every call."""

    def __init__(self, *faults: Exception | None, poison: frozenset[int] = frozenset(), error: Exception | None = None) -> None:
        self.faults = list(faults)
        self.poison = poison
        self.error = error or ValueError("poison")
        self.calls: list[tuple[int, ...]] = []
        self.done: list[int] = []
        self.buried: list[tuple[int, Exception]] = []
        self.bury_faults: list[Exception] = []

    async def process(self, items: Sequence[int]) -> None:
        self.calls.append(tuple(items))
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        if self.poison & set(items):
            raise self.error
        self.done.extend(items)

    async def bury(self, item: int, error: Exception) -> None:
        if self.bury_faults:
            raise self.bury_faults.pop(0)
        self.buried.append((item, error))


TRANSIENT = [
    TransientError("away"),
    TransientError("busy", retry_after=0),
    TransientError("busy", retry_after=1e9),
    ConnectionResetError("reset"),
    OSError(28, "No space left on device"),
    TimeoutError(),
    sqlite3.OperationalError("database is locked"),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=repr)
async def test_a_transient_fault_is_repeated_until_it_is_gone(error: Exception, metrics: Metrics, read: Read) -> None:
    work = Work(*[error] * 20)
    await deliver([1, 2, 3], work.process, work.bury, stage="score", metrics=metrics)
    assert work.calls == [(1, 2, 3)] * 21
    assert work.done == [1, 2, 3]
    assert work.buried == []
    assert read("bellwether_retries_total", stage="score", error=type(error).__name__) == 20


@pytest.mark.parametrize("error", [ValueError("x"), KeyError(), StackError("x"), RuntimeError()], ids=repr)
async def test_an_unexpected_error_is_tried_again_before_the_batch_is_split(error: Exception, metrics: Metrics) -> None:
    work = Work(*[error] * (ATTEMPTS_BEFORE_SPLITTING - 1))
    await deliver([1, 2], work.process, work.bury, stage="score", metrics=metrics)
    assert work.calls == [(1, 2)] * ATTEMPTS_BEFORE_SPLITTING
    assert work.done == [1, 2]


async def test_the_poisonous_item_is_found_and_buried_with_its_error(metrics: Metrics, read: Read) -> None:
    error = PermanentError("too odd", reason="score.odd")
    work = Work(poison=frozenset({5}), error=error)
    await deliver(range(8), work.process, work.bury, stage="score", metrics=metrics)
    assert work.buried == [(5, error)]
    assert work.done == [0, 1, 2, 3, 4, 6, 7], "in order, and none twice"
    assert work.calls == [tuple(range(8)), (0, 1, 2, 3), (4, 5, 6, 7), (4, 5), (4,), (5,), (6, 7)], "believed at once"
    assert read("bellwether_retries_total", stage="score", error="PermanentError") > 0


async def test_what_nobody_foresaw_is_tried_alone_as_often_as_together(metrics: Metrics) -> None:
    work = Work(poison=frozenset({1}))
    await deliver([0, 1], work.process, work.bury, stage="score", metrics=metrics)
    assert work.calls == [(0, 1)] * ATTEMPTS_BEFORE_SPLITTING + [(0,)] + [(1,)] * ATTEMPTS_BEFORE_SPLITTING
    assert [item for item, _ in work.buried] == [1]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.integers(0, 20), st.sets(st.integers(0, 19)), st.lists(st.sampled_from([None, *TRANSIENT, ValueError("once")]), max_size=6))
async def test_every_item_is_processed_or_buried_once_and_in_order(count: int, poison: set[int], faults: list[Exception | None]) -> None:
    # As many unforeseen errors as there are tries would rightly bury an item that is in itself sound.
    assume(sum(isinstance(fault, ValueError) for fault in faults) < ATTEMPTS_BEFORE_SPLITTING)
    work = Work(*faults, poison=frozenset(poison))
    await deliver(range(count), work.process, work.bury, stage="score", metrics=Metrics())
    assert work.done == sorted(set(range(count)) - poison)
    assert [item for item, _ in work.buried] == sorted(set(range(count)) & poison)


async def test_an_empty_batch_is_no_work(metrics: Metrics) -> None:
    work = Work()
    await deliver([], work.process, work.bury, stage="score", metrics=metrics)
    assert work.calls == []


async def test_burying_is_repeated_until_it_works(metrics: Metrics) -> None:
    work = Work(poison=frozenset({1}))
    work.bury_faults = [TransientError("broker away"), OSError("full"), TransientError("broker away")]
    await deliver([1], work.process, work.bury, stage="score", metrics=metrics)
    assert [item for item, _ in work.buried] == [1]


async def test_transient_faults_between_unexpected_ones_do_not_hide_the_poison(metrics: Metrics) -> None:
    away, odd = TransientError("away"), ValueError("odd")
    work = Work(away, odd, away, away, odd, away, poison=frozenset({1}))
    await deliver([1, 2], work.process, work.bury, stage="score", metrics=metrics)
    assert [item for item, _ in work.buried] == [1]
    assert work.done == [2]


async def test_cancellation_passes_at_once(metrics: Metrics) -> None:
    calls = 0

    async def process(items: Sequence[int]) -> None:
        nonlocal calls
        calls += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(deliver([1], process, Work().bury, stage="score", metrics=metrics))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls == 1


async def test_cancellation_passes_while_it_waits_for_a_server(metrics: Metrics) -> None:
    async def process(items: Sequence[int]) -> None:
        raise TransientError("away")

    with stamina.set_testing(False):
        task = asyncio.create_task(deliver([1], process, Work().bury, stage="score", metrics=metrics))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 60)
