"""Alerts, a receiver on this machine that answers as it is told, a clock that is turned by hand, and a dispatcher of all that."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
import structlog
from aiohttp import web

from streams.delivery.attempt import Attempt
from streams.delivery.channels import read_channels
from streams.delivery.dispatcher import Dispatcher
from streams.delivery.guard import Guard
from streams.delivery.log import DeliveryLog
from streams.delivery.outbox import Outbox
from streams.delivery.schedule import Clock, Schedule
from streams.documents import Alert, DeadLetter, Evidence, Key, Observation
from streams.metrics import Metrics
from streams.settings import WebhookSettings
from streams.state import MemoryStateStore

AT = datetime(2026, 3, 31, 12, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"another one, which is new").decode()
LOCAL = (ip_network("127.0.0.0/8"),)

MakeAlert = Callable[..., Alert]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[list[Any]]:
    """Log lines are kept off the screen, and can be read."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
def make_alert() -> MakeAlert:
    def make(number: int = 1, status: str = "firing", **changes: object) -> Alert:
        span = {"start": AT - timedelta(hours=3), "end": AT}
        evidence = Evidence(
            id="0" * 32, title="奥雷利亚银行", url="https://news.example/1", source="wire", language="zh", published_at=AT, score=-0.9
        )
        fields: dict[str, object] = {
            "id": f"{number:032x}",
            "fingerprint": f"{number:016x}",
            "rule": "negative-share",
            "status": status,
            "severity": "critical",
            "key": Key(kind="entity", value="bank", name="Банк"),
            "starts_at": AT - timedelta(hours=1),
            "observed": Observation(**span, documents=20, negative=15, share=0.75),
            "baseline": None,
            "p_value": 1e-9,
            "evidence": (evidence,),
            "languages": {"zh": 3},
            "sources": {"wire": 3},
            "summary": "Opinion about the bank turned: 15 of 20",
            "revision": 0 if status == "firing" else 1,
            "ends_at": None if status == "firing" else AT,
        }
        return Alert.model_validate(fields | changes)

    return make


class Receiver:
    """Keeps what came; answers by `answer`, or with the statuses in `answers` and then 204."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[int | tuple[int, dict[str, str]]] = []
        self.answer: Callable[[web.Request, bytes], Awaitable[web.StreamResponse]] | None = None

    @property
    def ids(self) -> list[str]:
        """webhook-id of everything that came."""
        return [headers["webhook-id"] for _, headers, _ in self.requests]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append((request.path_qs, {name.lower(): value for name, value in request.headers.items()}, body))
        if self.answer is not None:
            return await self.answer(request, body)
        found = self.answers.pop(0) if self.answers else 204
        status, headers = (found, {}) if isinstance(found, int) else found
        return web.Response(status=status, headers=headers)


@pytest.fixture
async def receivers() -> AsyncIterator[Callable[[], Awaitable[Receiver]]]:
    runners: list[web.AppRunner] = []

    async def make() -> Receiver:
        found = Receiver()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", found.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        runners.append(runner)
        return found

    yield make
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def receiver(receivers: Callable[[], Awaitable[Receiver]]) -> Receiver:
    return await receivers()


class HandClock(Clock):
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.time = AT.timestamp()
        self._naps: list[tuple[float, asyncio.Event]] = []

    def now(self) -> float:
        return self.time

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        if seconds is not None:
            if seconds <= 0:
                await asyncio.sleep(0)
                return
            self._naps.append((self.time + seconds, event))
        await event.wait()

    def turn(self, seconds: float) -> None:
        self.time += seconds
        due = [event for at, event in self._naps if at <= self.time]
        self._naps = [(at, event) for at, event in self._naps if at > self.time]
        for event in due:
            event.set()


class MemoryKeeper:
    """The index of deliveries."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.faults: list[Exception] = []
        self.purged: list[datetime] = []

    async def open(self) -> None:
        return

    async def write(self, attempts: Sequence[Attempt]) -> dict[int, str]:
        if self.faults:
            raise self.faults.pop(0)
        self.attempts += attempts
        return {}

    async def purge(self, before: datetime) -> list[str]:
        self.purged.append(before)
        return []

    async def close(self) -> None:
        return


class Post:
    """A dispatcher with everything around it; `again` is what a restart leaves: the store."""

    def __init__(
        self, channels: dict[str, Any], store: MemoryStateStore | None = None, *, attempts: int = 10, capacity: int = 10_000
    ) -> None:
        self.clock = HandClock()
        self.store = store or MemoryStateStore()
        self.keeper = MemoryKeeper()
        self.metrics = Metrics()
        self.letters: list[DeadLetter] = []
        self.faults: list[Exception] = []
        self.outbox = Outbox(capacity)
        self.dispatcher = Dispatcher(
            read_channels(channels, WebhookSettings(), {}),
            Guard(LOCAL),
            Schedule(attempts, draw=lambda: 0.0),
            self.store,
            DeliveryLog(self.keeper, self.metrics, 90),
            self.metrics,
            clock=self.clock,
            outbox=self.outbox,
        )

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.letters += letters

    async def open(self) -> None:
        await self.dispatcher.open()
        await self.dispatcher.start(self.bury)

    async def idle(self) -> None:
        """Until nothing is due or under way."""
        await asyncio.sleep(0.05)

    def count(self, result: str, channel: str = "default") -> float:
        return self.metrics.registry.get_sample_value("bellwether_deliveries_total", {"result": result, "channel": channel}) or 0.0


@pytest.fixture
async def post() -> AsyncIterator[Callable[..., Awaitable[Post]]]:
    made: list[Post] = []

    async def make(channels: dict[str, Any], store: MemoryStateStore | None = None, **options: Any) -> Post:
        found = Post(channels, store, **options)
        made.append(found)
        await found.open()
        return found

    yield make
    for each in made:
        await each.dispatcher.close()


@pytest.fixture
def webhook() -> Callable[..., dict[str, Any]]:
    """The fields of a webhook channel."""

    def fields(receiver: Receiver, **changes: Any) -> dict[str, Any]:
        return {"type": "webhook", "url": receiver.url, "secrets": [SECRET], "timeout": 2} | changes

    return fields
