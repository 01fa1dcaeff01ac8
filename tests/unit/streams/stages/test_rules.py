"""A rule file that changes while the service runs: rules and their channels change together, or not at all."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import pytest
import structlog

from streams.alerts.engine import Engine
from streams.alerts.rules.reading import read_rules
from streams.delivery.building import build_dispatcher
from streams.documents import Alert, Decision, ScoredDocument
from streams.errors import TransientError
from streams.metrics import Metrics
from streams.settings import Settings
from streams.stages.contract import Delivery, Record
from streams.stages.notify import NotifyStage
from streams.stages.rules import RuleStage
from streams.stages.watch import WatchStage
from streams.state import MemoryStateStore

Documents = Callable[..., ScoredDocument]
Read = Callable[..., float]

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()
OPS = f"{{type: webhook, url: 'https://ops.example/', secrets: [{SECRET}]}}"


def rules(above: int, channel: str = "ops", channels: str = f"ops: {OPS}", name: str = "volume") -> str:
    """A file whose only rule speaks of more than `above` documents, to `channel`."""
    return f"""
version: 1
channels:
  {channels}
rules:
  - name: {name}
    window: 30m
    hop: 5m
    signal: documents
    detector: {{type: threshold, above: {above}}}
    evidence: {{documents: 1}}
    cool_down: 30m
    channels: [{channel}]
"""


class Store(MemoryStateStore):
    """Fails as told."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Exception] = []

    async def save(self, changes: Mapping[str, bytes | None]) -> None:
        if self.faults:
            raise self.faults.pop(0)
        await super().save(changes)


class Broker:
    """Keeps the alerts."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    async def send(self, records: Sequence[Record]) -> None:
        self.alerts += [Alert.model_validate_json(record.value) for record in records]


class Sink:
    """Keeps the decisions; takes every alert."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []

    async def write_decisions(self, decisions: Sequence[Decision]) -> None:
        self.decisions += decisions

    async def write_alert(self, alert: Alert) -> None:
        pass


class Ledger:
    """Takes everything."""

    async def watched(self, origins: object) -> None:
        pass


class Desk:
    """Real stages around one rule file."""

    def __init__(self, path: Path, metrics: Metrics) -> None:
        self.path = path
        self.clock = 1_700_000_000
        self.write(rules(100))
        settings = Settings.model_validate({"search": {"url": "http://127.0.0.1:9"}})
        self.store, self.broker, self.sink = Store(), Broker(), Sink()
        current = read_rules(path)
        ledger = Ledger()
        self.watch = WatchStage(Engine(current), self.store, self.broker, "alerts", self.sink, ledger, metrics)  # type: ignore[arg-type]
        self.notify = NotifyStage(
            build_dispatcher(settings, MemoryStateStore(), metrics, current.channels),
            self.sink,  # type: ignore[arg-type]
            delivered=self.watch.acknowledge,
            metrics=metrics,
        )
        self.stage = RuleStage(path, current, self.watch, self.notify, settings.webhook, metrics)

    def write(self, text: str) -> None:
        """The file as an editor leaves it, some seconds later."""
        self.clock += 10
        self.path.write_text(text)
        os.utime(self.path, (self.clock, self.clock))

    async def count(self, scored: Documents, minutes: int, number: int = 12) -> list[Alert]:
        """What `number` documents of twelve minutes lead to."""
        before = len(self.broker.alerts)
        found = [scored(10_000 * minutes + item, minutes=minutes + 12 * item / number) for item in range(number)]
        await self.watch.process([Delivery(item.model_dump_json().encode(), item.origin) for item in found])
        return self.broker.alerts[before:]

    async def strange(self, alert: Alert) -> list[str]:
        """Channels of `alert` that nobody knows."""
        letters = await self.notify.process([Delivery(alert.model_dump_json().encode(), "alerts-0-1")])
        return [letter.detail for letter in letters]


@pytest.fixture
async def desk(tmp_path: Path, metrics: Metrics) -> AsyncIterator[Desk]:
    found = Desk(tmp_path / "rules.yaml", metrics)
    yield found
    await found.notify.close()


async def test_a_good_change_is_in_force_with_its_channels(desk: Desk, scored: Documents, read: Read) -> None:
    await desk.stage.poll()
    assert await desk.count(scored, 0) == []
    desk.write(rules(8, "night", f"night: {OPS}"))
    await desk.stage.poll()
    *_, alert = await desk.count(scored, 60)
    assert (alert.rule, alert.channels) == ("volume", ("night",))
    assert await desk.strange(alert) == []
    assert await desk.strange(alert.model_copy(update={"revision": 7, "channels": ("ops",)})) == ["there is no channel ops"]
    assert read("bellwether_rules_loaded_total") == 1
    assert read("bellwether_rules_broken_total") == 0


async def test_an_unchanged_file_is_loaded_once(desk: Desk, read: Read) -> None:
    desk.write(rules(8))
    for _ in range(3):
        await desk.stage.poll()
    assert read("bellwether_rules_loaded_total") == 1


async def test_what_was_counted_before_the_change_counts_after_it(desk: Desk, scored: Documents) -> None:
    """Another threshold, the same counting: the window that was begun goes on."""
    assert await desk.count(scored, 0, 9) == []
    desk.write(rules(8))
    await desk.stage.poll()
    [alert] = await desk.count(scored, 16, 1)
    assert alert.observed.documents == 9


@pytest.mark.parametrize(
    "text", ["rules: [", "version: 1\nrules: []\n", rules(8, "nobody"), "\xff\x00"], ids=["yaml", "empty", "name", "nul"]
)
async def test_a_broken_file_keeps_the_old_rules_and_is_counted_once(desk: Desk, scored: Documents, read: Read, text: str) -> None:
    desk.write(rules(8))
    await desk.stage.poll()
    desk.write(text)
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await desk.stage.poll()
    assert [entry["event"] for entry in logs] == ["rules.broken"]
    assert read("bellwether_rules_broken_total") == 1
    [alert] = await desk.count(scored, 60)
    assert alert.rule == "volume"


async def test_a_file_that_is_gone_keeps_the_old_rules_and_is_read_when_it_is_back(desk: Desk, scored: Documents, read: Read) -> None:
    desk.path.unlink()
    for _ in range(2):
        await desk.stage.poll()
    assert read("bellwether_rules_broken_total") == 1
    desk.write(rules(8))
    await desk.stage.poll()
    assert len(await desk.count(scored, 60)) == 1


async def test_a_channel_that_cannot_be_read_keeps_everything(
    desk: Desk, scored: Documents, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new rules would speak at 8 documents, and to a channel that nobody has."""
    monkeypatch.delenv("NIGHT_URL", raising=False)
    desk.write(rules(8, "night", f"night: {{type: webhook, url: 'env:NIGHT_URL', secrets: [{SECRET}]}}"))
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await desk.stage.poll()
    [entry] = [entry for entry in logs if entry["event"] == "rules.broken"]
    assert "NIGHT_URL" in entry["error"]
    assert read("bellwether_rules_broken_total") == 1
    assert read("bellwether_rules_loaded_total") == 0
    assert await desk.count(scored, 60) == []
    [alert] = await desk.count(scored, 120, 150)
    assert alert.channels == ("ops",)
    assert await desk.strange(alert) == []


async def test_after_a_file_whose_channel_could_not_be_read_the_mended_one_is_in_force(desk: Desk, scored: Documents, read: Read) -> None:
    desk.write(rules(8, "night", "night: {type: webhook, url: 'ftp://x'}"))
    await desk.stage.poll()
    desk.write(rules(8))
    await desk.stage.poll()
    assert (read("bellwether_rules_broken_total"), read("bellwether_rules_loaded_total")) == (1, 1)
    assert len(await desk.count(scored, 60)) == 1


async def test_a_transient_fault_is_tried_again(desk: Desk, scored: Documents, read: Read) -> None:
    """A rule that was speaking is taken out of the file: its alert ends, although the store was away just then."""
    desk.write(rules(8))
    await desk.stage.poll()
    [alert] = await desk.count(scored, 0)
    desk.write(rules(8, name="other"))
    desk.store.faults = [TransientError("locked")] * 2
    for _ in range(2):
        with pytest.raises(TransientError):
            await desk.stage.poll()
    assert read("bellwether_rules_loaded_total") == 1
    await desk.stage.poll()
    await desk.stage.poll()
    assert read("bellwether_rules_loaded_total") == 2
    ended = [item for item in desk.broker.alerts if item.rule == "volume" and item.status.value == "resolved"]
    assert [item.id for item in ended] == [alert.id]
