from __future__ import annotations

import asyncio
import gc
import time

import pytest
from structlog.testing import capture_logs

from streams.cancellation import end_tasks, heed_cancellation


class Deaf:
    """A loop that calls something which swallows the first `times` cancellations."""

    def __init__(self, times: int, *, heeds: bool = False) -> None:
        self.swallowed = 0
        self._times = times
        self._heeds = heeds
        self.free = asyncio.Event()

    async def _library(self) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if self.swallowed == self._times or self.free.is_set():
                raise
            self.swallowed += 1

    async def run(self) -> None:
        while True:
            await self._library()
            if self._heeds:
                heed_cancellation()


async def _started(deaf: Deaf) -> asyncio.Task[None]:
    task = asyncio.create_task(deaf.run(), name="deaf one")
    await asyncio.sleep(0)
    return task


async def test_tasks_are_ended_and_nothing_is_said_about_it() -> None:
    tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(3)]
    with capture_logs() as logs:
        await end_tasks(*tasks, patience=60)
    assert all(task.cancelled() for task in tasks)
    assert logs == []


async def test_no_task_and_tasks_that_have_ended_are_fine() -> None:
    await end_tasks()
    task = asyncio.create_task(asyncio.sleep(0, "result"))
    await task
    await end_tasks(task)
    assert task.result() == "result"


@pytest.mark.parametrize("times", [1, 2])
async def test_a_task_whose_library_swallows_a_cancellation_is_cancelled_again(times: int) -> None:
    deaf = Deaf(times)
    task = await _started(deaf)
    await end_tasks(task, patience=0.02)
    assert task.cancelled()
    assert deaf.swallowed == times


async def test_a_task_that_never_ends_is_named_and_left_alone() -> None:
    deaf = Deaf(1000)
    task, other = await _started(deaf), asyncio.create_task(asyncio.sleep(3600))
    with capture_logs() as logs:
        await end_tasks(task, other, patience=0.02)
    assert not task.done()
    assert other.cancelled()
    assert [(entry["log_level"], entry["task"]) for entry in logs] == [("error", "deaf one")]
    deaf.free.set()
    await end_tasks(task)
    assert task.cancelled()


async def test_cleaning_up_is_not_broken_off_before_the_patience_ends() -> None:
    cleaned: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.05)
            cleaned.append(True)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await end_tasks(task, patience=60)
    assert cleaned == [True]


async def test_what_a_task_raises_is_dropped_without_a_complaint() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise ValueError("while cleaning up")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await end_tasks(task)
    assert task.done()
    del task
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def test_whoever_is_cancelled_while_ending_others_ends_at_once() -> None:
    deaf = Deaf(1000)
    task = await _started(deaf)
    ending = asyncio.create_task(end_tasks(task, patience=3600))
    await asyncio.sleep(0.01)
    began = time.monotonic()
    await end_tasks(ending, patience=60)
    assert ending.cancelled()
    assert time.monotonic() - began < 30
    deaf.free.set()
    await end_tasks(task)


async def test_a_loop_that_heeds_needs_to_be_cancelled_only_once() -> None:
    deaf = Deaf(1000, heeds=True)
    task = await _started(deaf)
    await end_tasks(task, patience=60)
    assert task.cancelled()
    assert (task.cancelling(), deaf.swallowed) == (1, 1)


async def test_nothing_is_heeded_where_nobody_cancelled() -> None:
    heed_cancellation()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(3600)
    heed_cancellation()  # a deadline that passed was a cancellation too, and is over
