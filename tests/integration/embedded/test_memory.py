"""The embedded broker never forgets a message; the stack begins it anew before it fills the machine."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import psutil
import pytest

from streams.errors import TransientError
from streams.settings import Settings, load_settings

LIMIT_MB = 60


@pytest.fixture
def small(settings: Settings) -> Settings:
    return load_settings(embedded={"data": settings.embedded.data, "broker_memory_mb": LIMIT_MB}, scoring={"backend": "noop"})


def _large(count: int, begin: int) -> list[bytes]:
    return [json.dumps({"n": begin + number, "text": f"{begin + number} " + "x" * 40_000}).encode() for number in range(count)]


async def test_a_broker_that_has_grown_is_begun_anew_when_nothing_is_on_its_way(
    lab: Any, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.embedded.process._HEALTH_EVERY", 0.3)
    stack = lab.build(settings=small)
    await stack.start()
    first = lab.pid(stack, "broker")
    intake = stack.intake()
    for begin in range(0, 2000, 200):
        await intake.put(_large(200, begin))
    assert await stack.drain(90)
    await lab.until(lambda: lab.pid(stack, "broker") not in (None, first) and lab.child(stack, "broker").state == "up", seconds=60)
    grown = lab.pid(stack, "broker")
    assert grown is not None
    assert psutil.Process(grown).memory_info().rss < LIMIT_MB * 2**20
    await intake.put(_large(20, 2000))
    assert await stack.drain(60)
    counts = stack.journal.counts()
    assert (counts.produced, counts.indexed, counts.pending) == (2020, 2020, 0)


async def test_a_small_broker_is_left_alone(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.embedded.process._HEALTH_EVERY", 0.1)
    stack = lab.build()
    await stack.start()
    first = lab.pid(stack, "broker")
    await stack.intake().put(lab.messages(300))
    assert await stack.drain(30)
    assert stack._broker_outgrown(first) is None
    await asyncio.sleep(1)
    assert lab.pid(stack, "broker") == first
    assert lab.child(stack, "broker").restarts == 0


async def test_a_journal_that_cannot_be_asked_is_no_reason(lab: Any, small: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = lab.build(settings=small)
    monkeypatch.setattr("streams.embedded.broker.memory_mb", lambda _: LIMIT_MB + 1)
    assert stack._broker_outgrown(1) is not None

    def locked() -> int:
        raise TransientError("locked")

    monkeypatch.setattr(stack.journal, "backlog", locked)
    assert stack._broker_outgrown(1) is None
