"""Real workers deliver: over a kill, in the background, and again when somebody asks for it."""

from __future__ import annotations

import base64
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from streams.delivery.resending import chosen, put
from streams.documents import Alert, Key, Observation
from streams.settings import Settings, WebhookSettings
from streams.sinks.deliveries import DeliveryIndex
from streams.sinks.search import SearchSink

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.slow


def _alert(number: int) -> Alert:
    span = {"start": AT - timedelta(hours=3), "end": AT}
    return Alert(
        id=f"{number:032x}",
        fingerprint=f"{number:016x}",
        rule="negative-share",
        status="firing",  # type: ignore[arg-type]
        severity="critical",
        key=Key(kind="entity", value="bank", name="Bank"),
        starts_at=AT,
        observed=Observation(**span, documents=20, negative=15, share=0.75),
        baseline=None,
        p_value=1e-9,
        evidence=(),
        languages={"de": 3},
        sources={"wire": 3},
        summary="75 % negative",
    )


class Receiver:
    def __init__(self) -> None:
        self.url = ""
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.away = True
        self.turned_away = 0

    async def answer(self, request: web.Request) -> web.Response:
        payload = Webhook(SECRET).verify(await request.read(), dict(request.headers))
        if self.away:
            self.turned_away += 1
            return web.Response(status=503)
        self.taken.append((request.headers["webhook-id"], payload))
        return web.Response(status=204)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application()
    app.router.add_post("/", found.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield found
    await runner.cleanup()


async def test_over_a_kill_and_again_by_hand(way: Any, until: Any, receiver: Receiver) -> None:
    webhook = WebhookSettings.model_validate({"urls": (receiver.url,), "secret": SECRET, "allow_networks": ("127.0.0.1/32",)})
    settings: Settings = way.settings.model_copy(update={"webhook": webhook})
    first = way.worker(settings=settings)
    await first.ready()
    await way.send(settings.topics.alerts, [_alert(number).model_dump_json().encode() for number in range(3)])
    await until(lambda: receiver.turned_away == 3)
    sink = SearchSink(settings.search)
    await sink.open()
    assert len(await sink.alerts(10)) == 3, "they stand in the index meanwhile"
    index = DeliveryIndex(settings.search)
    await index.open()

    async def results() -> list[str]:
        return [attempt.result.value for attempt in await index.attempts()]

    async def logged() -> bool:
        return await results() == ["retry"] * 3

    await until(logged)
    first.process.send_signal(signal.SIGKILL)
    first.process.wait(10)

    receiver.away = False
    second = way.worker(settings=settings)
    await until(lambda: len(receiver.taken) == 3)
    assert {id for id, _ in receiver.taken} == {f"{_alert(number).id}-0-firing" for number in range(3)}

    alerts, missing = await chosen(index, ids=[_alert(1).id], since=None, channel=None, failed=False)
    assert (len(alerts), missing) == (1, [])
    await put(settings, alerts)
    await until(lambda: len(receiver.taken) == 4)
    id, payload = receiver.taken[-1]
    assert id not in {id for id, _ in receiver.taken[:-1]}
    assert (payload["data"]["id"], payload["data"]["reason"]) == (_alert(1).id, "resent")
    [stored] = [alert for alert in await sink.alerts(10) if alert.id == _alert(1).id]
    assert stored.resent_at is None, "the index keeps the alert as it was"

    await second.ready()  # deliveries begin before it says so
    await until(lambda: second.metric("bellwether_deliveries_total", channel="default", result="delivered") == 4)
    await second.stop()
    assert sorted(await results()) == ["delivered"] * 4 + ["retry"] * 3
    await index.close()
    await sink.close()
