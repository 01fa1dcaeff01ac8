"""A lane: side by side, finished in order, bounded, and loud about faults."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from streams.stages.lane import Lane

Finish = Callable[[], Awaitable[None]]


class Bench:
    """Works on batches, each of which waits for its gate; remembers what happens."""

    def __init__(self) -> None:
        self.gates: dict[int, asyncio.Event] = {}
        self.started: list[int] = []
        self.worked: list[int] = []
        self.finished: list[int] = []
        self.faults: dict[int, Exception] = {}
        self.finish_faults: dict[int, Exception] = {}
        self.under_way = 0
        self.most = 0

    def gate(self, batch: int) -> asyncio.Event:
        return self.gates.setdefault(batch, asyncio.Event())

    async def work(self, batch: int) -> Finish:
        self.started.append(batch)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.gate(batch).wait()
        except asyncio.CancelledError:
            self.under_way -= 1
            raise
        if batch in self.faults:
            self.under_way -= 1
            raise self.faults[batch]
        self.worked.append(batch)

        async def finish() -> None:
            self.under_way -= 1
            if batch in self.finish_faults:
                raise self.finish_faults[batch]
            self.finished.append(batch)

        return finish


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_batches_overlap_and_finish_in_their_order() -> None:
    bench = Bench()
    lane: Lane[int] = Lane(bench.work, depth=3)
    for batch in range(3):
        await lane.submit(batch)
    await settle()
    assert bench.started == [0, 1, 2], "all at once"
    for batch in (2, 1):
        bench.gate(batch).set()
    await settle()
    assert bench.worked == [2, 1]
    assert bench.finished == [], "the first is not through"
    bench.gate(0).set()
    await lane.join()
    assert bench.finished == [0, 1, 2]


async def test_no_more_than_its_depth_is_under_way_also_not_while_waiting_to_finish() -> None:
    bench = Bench()
    lane: Lane[int] = Lane(bench.work, depth=2)
    await lane.submit(0)
    await lane.submit(1)
    third = asyncio.create_task(lane.submit(2))
    bench.gate(1).set()
    await settle()
    assert not third.done(), "batch 1 has worked but not finished: it holds its place"
    assert bench.started == [0, 1]
    bench.gate(0).set()
    await asyncio.wait_for(third, 60)
    bench.gate(2).set()
    await lane.join()
    assert bench.finished == [0, 1, 2]
    assert bench.most == 2


@pytest.mark.parametrize("depth", [1, 2, 5])
async def test_order_and_bound_hold_for_any_durations(depth: int) -> None:
    durations = random.Random(depth)
    finished: list[int] = []
    under_way = most = 0

    async def work(batch: int) -> Finish:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(durations.random() / 300)

        async def finish() -> None:
            nonlocal under_way
            await asyncio.sleep(durations.random() / 600)
            under_way -= 1
            finished.append(batch)

        return finish

    lane: Lane[int] = Lane(work, depth=depth)
    for batch in range(60):
        await lane.submit(batch)
    await lane.join()
    assert finished == list(range(60))
    assert most == depth


@pytest.mark.parametrize("where", ["work", "finish"])
async def test_an_error_surfaces_and_nothing_after_it_finishes(where: str) -> None:
    bench = Bench()
    (bench.faults if where == "work" else bench.finish_faults)[1] = RuntimeError("batch 1")
    lane: Lane[int] = Lane(bench.work, depth=3)
    for batch in range(3):
        await lane.submit(batch)
        bench.gate(batch).set()
    await settle()
    assert bench.finished == [0]
    for _ in range(5):
        with pytest.raises(RuntimeError, match="batch 1"):
            await asyncio.wait_for(lane.submit(9), 60)
    assert 9 not in bench.started
    await lane.close()


async def test_a_batch_that_raises_gives_back_one_place_and_no_more() -> None:
    bench = Bench()
    bench.faults[0] = RuntimeError("first")
    lane: Lane[int] = Lane(bench.work, depth=2)
    bench.gate(0).set()
    await lane.submit(0)
    await settle()
    for _ in range(10):
        with pytest.raises(RuntimeError):
            await lane.submit(1)
    assert lane._slots._value == 2  # the places are the lane's own; nothing outside shows them
    await lane.close()


async def test_an_error_surfaces_also_while_a_later_batch_is_under_way() -> None:
    bench = Bench()
    bench.faults[0] = RuntimeError("first")
    lane: Lane[int] = Lane(bench.work, depth=3)
    await lane.submit(0)
    await lane.submit(1)
    bench.gate(0).set()
    await settle()
    with pytest.raises(RuntimeError, match="first"):
        await lane.submit(2)
    assert bench.started == [0, 1]
    await lane.close()
    assert bench.finished == []


async def test_joining_raises_what_a_batch_raised() -> None:
    bench = Bench()
    bench.faults[0] = RuntimeError("first")
    lane: Lane[int] = Lane(bench.work, depth=2)
    await lane.submit(0)
    bench.gate(0).set()
    with pytest.raises(RuntimeError, match="first"):
        await lane.join()


async def test_closing_cancels_what_is_under_way() -> None:
    bench = Bench()
    lane: Lane[int] = Lane(bench.work, depth=2)
    await lane.submit(0)
    await lane.submit(1)
    await settle()
    assert bench.under_way == 2
    await asyncio.wait_for(lane.close(), 60)
    assert bench.under_way == 0
    assert bench.finished == []


async def test_closing_takes_no_error_for_its_own() -> None:
    bench = Bench()
    bench.faults[0] = RuntimeError("first")
    lane: Lane[int] = Lane(bench.work, depth=2)
    await lane.submit(0)
    bench.gate(0).set()
    await settle()
    await lane.close()
    await lane.close()


async def test_giving_up_waiting_for_a_place_takes_none() -> None:
    bench = Bench()
    lane: Lane[int] = Lane(bench.work, depth=1)
    await lane.submit(0)
    waiting = asyncio.create_task(lane.submit(1))
    await settle()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    bench.gate(0).set()
    bench.gate(2).set()
    await asyncio.wait_for(lane.submit(2), 60)
    await lane.join()
    assert bench.finished == [0, 2]


@pytest.mark.parametrize("depth", [0, -1])
def test_a_lane_without_room_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Lane(Bench().work, depth=depth)
