"""aiokafka swallows a cancellation that arrives while it closes a client. Who is to stop must stop all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient

from streams.errors import TransientError


class Moment:
    """Calls `stop` once, at the very moment when a client is being closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stop: Callable[[], Awaitable[None]]) -> None:
        self._stop = stop
        self._close = AIOKafkaClient.close
        self.stopping: asyncio.Task[None] | None = None
        monkeypatch.setattr(AIOKafkaClient, "close", lambda client: self._closing(client))

    async def _closing(self, client: AIOKafkaClient) -> None:
        if self.stopping is None and client._sync_task is not None:
            # It begins when the client waits for its own task: two rounds of the event loop are wide enough to be hit.
            self.stopping = asyncio.create_task(self._run())
        await self._close(client)

    async def _run(self) -> None:
        await self._stop()

    async def over(self) -> None:
        async with asyncio.timeout(30):
            while self.stopping is None:
                await asyncio.sleep(0.01)
            await self.stopping


async def test_a_child_is_stopped_while_its_health_is_asked_for(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.embedded.process._HEALTH_EVERY", 0.02)
    stack = lab.build()
    await stack.start()
    supervisor = stack.broker._supervisor
    moment = Moment(monkeypatch, stack.broker.release)
    await moment.over()
    assert supervisor.cancelled()
    assert supervisor.cancelling() == 1, "it heard the first time"


async def test_a_feeder_is_stopped_while_it_gives_up_its_producer(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = lab.build()
    await stack.start()
    feeder, task = stack._feeder, stack._feeder._task

    def locked(_: int = 0) -> int:
        raise TransientError("locked")

    moment = Moment(monkeypatch, feeder.stop)
    monkeypatch.setattr(stack.journal, "backlog", locked)
    await moment.over()
    monkeypatch.undo()
    assert task.cancelled()
    assert task.cancelling() == 1, "it heard the first time"
