"""The watch stage with the real engine: whatever breaks and whenever, an alert is sent, and once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from streams.alerts.engine import Engine
from streams.alerts.evidence.passages import RecentPassages
from streams.alerts.life.commands import Silence, SilenceMatcher, Unsilence
from streams.alerts.rules.defaults import default_rules
from streams.alerts.sighting import Sighting, sighting
from streams.documents import Alert, AlertStatus, DeadLetter, Decision, DecisionOutcome, Outcome, ScoredDocument
from streams.errors import PermanentError, SettingsError, TransientError
from streams.metrics import Metrics
from streams.settings import AlertSettings
from streams.stages import watch as module
from streams.stages.contract import Delivery, Record
from streams.stages.watch import IDLE_SECONDS, START_SECONDS, WatchStage, alert_record
from streams.state import MemoryStateStore

Documents = Callable[..., ScoredDocument]
Read = Callable[..., float]

AT = datetime(2024, 5, 1, 12, tzinfo=UTC)
RULES = default_rules(AlertSettings(min_documents=6, window=timedelta(hours=3), baseline=timedelta(days=3)))


class Log:
    """What happened, in order, over all parts."""

    def __init__(self) -> None:
        self.events: list[str] = []


class Store(MemoryStateStore):
    """Keeps state; fails and dawdles as told."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log
        self.faults: list[Exception] = []
        self.delays: list[float] = []
        self.saves: list[dict[str, bytes | None]] = []

    async def save(self, changes: Mapping[str, bytes | None]) -> None:
        if self.delays:
            await asyncio.sleep(self.delays.pop(0))
        if self.faults:
            raise self.faults.pop(0)
        self.log.events.append("saved")
        self.saves.append(dict(changes))
        await super().save(changes)


class Broker:
    """Takes records; fails as told, or takes them and loses the answer."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.records: list[Record] = []
        self.faults: list[Exception] = []

    async def send(self, records: Sequence[Record]) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.log.events.append("sent")
        self.records.extend(records)

    def alerts(self) -> list[Alert]:
        return [Alert.model_validate_json(record.value) for record in self.records]


class Sink:
    """The part of the search sink that the stage uses."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.faults: list[Exception] = []

    async def write_decisions(self, decisions: Sequence[Decision]) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.decisions.extend(decisions)


class Ledger:
    """Hears which deliveries are watched."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.heard: list[str] = []
        self.faults: list[Exception] = []

    async def moment(self) -> int:
        raise AssertionError("not the watch stage's business")

    async def finish(self, outcomes: Mapping[str, Outcome], since: int) -> None:
        raise AssertionError("not the watch stage's business")

    async def bury(self, letters: Iterable[DeadLetter]) -> None:
        raise AssertionError("not the watch stage's business")

    async def watched(self, origins: Iterable[str]) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.log.events.append("watched")
        self.heard.extend(origins)

    async def close(self) -> None:
        pass


class Bench:
    """A watch stage with its surroundings; the stage can be killed and started anew."""

    def __init__(self) -> None:
        self.log = Log()
        self.store, self.broker, self.sink, self.ledger = Store(self.log), Broker(self.log), Sink(), Ledger(self.log)
        self.metrics = Metrics()
        self.now = 0.0
        self.start()

    def start(self) -> WatchStage:
        self.engine = Engine(RULES)
        self.stage = WatchStage(
            self.engine,
            self.store,
            self.broker,
            "alerts",
            self.sink,  # type: ignore[arg-type]
            self.ledger,
            self.metrics,
            clock=lambda: self.now,
        )
        return self.stage

    async def restart(self) -> WatchStage:
        stage = self.start()
        await stage.open()
        await stage.resend()
        return stage


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def calm(scored: Documents) -> list[Delivery]:
    """Two and a half days of good news."""
    return [delivery(scored(number, negative=0.05, minutes=number * 30)) for number in range(120)]


@pytest.fixture
def crisis(scored: Documents) -> list[Delivery]:
    """The afternoon after that."""
    return [delivery(scored(1000 + number, negative=0.95, minutes=3600 + number * 4)) for number in range(12)]


def delivery(document: ScoredDocument) -> Delivery:
    return Delivery(document.model_dump_json().encode(), document.origin)


def firing(alerts: Sequence[Alert]) -> list[Alert]:
    return [alert for alert in alerts if alert.status is AlertStatus.FIRING]


async def test_a_crisis_raises_one_alert_keyed_by_its_fingerprint(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    await bench.stage.process(calm)
    assert bench.broker.records == []
    await bench.stage.process(crisis)
    [alert] = bench.broker.alerts()
    assert alert.status is AlertStatus.FIRING
    assert str(alert.key) == "entity:bank"
    assert {item.id for item in alert.evidence} <= {ScoredDocument.model_validate_json(item.value).id for item in crisis}
    [record] = bench.broker.records
    assert (record.topic, record.key) == ("alerts", alert.fingerprint.encode())
    assert bench.metrics.registry.get_sample_value("bellwether_alerts_total", {"rule": alert.rule, "status": "firing"}) == 1
    assert bench.metrics.registry.get_sample_value("bellwether_documents_watched_total") == 132
    assert bench.ledger.heard == [item.origin for item in [*calm, *crisis]]


async def test_what_documents_say_is_remembered_for_explanations_and_changes_no_decision(
    bench: Bench, calm: list[Delivery], crisis: list[Delivery]
) -> None:
    recent = RecentPassages()
    explained = Bench()
    explained.stage = WatchStage(
        explained.engine,
        explained.store,
        explained.broker,
        "alerts",
        explained.sink,  # type: ignore[arg-type]
        explained.ledger,
        explained.metrics,
        recent=recent,
    )
    for batch in (calm, crisis):
        await bench.stage.process(batch)
        await explained.stage.process(batch)
    [alert] = bench.broker.alerts()
    assert explained.broker.records == bench.broker.records
    assert await explained.store.load() == await bench.store.load()
    for item in alert.evidence:
        passage = recent.get(item.id)
        assert passage is not None
        assert (passage.title, passage.text, passage.scored) == (item.title, "text", True)
    assert all(item.explanation is None for item in alert.evidence), "it is none of the engine's business"


async def test_the_state_is_saved_before_the_alert_is_sent_and_that_before_the_ledger_hears(
    bench: Bench, calm: list[Delivery], crisis: list[Delivery]
) -> None:
    await bench.stage.process(calm)
    bench.log.events.clear()
    await bench.stage.process(crisis)
    assert bench.log.events == ["saved", "sent", "watched"]


async def test_a_batch_that_is_delivered_again_counts_nothing_twice(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    for batch in (calm, calm, crisis, crisis, calm, crisis):
        await bench.stage.process(batch)
    assert len(bench.broker.records) == 1
    state = await bench.store.load()
    other = Bench()
    for batch in (calm, crisis):
        await other.stage.process(batch)
    assert state == await other.store.load()


@pytest.mark.parametrize("times", [1, 3])
async def test_a_broker_that_is_away_gets_the_alert_once_when_it_is_back(
    bench: Bench, calm: list[Delivery], crisis: list[Delivery], times: int
) -> None:
    await bench.stage.process(calm)
    bench.broker.faults = [TransientError("away")] * times
    for _ in range(times):
        with pytest.raises(TransientError):
            await bench.stage.process(crisis)
    assert bench.ledger.heard == [item.origin for item in calm], "nothing is watched whose alert is not out"
    await bench.stage.process(crisis)
    await bench.stage.process(crisis)
    assert len(bench.broker.records) == 1


@pytest.mark.parametrize(("refusals", "evidence"), [(1, 5), (2, 0)])
async def test_an_alert_larger_than_its_topic_takes_goes_with_less_evidence(
    bench: Bench, calm: list[Delivery], crisis: list[Delivery], refusals: int, evidence: int
) -> None:
    await bench.stage.process(calm)
    bench.broker.faults = [PermanentError("too large", reason="broker.too_large") for _ in range(refusals)]
    await bench.stage.process(crisis)
    [alert] = bench.broker.alerts()
    assert len(alert.evidence) == evidence
    assert alert.summary


async def test_a_topic_that_takes_no_alert_holds_up_no_document(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    await bench.stage.process(calm)
    bench.broker.faults = [PermanentError("too large", reason="broker.too_large") for _ in range(3)]
    await bench.stage.process(crisis)
    assert bench.broker.records == []
    assert bench.ledger.heard == [item.origin for item in [*calm, *crisis]]
    assert len(bench.engine.undelivered()) == 1, "it waits in the outbox for the next start"


async def test_a_store_that_is_away_holds_the_alert_back(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    await bench.stage.process(calm)
    bench.store.faults = [TransientError("locked")] * 2
    for _ in range(2):
        with pytest.raises(TransientError):
            await bench.stage.process(crisis)
    assert bench.broker.records == []
    await bench.stage.process(crisis)
    assert len(bench.broker.records) == 1
    bench.start()
    await bench.stage.open()
    assert [alert.id for alert in bench.engine.undelivered()] == [alert.id for alert in bench.broker.alerts()]


async def test_a_ledger_that_is_away_does_not_send_twice(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    await bench.stage.process(calm)
    bench.ledger.faults = [TransientError("locked")]
    with pytest.raises(TransientError):
        await bench.stage.process(crisis)
    await bench.stage.process(crisis)
    assert len(bench.broker.records) == 1
    assert bench.ledger.heard[-12:] == [item.origin for item in crisis]


async def test_killed_before_the_state_is_saved_nothing_is_lost(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    await bench.stage.process(calm)
    bench.store.faults = [TransientError("killed here")]
    with pytest.raises(TransientError):
        await bench.stage.process(crisis)
    stage = await bench.restart()
    assert bench.broker.records == []
    await stage.process(crisis)
    assert len(bench.broker.records) == 1


async def test_killed_between_state_and_alert_the_alert_is_sent_at_the_next_start(
    bench: Bench, calm: list[Delivery], crisis: list[Delivery]
) -> None:
    await bench.stage.process(calm)
    bench.broker.faults = [TransientError("killed here")]
    with pytest.raises(TransientError):
        await bench.stage.process(crisis)
    stage = await bench.restart()
    [alert] = bench.broker.alerts()
    await stage.process(crisis)
    assert bench.broker.alerts() == [alert], "the redelivered documents fire no second one"


async def test_killed_between_alert_and_ledger_it_is_sent_again_under_the_same_id(
    bench: Bench, calm: list[Delivery], crisis: list[Delivery]
) -> None:
    await bench.stage.process(calm)
    bench.ledger.faults = [TransientError("killed here")]
    with pytest.raises(TransientError):
        await bench.stage.process(crisis)
    stage = await bench.restart()
    await stage.process(crisis)
    assert len({alert.id for alert in bench.broker.alerts()}) == 1
    assert len(bench.broker.records) == 2


async def test_what_was_acknowledged_is_not_sent_again(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    await bench.stage.process(calm)
    await bench.stage.process(crisis)
    [alert] = bench.broker.alerts()
    await bench.stage.acknowledge(alert)
    await bench.stage.acknowledge(alert)
    assert not [key for key in await bench.store.load() if key.startswith("outbox")]
    await bench.restart()
    assert len(bench.broker.records) == 1


async def test_every_cut_of_the_stream_fires_the_same_alert(calm: list[Delivery], crisis: list[Delivery]) -> None:
    ids = set()
    for size in (1, 7, 132):
        bench = Bench()
        everything = [*calm, *crisis]
        for start in range(0, len(everything), size):
            await bench.stage.process(everything[start : start + size])
        ids.add(tuple(alert.id for alert in bench.broker.alerts()))
    assert len(ids) == 1
    assert len(next(iter(ids))) == 1


async def test_two_flushes_at_once_leave_the_newest_state(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    """The notify agent acknowledges while the watch agent saves; a slow first save must not overwrite a fast second one."""
    await bench.stage.process(calm)
    await bench.stage.process(crisis)
    [alert] = bench.broker.alerts()
    bench.store.delays = [0.05, 0.0, 0.0]
    more = [
        delivery(ScoredDocument.model_validate_json(item.value).model_copy(update={"id": f"{number:032d}"}))
        for number, item in enumerate(crisis)
    ]
    await asyncio.gather(bench.stage.process(more), bench.stage.acknowledge(alert), bench.stage.acknowledge(alert))
    saved = await bench.store.load()
    other = Bench()
    for batch in (calm, crisis, more):
        await other.stage.process(batch)
    await other.stage.acknowledge(alert)
    assert saved == await other.store.load()


async def test_flushing_the_same_deletion_from_two_sides_is_no_fault(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    await bench.stage.process(calm)
    await bench.stage.process(crisis)
    [alert] = bench.broker.alerts()
    bench.engine.acknowledge(alert)
    bench.store.faults = [TransientError("locked")]
    with pytest.raises(TransientError):
        await bench.stage.flush()
    bench.store.delays = [0.05, 0.0]
    await asyncio.gather(bench.stage.flush(), bench.stage.flush())
    assert not [key for key in await bench.store.load() if key.startswith("outbox")]


async def test_after_a_failed_save_the_alert_is_still_written_before_the_votes_that_caused_it(
    bench: Bench, calm: list[Delivery], crisis: list[Delivery]
) -> None:
    """A store that is cut off between two entries must not know the votes without the alert."""
    await bench.stage.process(calm)
    bench.store.faults = [TransientError("locked")]
    with pytest.raises(TransientError):
        await bench.stage.process(crisis[:2])
    assert bench.engine.undelivered() == []
    await bench.stage.process(crisis[2:])
    order = [key for key, value in bench.store.saves[-1].items() if value is not None]
    outbox = [place for place, key in enumerate(order) if key.startswith("outbox:")]
    votes = [place for place, key in enumerate(order) if "|votes|" in key]
    assert outbox
    assert votes
    assert max(outbox) < min(votes)


async def test_unreadable_deliveries_are_left_to_the_index_stage(bench: Bench, calm: list[Delivery]) -> None:
    await bench.stage.process([Delivery(b"\xff", "documents.raw-0-9"), Delivery(b"{}", "documents.raw-0-8"), *calm[:2]])
    assert bench.ledger.heard == [item.origin for item in calm[:2]]


async def test_decisions_wait_while_the_search_server_is_away(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    await bench.stage.process(calm)
    before = len(bench.sink.decisions)
    bench.sink.faults = [TransientError("away")]
    await bench.stage.process(crisis)
    assert len(bench.broker.records) == 1, "an alert does not wait for the search server"
    assert len(bench.sink.decisions) == before
    await bench.stage.process([])
    assert len(bench.sink.decisions) > before
    ids = [decision.id for decision in bench.sink.decisions]
    assert len(ids) == len(set(ids))
    assert any(decision.alert_id == bench.broker.alerts()[0].id for decision in bench.sink.decisions)


async def test_too_many_waiting_decisions_are_dropped_and_counted(
    bench: Bench, calm: list[Delivery], crisis: list[Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_DECISIONS_WAITING", 1)
    bench.sink.faults = [TransientError("away")] * 200
    for item in [*calm, *crisis]:
        await bench.stage.process([item])
    dropped = bench.metrics.registry.get_sample_value("bellwether_decisions_dropped_total") or 0
    bench.sink.faults = []
    await bench.stage.process([])
    assert len(bench.sink.decisions) == 1
    assert dropped > 0


async def test_an_empty_batch_saves_nothing(bench: Bench, calm: list[Delivery]) -> None:
    await bench.stage.process(calm)
    saves = len(bench.store.saves)
    await bench.stage.process([])
    assert len(bench.store.saves) == saves


def wall(documents: Sequence[Delivery], *, hours: float) -> float:
    """So many hours after the newest of `documents`."""
    return max(ScoredDocument.model_validate_json(item.value).published_at.timestamp() for item in documents) + hours * 3600


def reasons(bench: Bench) -> list[str]:
    """Why each notice was sent; that it grew is not what is looked at here."""
    return [alert.reason for alert in bench.broker.alerts() if alert.reason != "amended"]


async def test_a_live_stream_that_falls_silent_is_noticed_by_the_wall_clock(
    bench: Bench, calm: list[Delivery], crisis: list[Delivery]
) -> None:
    bench.now = wall(crisis, hours=0)
    await bench.stage.process([*calm, *crisis])
    assert reasons(bench) == ["fired"]
    bench.now += IDLE_SECONDS - 1
    await bench.stage.tick()
    bench.now = wall(crisis, hours=2)
    await bench.stage.tick()
    assert reasons(bench) == ["fired"]
    bench.now = wall(crisis, hours=4)
    await bench.stage.tick()
    await bench.stage.tick()
    assert reasons(bench) == ["fired", "silent"]
    assert bench.log.events[-2:] == ["saved", "sent"]


async def test_documents_that_are_on_their_way_are_not_made_late(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    """After a start the broker may need a while; between two batches too."""
    await bench.stage.process([*calm, *crisis])
    bench.now = wall(crisis, hours=4)
    stage = await bench.restart()
    await stage.tick()
    bench.now += START_SECONDS - 1
    await stage.tick()
    assert [alert.reason for alert in bench.broker.alerts() if alert.reason != "fired"] == []
    bench.now += 2
    await stage.tick()
    assert bench.broker.alerts()[-1].reason == "silent"


async def test_a_replay_of_old_text_is_not_silenced_by_the_wall_clock(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    bench.now = wall(crisis, hours=24 * 365)
    await bench.stage.process([*calm, *crisis])
    for _ in range(3):
        bench.now += 60
        await bench.stage.tick()
    assert reasons(bench) == ["fired"]


async def test_the_end_of_a_replay_is_told_with_the_next_tick(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    """What the last hop led to waits for the end of that hop, and nothing comes any more that would end it."""
    bench.now = wall(crisis, hours=24 * 365)
    cut = next(place for place in range(1, len(crisis) + 1) if Engine(RULES).observe(sightings([*calm, *crisis[:place]])).turns)
    await bench.stage.process([*calm, *crisis[:cut]])
    assert bench.broker.records == []
    bench.now += IDLE_SECONDS + 1
    await bench.stage.tick()
    assert reasons(bench) == ["fired"]


async def test_a_tick_before_anything_is_known_does_nothing(bench: Bench) -> None:
    bench.now = 1e9
    await bench.stage.tick()
    await bench.stage.open()
    bench.now += START_SECONDS + 1
    await bench.stage.tick()
    assert bench.log.events == []


async def test_a_tick_that_cannot_save_is_tried_again(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    bench.now = wall(crisis, hours=0)
    await bench.stage.process([*calm, *crisis])
    bench.now = wall(crisis, hours=4)
    bench.store.faults = [TransientError("locked")]
    with pytest.raises(TransientError):
        await bench.stage.tick()
    assert reasons(bench) == ["fired"]
    await bench.stage.tick()
    assert reasons(bench) == ["fired", "silent"]


def sightings(deliveries: Sequence[Delivery]) -> list[Sighting]:
    return [sighting(ScoredDocument.model_validate_json(item.value)) for item in deliveries]


def test_the_record_of_an_alert_is_the_alert(calm: list[Delivery], crisis: list[Delivery]) -> None:
    engine = Engine(RULES)
    [alert] = firing(engine.observe([sighting(ScoredDocument.model_validate_json(item.value)) for item in [*calm, *crisis]]).alerts)
    assert Alert.model_validate_json(alert_record("alerts", alert).value) == alert


def silence(minutes: int = 10_000) -> Silence:
    """Of everything, from before the crisis."""
    matchers = (SilenceMatcher(value="bank"),)
    return Silence(id="s1", matchers=matchers, starts_at=AT, ends_at=AT + timedelta(minutes=minutes), author="ann", comment="we know")


async def test_what_is_silenced_is_not_sent_until_it_is_unsilenced(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    await bench.stage.process(calm)
    await bench.stage.command(silence())
    await bench.stage.process(crisis)
    assert bench.broker.records == []
    [decision] = [item for item in bench.sink.decisions if item.outcome is DecisionOutcome.SILENCED]
    assert "we know" in decision.explanation
    await bench.stage.command(Unsilence(id="s1", author="ann"))
    [alert] = firing(bench.broker.alerts())
    assert str(alert.key) == "entity:bank"


async def test_a_silence_survives_a_kill_and_may_be_said_twice(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    await bench.stage.process(calm)
    bench.store.faults = [TransientError("locked")]
    with pytest.raises(TransientError):
        await bench.stage.command(silence())
    await bench.stage.command(silence())
    stage = await bench.restart()
    await stage.command(silence())
    await stage.process(crisis)
    assert bench.broker.records == []


async def test_a_command_waits_for_the_batch_under_way(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    """The control agent is another task: the state that the batch saves must not be that of half a command."""
    await bench.stage.process(calm)
    bench.store.delays = [0.05]
    bench.log.events.clear()
    await asyncio.gather(bench.stage.process(crisis), bench.stage.command(silence()))
    assert bench.log.events.index("watched") < len(bench.log.events) - 1
    assert len(firing(bench.broker.alerts())) == 1, "the alert was out when the silence came"


async def test_other_rules_end_what_the_former_ones_told(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    await bench.stage.process(calm)
    await bench.stage.process(crisis)
    [alert] = bench.broker.alerts()
    others = replace(RULES, rules=tuple(rule for rule in RULES.rules if rule.name != alert.rule))
    bench.broker.faults = [TransientError("away")]
    with pytest.raises(TransientError):
        await bench.stage.reload(others)
    await bench.stage.reload(others)
    await bench.stage.reload(others)
    assert [(item.id, item.status) for item in bench.broker.alerts()] == [(alert.id, AlertStatus.FIRING), (alert.id, AlertStatus.RESOLVED)]


async def test_the_same_rules_again_change_nothing(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    other = Bench()
    for batch in (calm, crisis):
        await bench.stage.reload(RULES)
        await bench.stage.process(batch)
        await other.stage.process(batch)
    assert [item.id for item in bench.broker.alerts()] == [item.id for item in other.broker.alerts()]
    assert await bench.store.load() == await other.store.load()


async def test_rules_of_one_name_are_refused_and_the_former_ones_stay(bench: Bench, calm: list[Delivery], crisis: list[Delivery]) -> None:
    await bench.stage.process(calm)
    with pytest.raises(SettingsError):
        await bench.stage.reload(replace(RULES, rules=(*RULES.rules, RULES.rules[0])))
    await bench.stage.process(crisis)
    assert len(firing(bench.broker.alerts())) == 1
