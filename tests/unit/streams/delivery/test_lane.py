"""Lanes with senders that do what none should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from waiting import until

from streams.delivery import lane as module
from streams.delivery.channels import Channel, read_channels
from streams.delivery.dispatcher import Dispatcher
from streams.delivery.guard import Guard
from streams.delivery.log import DeliveryLog
from streams.delivery.schedule import Clock, Schedule
from streams.documents import Alert, DeadLetter
from streams.errors import TransientError
from streams.metrics import Metrics
from streams.settings import WebhookSettings
from streams.state import MemoryStateStore

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
Make = Callable[..., Alert]


class Scripted:
    """A sender that acts as told, message by message, and then takes everything."""

    def __init__(self) -> None:
        self.script: list[Callable[[], Awaitable[None]]] = []
        self.sent: list[str] = []
        self.at_once = self.most_at_once = 0
        self.closed = 0

    async def send(self, alert: Alert, message_id: str) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.script:
                await self.script.pop(0)()
            await asyncio.sleep(0.01)
            self.sent.append(message_id)
        finally:
            self.at_once -= 1

    async def close(self) -> None:
        self.closed += 1


class Nowhere:
    """A log that keeps nothing."""

    async def open(self) -> None: ...
    async def write(self, attempts: Sequence[Any]) -> dict[int, str]:
        return {}

    async def purge(self, before: Any) -> list[str]:
        return []

    async def close(self) -> None: ...


class Hasty(Schedule):
    """Waits next to nothing."""

    def wait(self, failed: int, asked: float | None = None) -> float | None:
        found = super().wait(failed, asked)
        return None if found is None else 0.01


class Way:
    def __init__(self) -> None:
        self.sender = Scripted()
        self.metrics = Metrics()
        self.store = MemoryStateStore()
        self.letters: list[DeadLetter] = []
        fields = {"type": "webhook", "url": "https://ops.example", "secrets": [SECRET], "timeout": 0.1}
        self.dispatcher = Dispatcher(
            read_channels({"default": fields}, WebhookSettings(), {}),
            Guard(),
            Hasty(3),
            self.store,
            DeliveryLog(Nowhere(), self.metrics, 1),
            self.metrics,
            clock=Clock(),
            build=self.build,
        )

    def build(self, channel: Channel, guard: Guard) -> Scripted:
        return self.sender

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        self.letters += letters


@pytest.fixture
async def way(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Way]:
    monkeypatch.setattr(module, "_GRACE", 0.1)
    found = Way()
    await found.dispatcher.open()
    await found.dispatcher.start(found.bury)
    yield found
    await found.dispatcher.close()
    await found.dispatcher.close()


async def crash() -> None:
    raise ZeroDivisionError("nobody foresaw this")


async def sleep_for_ever() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("act", [crash, sleep_for_ever])
async def test_a_sender_that_breaks_or_never_returns_is_tried_again_and_stops_nobody(way: Way, make_alert: Make, act: Any) -> None:
    way.sender.script = [act]
    await way.dispatcher.enqueue(make_alert(1), "o")
    await way.dispatcher.enqueue(make_alert(2), "o")
    await until(lambda: len(way.sender.sent) == 2)
    assert way.letters == []


async def test_one_that_always_breaks_is_a_letter_that_names_it(way: Way, make_alert: Make) -> None:
    way.sender.script = [crash] * 3
    await way.dispatcher.enqueue(make_alert(1), "o")
    await until(lambda: way.letters != [])
    assert way.letters[0].reason == "webhook.given_up"
    assert "nobody foresaw this" in way.letters[0].detail
    await way.dispatcher.enqueue(make_alert(2), "o")
    await until(lambda: len(way.sender.sent) == 1)


async def test_a_few_at_once_and_no_more(way: Way, make_alert: Make) -> None:
    for number in range(30):
        await way.dispatcher.enqueue(make_alert(number), "o")
    await until(lambda: len(way.sender.sent) == 30)
    assert way.sender.most_at_once == module.PARALLEL


async def test_what_was_delivered_at_the_stop_is_not_delivered_at_the_next_start(
    way: Way, make_alert: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is away when the message is done, and back when the worker stops."""
    await way.dispatcher.enqueue(make_alert(1), "o")
    save = way.store.save

    async def away(changes: Any) -> None:
        raise TransientError("away")

    monkeypatch.setattr(way.store, "save", away)
    await until(lambda: len(way.sender.sent) == 1)
    await asyncio.sleep(0.02)
    monkeypatch.setattr(way.store, "save", save)
    await way.dispatcher.close()
    assert way.sender.closed == 1
    saved = await way.store.load()
    assert [name.split("|")[0] for name in saved] == ["delivery"]
    assert b"done" in next(iter(saved.values()))
