"""The notify stage with the real webhook sink against a real receiver: once each, whatever is away."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
import stamina
import structlog
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from streams.documents import Alert, AlertStatus, Baseline, Key, Observation
from streams.errors import PermanentError, TransientError
from streams.metrics import Metrics
from streams.settings import WebhookSettings
from streams.sinks.webhook import WebhookSink
from streams.stages.contract import Delivery
from streams.stages.notify import NotifyStage

Read = Callable[..., float]
AT = datetime(2024, 5, 1, 12, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()


def alert(number: int = 1, status: AlertStatus = AlertStatus.FIRING) -> Alert:
    span = {"start": AT - timedelta(hours=3), "end": AT}
    return Alert(
        id=f"{number:016x}",
        fingerprint="f" * 16,
        rule="negative-share",
        status=status,
        severity="critical",
        key=Key(kind="entity", value="bank", name="Банк"),
        starts_at=AT,
        observed=Observation(**span, documents=20, negative=15, share=0.75),
        baseline=Baseline(**span, documents=200, negative=20, share=0.1, expected_share=0.1),
        p_value=1e-9,
        evidence=(),
        languages={"de": 3},
        sources={"wire": 3},
        summary="75 % negative",
    )


def delivery(item: Alert) -> Delivery:
    return Delivery(item.model_dump_json().encode(), f"alerts-0-{item.id}")


class Receiver:
    """Answers with the given statuses, then with 204; keeps what came."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.calls: list[tuple[float, str]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        Webhook(SECRET).verify(body, dict(request.headers))
        self.calls.append((time.monotonic(), request.headers["webhook-id"]))
        status, headers = self.answers.pop(0) if self.answers else (204, {})
        return web.Response(status=status, headers=headers)


class Sink:
    """The index of alerts; fails as told."""

    def __init__(self) -> None:
        self.written: list[Alert] = []
        self.faults: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def write_alert(self, item: Alert) -> None:
        await self.gate.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.written.append(item)


class Delivered:
    """Hears of alerts that are done with; fails as told."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.faults: list[Exception] = []

    async def __call__(self, item: Alert) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.heard.append(item.id)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application()
    app.router.add_post("/", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield found
    await runner.cleanup()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def delivered() -> Delivered:
    return Delivered()


@pytest.fixture
async def stage(receiver: Receiver, sink: Sink, delivered: Delivered, metrics: Metrics) -> AsyncIterator[NotifyStage]:
    webhook = WebhookSink(WebhookSettings(urls=(receiver.url,), secret=SECRET, timeout=2))
    yield NotifyStage(webhook, sink, attempts=4, delivered=delivered, metrics=metrics)  # type: ignore[arg-type]
    await webhook.close()


async def test_an_alert_reaches_the_webhook_and_the_index_and_is_done_with(
    stage: NotifyStage, receiver: Receiver, sink: Sink, delivered: Delivered, read: Read
) -> None:
    assert await stage.process([delivery(alert(1)), delivery(alert(2, AlertStatus.RESOLVED))]) == []
    assert len(receiver.calls) == 2
    assert [item.id for item in sink.written] == delivered.heard == [alert(1).id, alert(2).id]
    assert read("bellwether_webhook_deliveries_total", result="delivered") == 2


async def test_the_webhook_is_called_at_once_and_once_although_the_index_is_away(
    stage: NotifyStage, receiver: Receiver, sink: Sink, delivered: Delivered
) -> None:
    sink.gate.clear()
    sink.faults = [TransientError("away")] * 5
    task = asyncio.create_task(stage.process([delivery(alert())]))
    while not receiver.calls:
        await asyncio.sleep(0.01)
    assert delivered.heard == []
    sink.gate.set()
    assert await task == []
    assert len(receiver.calls) == 1
    assert len(sink.written) == 1
    assert delivered.heard == [alert().id]


async def test_the_webhook_is_called_once_although_the_acknowledgement_cannot_be_saved(
    stage: NotifyStage, receiver: Receiver, sink: Sink, delivered: Delivered
) -> None:
    delivered.faults = [TransientError("the journal is locked"), OSError(28, "disk full")]
    assert await stage.process([delivery(alert(1)), delivery(alert(2))]) == []
    assert len(receiver.calls) == 2
    assert len(sink.written) == 2
    assert delivered.heard == [alert(1).id, alert(2).id]


async def test_an_index_that_refuses_an_alert_is_a_letter_and_calls_nobody_twice(
    stage: NotifyStage, receiver: Receiver, sink: Sink, delivered: Delivered
) -> None:
    sink.faults = [PermanentError("mapping", reason="search.rejected")]
    [letter] = await stage.process([delivery(alert())])
    assert (letter.reason, letter.stage, letter.original) == ("search.rejected", "notify", delivery(alert()).value)
    assert len(receiver.calls) == 1
    assert delivered.heard == [alert().id]


async def test_a_receiver_that_stumbles_is_tried_again_under_the_same_id(
    stage: NotifyStage, receiver: Receiver, delivered: Delivered
) -> None:
    receiver.answers = [(503, {}), (500, {}), (429, {})]
    assert await stage.process([delivery(alert())]) == []
    assert len(receiver.calls) == 4
    assert len({id for _, id in receiver.calls}) == 1
    assert delivered.heard == [alert().id]


async def test_a_receiver_that_never_takes_it_is_given_up(
    receiver: Receiver, sink: Sink, delivered: Delivered, metrics: Metrics, read: Read
) -> None:
    receiver.answers = [(503, {})] * 50
    webhook = WebhookSink(WebhookSettings(urls=(receiver.url,), secret=SECRET))
    stage = NotifyStage(webhook, sink, attempts=4, delivered=delivered, metrics=metrics)  # type: ignore[arg-type]
    with stamina.set_testing(True, attempts=4):
        [letter] = await stage.process([delivery(alert())])
    await webhook.close()
    assert (letter.reason, letter.origin, letter.original) == ("webhook.given_up", delivery(alert()).origin, delivery(alert()).value)
    assert "4 attempts" in letter.detail
    assert len(receiver.calls) == 4
    assert len(sink.written) == 1, "it stands in the index all the same"
    assert delivered.heard == [alert().id], "it is not sent again at the next start: the letter keeps it"
    assert read("bellwether_webhook_deliveries_total", result="given_up") == 1


@pytest.mark.parametrize(("status", "reason"), [(400, "webhook.refused"), (401, "webhook.refused"), (410, "webhook.gone")])
async def test_a_refusal_is_a_letter_at_once(
    status: int, reason: str, stage: NotifyStage, receiver: Receiver, sink: Sink, delivered: Delivered, read: Read
) -> None:
    receiver.answers = [(status, {})]
    [letter] = await stage.process([delivery(alert())])
    assert letter.reason == reason
    assert len(receiver.calls) == 1
    assert len(sink.written) == 1
    assert delivered.heard == [alert().id]
    assert read("bellwether_webhook_deliveries_total", result="refused") == 1


async def test_as_long_as_a_receiver_asks_is_waited(stage: NotifyStage, receiver: Receiver) -> None:
    receiver.answers = [(429, {"retry-after": "1"})]
    with stamina.set_testing(False):
        assert await stage.process([delivery(alert())]) == []
    (first, _), (second, _) = receiver.calls
    assert 1.0 <= second - first < 2.0


async def test_what_is_no_alert_is_a_letter_and_does_not_hold_up_the_others(
    stage: NotifyStage, receiver: Receiver, delivered: Delivered
) -> None:
    odd = Delivery(b'{"id": 1}', "alerts-0-7")
    [letter] = await stage.process([odd, delivery(alert())])
    assert (letter.reason, letter.origin, letter.original) == ("notify.unreadable", "alerts-0-7", odd.value)
    assert len(receiver.calls) == 1
    assert delivered.heard == [alert().id]


async def test_without_receivers_alerts_stand_in_the_index(sink: Sink, delivered: Delivered, metrics: Metrics) -> None:
    webhook = WebhookSink(WebhookSettings())
    stage = NotifyStage(webhook, sink, attempts=2, delivered=delivered, metrics=metrics)  # type: ignore[arg-type]
    assert await stage.process([delivery(alert())]) == []
    await webhook.close()
    assert len(sink.written) == 1
    assert delivered.heard == [alert().id]


async def test_cancellation_passes(stage: NotifyStage, sink: Sink, delivered: Delivered) -> None:
    sink.gate.clear()
    task = asyncio.create_task(stage.process([delivery(alert())]))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert delivered.heard == []


@pytest.fixture
async def settling(receiver: Receiver, sink: Sink, delivered: Delivered, metrics: Metrics) -> AsyncIterator[NotifyStage]:
    """As in the embedded mode, with less patience."""
    webhook = WebhookSink(WebhookSettings(urls=(receiver.url,), secret=SECRET, timeout=2))
    stage = NotifyStage(webhook, sink, attempts=4, delivered=delivered, metrics=metrics, settle=0.3)  # type: ignore[arg-type]
    yield stage
    await stage.close()
    await webhook.close()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_an_alert_is_written_once_more_before_it_is_done_with_and_holds_up_nobody(
    settling: NotifyStage, receiver: Receiver, sink: Sink, delivered: Delivered
) -> None:
    began = time.monotonic()
    assert await settling.process([delivery(alert(1)), delivery(alert(2))]) == []
    assert time.monotonic() - began < 0.3
    assert [item.id for item in sink.written] == [alert(1).id, alert(2).id]
    assert delivered.heard == []
    await _until(lambda: len(delivered.heard) == 2)
    assert time.monotonic() - began >= 0.3
    assert [item.id for item in sink.written] == [alert(1).id, alert(2).id] * 2
    assert len(receiver.calls) == 2, "the webhooks are called once"


async def test_what_is_not_settled_at_the_stop_stays_in_the_outbox(settling: NotifyStage, sink: Sink, delivered: Delivered) -> None:
    await settling.process([delivery(alert())])
    await settling.close()
    await settling.close()
    await asyncio.sleep(0.4)
    assert len(sink.written) == 1
    assert delivered.heard == []


async def test_an_index_that_is_away_when_it_is_written_again_is_waited_for(
    settling: NotifyStage, receiver: Receiver, sink: Sink, delivered: Delivered
) -> None:
    await settling.process([delivery(alert())])
    sink.faults = [TransientError("away")] * 5
    delivered.faults = [TransientError("the journal is locked")]
    await _until(lambda: delivered.heard == [alert().id])
    assert (len(sink.written), len(receiver.calls)) == (2, 1)


async def test_an_acknowledgement_that_fails_for_good_is_told_and_harms_no_other(
    settling: NotifyStage, sink: Sink, delivered: Delivered
) -> None:
    delivered.faults = [KeyError("row")]
    with structlog.testing.capture_logs() as logs:
        await settling.process([delivery(alert(1)), delivery(alert(2))])
        await _until(lambda: delivered.heard == [alert(2).id])
    assert [entry["log_level"] for entry in logs if "outbox" in entry["event"]] == ["error"]


async def test_an_alert_that_the_index_refuses_is_one_letter(settling: NotifyStage, sink: Sink, delivered: Delivered) -> None:
    sink.faults = [PermanentError("mapping", reason="search.rejected")] * 2
    assert len(await settling.process([delivery(alert())])) == 1
    await _until(lambda: delivered.heard == [alert().id])
    assert sink.written == []
