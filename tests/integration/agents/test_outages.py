"""The search server stops or dies in mid-stream: consumption pauses, nothing is acknowledged, memory is bounded, all goes on by itself."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

import pytest

FIRST, MORE = 500, 12_000
AWAY_SECONDS = 20
MEBIBYTE = 1 << 20


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL], ids=["hangs", "is gone"])
async def test_the_search_server_is_away_in_mid_stream(way: Any, until: Any, number: signal.Signals) -> None:
    topics = way.settings.topics
    worker = way.worker()
    await worker.ready()
    await way.send(topics.raw, way.documents(FIRST))
    await until(lambda: way.indexed() == FIRST)
    # The embedded server loses what it took in its last second when it is killed; that is the journal's business, not ours.
    await asyncio.sleep(3)
    memory = worker.memory()
    way.search.signal(number)
    await way.send(topics.raw, way.documents(MORE, begin=FIRST))
    began = time.monotonic()
    await asyncio.sleep(8)
    scored = await way.committed(topics.scored)
    assert scored <= FIRST, "nothing is acknowledged that is not in the index"
    await asyncio.sleep(AWAY_SECONDS - (time.monotonic() - began))
    assert await way.committed(topics.scored) == scored
    # What is scored meanwhile waits on the broker, not in the worker.
    assert (await way.topic(topics.scored)).lag > MORE / 2
    assert worker.memory() - memory < 150 * MEBIBYTE
    assert worker.process.poll() is None
    if number is signal.SIGSTOP:
        way.search.signal(signal.SIGCONT)
    else:
        way.search.end()
        await way.search.start()
    await until(lambda: way.indexed() > FIRST, 20)
    await until(lambda: way.indexed() == FIRST + MORE, 90)
    report = await way.audit()
    assert (report.produced, report.indexed, report.duplicates, report.lost) == (FIRST + MORE, FIRST + MORE, 0, 0)
    await worker.stop()


@pytest.mark.slow
async def test_a_broker_that_hangs_in_mid_stream(way: Any, until: Any) -> None:
    worker = way.worker()
    await worker.ready()
    await way.send(way.settings.topics.raw, way.documents(4000))
    await until(lambda: way.indexed() > 300)
    way.broker.signal(signal.SIGSTOP)
    await asyncio.sleep(AWAY_SECONDS)
    assert worker.process.poll() is None, worker.words()
    way.broker.signal(signal.SIGCONT)
    await until(lambda: way.indexed() == 4000, 90)
    assert (await way.audit()).balanced
    await worker.stop()
