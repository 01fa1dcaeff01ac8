"""The schedule of the Standard Webhooks specification, with chance and what receivers ask for."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.schedule import LONGEST_WAIT, STANDARD_WAITS, Clock, Schedule


def test_the_table_of_the_specification() -> None:
    schedule = Schedule(10, draw=lambda: 0.0)
    hours = 3600
    assert [schedule.wait(failed) for failed in range(1, 11)] == [
        *(5, 5 * 60, 30 * 60, 2 * hours, 5 * hours, 10 * hours, 14 * hours, 20 * hours, 24 * hours),
        None,
    ]


@given(st.integers(1, 30), st.integers(1, 40), st.none() | st.floats(0, 1e9), st.floats(0, 1, exclude_max=True))
def test_never_too_soon_never_for_ever(attempts: int, failed: int, asked: float | None, chance: float) -> None:
    wait = Schedule(attempts, draw=lambda: chance).wait(failed, asked)
    if failed >= attempts:
        assert wait is None
        return
    assert wait is not None
    planned = STANDARD_WAITS[min(failed, 9) - 1]
    assert planned <= wait <= max(planned * 1.1, LONGEST_WAIT)
    if asked is not None and asked <= LONGEST_WAIT:
        assert wait >= asked


def test_chance_spreads_the_messages_of_an_outage() -> None:
    schedule = Schedule(10)
    assert len({schedule.wait(2) for _ in range(20)}) > 10


async def test_the_clock() -> None:
    clock = Clock()
    assert abs(clock.now() - time.time()) < 1
    event = asyncio.Event()
    began = time.monotonic()
    await clock.wait(event, 0.05)
    assert 0.04 < time.monotonic() - began < 30
    waiting = asyncio.create_task(clock.wait(event, None))
    await asyncio.sleep(0)
    event.set()
    await asyncio.wait_for(waiting, 60)


@pytest.mark.parametrize("attempts", [1, 2, 12])
def test_as_many_attempts_as_configured(attempts: int) -> None:
    schedule = Schedule(attempts)
    assert sum(schedule.wait(failed) is not None for failed in range(1, 20)) == attempts - 1
