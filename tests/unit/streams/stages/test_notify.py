"""The notify stage with a real dispatcher against a real receiver: once each, whatever is away."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from aiohttp import web
from standardwebhooks.webhooks import Webhook
from waiting import until

from streams.delivery.building import build_dispatcher
from streams.documents import Alert, AlertStatus, Baseline, DeadLetter, Evidence, Explanation, Key, Observation, WordEffect
from streams.errors import PermanentError, TransientError
from streams.metrics import Metrics
from streams.settings import Settings
from streams.stages.contract import Delivery
from streams.stages.notify import NotifyStage
from streams.state import MemoryStateStore

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
        self.bodies: list[bytes] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        Webhook(SECRET).verify(body, dict(request.headers))
        self.calls.append((time.monotonic(), request.headers["webhook-id"]))
        self.bodies.append(body)
        status, headers = self.answers.pop(0) if self.answers else (204, {})
        return web.Response(status=status, headers=headers)


class Sink:
    """The index of alerts; fails as told."""

    def __init__(self) -> None:
        self.written: list[Alert] = []
        self.explained: list[Alert] = []
        self.faults: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def write_alert(self, item: Alert) -> None:
        await self.gate.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.written.append(item)

    async def write_explanations(self, item: Alert) -> None:
        self.explained.append(item)
        raise TransientError("away")


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


class Office:
    """A stage, its store, and the letters that its lanes write in the background."""

    def __init__(
        self, url: str | None, sink: Sink, delivered: Delivered, metrics: Metrics, settle: float | None = None, explain: object = None
    ) -> None:
        webhook = {"urls": (url,), "secret": SECRET, "timeout": 2, "allow_networks": ("127.0.0.1/32",)} if url else {}
        # The log of deliveries has no server here: it waits, and holds nothing up.
        settings = Settings.model_validate({"webhook": webhook, "search": {"url": "http://127.0.0.1:9"}})
        self.store = MemoryStateStore()
        self.letters: list[DeadLetter] = []
        self.stage = NotifyStage(
            build_dispatcher(settings, self.store, metrics),
            sink,  # type: ignore[arg-type]
            delivered=delivered,
            metrics=metrics,
            settle=settle,
            explain=explain,  # type: ignore[arg-type]
        )

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        self.letters += letters

    async def open(self) -> NotifyStage:
        await self.stage.open()
        await self.stage.start(self.bury)
        await self.stage.start(self.bury)
        return self.stage


@pytest.fixture
async def office(receiver: Receiver, sink: Sink, delivered: Delivered, metrics: Metrics) -> AsyncIterator[Office]:
    found = Office(receiver.url, sink, delivered, metrics)
    await found.open()
    yield found
    await found.stage.close()


@pytest.fixture
def stage(office: Office) -> NotifyStage:
    return office.stage


async def test_an_alert_reaches_the_webhook_and_the_index_and_is_done_with(
    stage: NotifyStage, receiver: Receiver, sink: Sink, delivered: Delivered, read: Read
) -> None:
    assert await stage.process([delivery(alert(1)), delivery(alert(2, AlertStatus.RESOLVED))]) == []
    await until(lambda: read("bellwether_deliveries_total", result="delivered", channel="default") == 2)
    assert len(receiver.calls) == 2
    assert [item.id for item in sink.written] == delivered.heard == [alert(1).id, alert(2).id]


async def test_the_webhook_is_called_at_once_and_once_although_the_index_is_away(
    stage: NotifyStage, receiver: Receiver, sink: Sink, delivered: Delivered
) -> None:
    sink.gate.clear()
    sink.faults = [TransientError("away")] * 5
    task = asyncio.create_task(stage.process([delivery(alert())]))
    await until(lambda: len(receiver.calls) == 1)
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
    await until(lambda: len(receiver.calls) == 2)
    assert len(sink.written) == 2
    assert delivered.heard == [alert(1).id, alert(2).id]


async def test_an_alert_that_comes_again_is_sent_once(stage: NotifyStage, receiver: Receiver, delivered: Delivered, read: Read) -> None:
    for _ in range(2):
        assert await stage.process([delivery(alert())]) == []
        await until(lambda: read("bellwether_deliveries_total", result="delivered", channel="default") == 1)
    await asyncio.sleep(0.05)
    assert len(receiver.calls) == 1
    assert delivered.heard == [alert().id] * 2


async def test_one_that_is_sent_again_by_hand_is_only_delivered(
    stage: NotifyStage, receiver: Receiver, sink: Sink, delivered: Delivered
) -> None:
    """It comes from the index, where the alert may have gone on since."""
    again = alert().model_copy(update={"reason": "resent", "resent_at": AT})
    assert await stage.process([delivery(alert()), delivery(again)]) == []
    await until(lambda: len(receiver.calls) == 2)
    assert len({id for _, id in receiver.calls}) == 2
    assert len(sink.written) == len(delivered.heard) == 1


class Explaining:
    """Gives every alert's documents a word, another one each time."""

    def __init__(self) -> None:
        self.times = self.late = 0

    async def explained(self, item: Alert) -> Alert:
        self.times += 1
        words = Explanation(words=(WordEffect(text=f"word{self.times}", effect=-0.1),))
        return item.model_copy(update={"evidence": tuple(one.model_copy(update={"explanation": words}) for one in item.evidence)})

    async def completed(self, item: Alert) -> Alert | None:
        self.late += 1
        return item if self.late == 1 else None


async def test_an_alert_is_told_and_kept_with_its_words_and_not_again_for_other_words(
    receiver: Receiver, sink: Sink, delivered: Delivered, metrics: Metrics, read: Read
) -> None:
    office = Office(receiver.url, sink, delivered, metrics, explain=Explaining())
    await office.open()
    evidence = Evidence(id="0" * 32, title="t", url=None, source="wire", language="de", published_at=AT, score=-0.9)
    bare = alert().model_copy(update={"evidence": (evidence,)})
    for _ in range(2):
        assert await office.stage.process([delivery(bare)]) == []
        await until(lambda: read("bellwether_deliveries_total", result="delivered", channel="default") == 1)
    await asyncio.sleep(0.05)
    await office.stage.close()
    [body] = receiver.bodies
    [item] = json.loads(body)["data"]["evidence"]
    assert item["explanation"]["words"] == [{"text": "word1", "effect": -0.1, "together": 1}]
    assert sink.written[0].evidence[0].explanation is not None
    assert delivered.heard == [bare.id] * 2
    assert [item.id for item in sink.explained] == [bare.id], "words that come late are for the index, and tried once"


async def test_an_index_that_refuses_an_alert_is_a_letter_and_calls_nobody_twice(
    stage: NotifyStage, receiver: Receiver, sink: Sink, delivered: Delivered
) -> None:
    sink.faults = [PermanentError("mapping", reason="search.rejected")]
    [letter] = await stage.process([delivery(alert())])
    assert (letter.reason, letter.stage, letter.original) == ("search.rejected", "notify", delivery(alert()).value)
    await until(lambda: len(receiver.calls) == 1)
    assert delivered.heard == [alert().id]


async def test_a_receiver_that_stumbles_holds_nobody_up_and_the_outbox_keeps_its_alert(
    office: Office, receiver: Receiver, delivered: Delivered, read: Read
) -> None:
    receiver.answers = [(503, {})]
    assert await office.stage.process([delivery(alert())]) == []
    assert delivered.heard == [alert().id], "whoever sent it need not keep it"
    await until(lambda: read("bellwether_deliveries_total", result="retry", channel="default") == 1)
    assert [name for name in await office.store.load() if name.startswith("delivery-alert|")]


@pytest.mark.parametrize(("status", "reason"), [(400, "webhook.refused"), (401, "webhook.refused"), (410, "webhook.gone")])
async def test_a_refusal_is_a_letter_in_the_background(
    status: int, reason: str, office: Office, receiver: Receiver, sink: Sink, delivered: Delivered
) -> None:
    receiver.answers = [(status, {})]
    assert await office.stage.process([delivery(alert())]) == []
    await until(lambda: len(office.letters) == 1)
    assert (office.letters[0].reason, office.letters[0].origin) == (reason, delivery(alert()).origin)
    assert (len(receiver.calls), len(sink.written)) == (1, 1)
    assert delivered.heard == [alert().id]


async def test_what_is_no_alert_is_a_letter_and_does_not_hold_up_the_others(
    stage: NotifyStage, receiver: Receiver, delivered: Delivered
) -> None:
    odd = Delivery(b'{"id": 1}', "alerts-0-7")
    [letter] = await stage.process([odd, delivery(alert())])
    assert (letter.reason, letter.origin, letter.original) == ("notify.unreadable", "alerts-0-7", odd.value)
    await until(lambda: len(receiver.calls) == 1)
    assert delivered.heard == [alert().id]


async def test_without_receivers_alerts_stand_in_the_index(sink: Sink, delivered: Delivered, metrics: Metrics) -> None:
    office = Office(None, sink, delivered, metrics)
    stage = await office.open()
    assert await stage.process([delivery(alert())]) == []
    await stage.close()
    assert len(sink.written) == 1
    assert delivered.heard == [alert().id]
    assert await office.store.load() == {}


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
    office = Office(receiver.url, sink, delivered, metrics, settle=0.3)
    yield await office.open()
    await office.stage.close()


async def test_an_alert_is_written_once_more_before_it_is_done_with_and_holds_up_nobody(
    receiver: Receiver, sink: Sink, delivered: Delivered, metrics: Metrics
) -> None:
    settle = 1.5  # more than the first part of this test takes on a slow machine
    office = Office(receiver.url, sink, delivered, metrics, settle=settle)
    settling = await office.open()
    began = time.monotonic()
    assert await settling.process([delivery(alert(1)), delivery(alert(2))]) == []
    assert time.monotonic() - began < settle
    assert [item.id for item in sink.written] == [alert(1).id, alert(2).id]
    assert delivered.heard == []
    await until(lambda: len(delivered.heard) == 2)
    assert time.monotonic() - began >= settle
    assert [item.id for item in sink.written] == [alert(1).id, alert(2).id] * 2
    await until(lambda: len(receiver.calls) == 2)
    await office.stage.close()


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
    await until(lambda: delivered.heard == [alert().id])
    assert (len(sink.written), len(receiver.calls)) == (2, 1)


async def test_an_acknowledgement_that_fails_for_good_is_told_and_harms_no_other(
    settling: NotifyStage, sink: Sink, delivered: Delivered
) -> None:
    delivered.faults = [KeyError("row")]
    with structlog.testing.capture_logs() as logs:
        await settling.process([delivery(alert(1)), delivery(alert(2))])
        await until(lambda: delivered.heard == [alert(2).id] and any("outbox" in entry["event"] for entry in logs))
    assert [entry["log_level"] for entry in logs if "outbox" in entry["event"]] == ["error"]


async def test_an_alert_that_the_index_refuses_is_one_letter(settling: NotifyStage, sink: Sink, delivered: Delivered) -> None:
    sink.faults = [PermanentError("mapping", reason="search.rejected")] * 2
    assert len(await settling.process([delivery(alert())])) == 1
    await until(lambda: delivered.heard == [alert().id])
    assert sink.written == []
