"""``bellwether alerts`` against a real broker and a real index: what is said arrives, and what was told is listed."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import typer
from aiokafka import AIOKafkaConsumer
from servers.broker import embedded_broker
from servers.search import SearchServer
from typer.testing import CliRunner

from streams.alerts.life.commands import Acknowledge, Command, Silence, Unsilence, read_command
from streams.commands import alerts
from streams.documents import Alert, AlertStatus, Key, Observation
from streams.errors import BellwetherError
from streams.settings import KafkaSettings, SearchSettings, Settings, TopicSettings
from streams.sinks.search import SearchSink
from streams.topics import ensure_topics

START = datetime(2026, 3, 30, 12, tzinfo=UTC)

app = typer.Typer()
alerts.register(app)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_broker(tmp_path_factory.mktemp("tansu")) as address:
        yield address


@pytest.fixture
def prefix(broker: str, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"t{uuid.uuid4().hex}."
    monkeypatch.setenv("BELLWETHER_KAFKA__BOOTSTRAP_SERVERS", broker)
    monkeypatch.setenv("BELLWETHER_TOPICS__PREFIX", name)
    ensure_topics(Settings(kafka=KafkaSettings(bootstrap_servers=broker), topics=TopicSettings(prefix=name)))
    return name


def run(*arguments: str) -> str:
    answer = CliRunner().invoke(app, ["alerts", *arguments], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.stdout.strip()


async def said(broker: str, prefix: str, count: int) -> list[Command]:
    topic = TopicSettings(prefix=prefix).control
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=broker, auto_offset_reset="earliest")
    await consumer.start()
    found: list[Command] = []
    try:
        async with asyncio.timeout(30):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [read_command(record.value) for record in records]
    finally:
        await consumer.stop()
    return found


def test_what_is_said_stands_on_the_control_topic_in_its_order(broker: str, prefix: str) -> None:
    before = datetime.now(UTC)
    id = run("silence", "entity:caldrava-*", "--for", "4h", "--rule", "negative*", "--author", "ann", "--comment", "known")
    run("silence", "storm", "--id", "weather", "--from", "2026-04-07T15:00", "--until", "2026-04-07T19:00+02:00", "--author", "")
    run("unsilence", id, "--author", "ann")
    run("ack", "a" * 32, "--author", "bob")
    run("ack", "b" * 16, "--until", "2099-01-01T00:00")
    first, second, third, fourth, fifth = asyncio.run(said(broker, prefix, 5))
    assert isinstance(first, Silence)
    assert (first.id, first.author, first.comment) == (id, "ann", "known")
    assert (first.matchers[0].kind, first.matchers[0].value, first.matchers[0].rule) == ("entity", "caldrava-*", "negative*")
    assert before <= first.ends_at - timedelta(hours=4) <= datetime.now(UTC)
    assert first.starts_at == first.ends_at - timedelta(hours=4, days=1), "it holds for text that is late, too"
    assert isinstance(second, Silence)
    assert second.ends_at - second.starts_at == timedelta(hours=2)
    assert (second.matchers[0].kind, second.matchers[0].value, second.author) == ("*", "storm", "")
    assert third == Unsilence(id=id, author="ann")
    assert isinstance(fourth, Acknowledge)
    assert timedelta(hours=23) < fourth.until - before < timedelta(hours=25)
    assert isinstance(fifth, Acknowledge)
    assert fifth.until == datetime(2099, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["silence", "--for", "4h"], "every alert"),
        (["silence", "bank"], "when this ends"),
        (["silence", "bank", "--for", "4h", "--until", "2099-01-01"], "when this ends"),
        (["silence", "bank", "--for", "soon"], "soon"),
        (["silence", "bank", "--for", "0s"], "longer than nothing"),
        (["silence", "bank", "--until", "later"], "not a time"),
        (["silence", "bank", "--until", "2026-01-01"], "ends_at"),
        (["silence", "bank", "--from", "2026-01-02", "--until", "2026-01-01"], "ends_at"),
        (["unsilence", "a b"], "id"),
        (["ack", "xyz"], "target"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line_with_its_mend(arguments: list[str], what: str) -> None:
    answer = CliRunner().invoke(app, ["alerts", *arguments])
    assert isinstance(answer.exception, BellwetherError)
    assert what in answer.exception.message
    assert "\n" not in answer.exception.message
    assert answer.exception.mend


def make_alert(number: int, status: AlertStatus, rule: str) -> Alert:
    return Alert(
        id=f"{number:032x}",
        fingerprint=f"{number:016x}",
        rule=rule,
        status=status,
        severity="warning",
        key=Key(kind="entity", value=f"bank{number}", name=f"Bank {number}"),
        starts_at=START + timedelta(hours=number),
        observed=Observation(start=START, end=START + timedelta(hours=3), documents=20, negative=16, share=0.8),
        baseline=None,
        p_value=1e-9,
        evidence=(),
        languages={},
        sources={},
        summary="It turned.",
    )


async def test_the_list_is_what_the_index_holds(tmp_path, broker: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = SearchServer("embedded", tmp_path)
    try:
        search = SearchSettings(url=server.url, index_prefix="told")
        sink = SearchSink(search)
        await sink.open()
        for number, (status, rule) in enumerate(
            [(AlertStatus.FIRING, "one"), (AlertStatus.RESOLVED, "one"), (AlertStatus.FIRING, "two"), (AlertStatus.FIRING, "one+two")]
        ):
            await sink.write_alert(make_alert(number, status, rule))
        await sink.close()
        monkeypatch.setenv("BELLWETHER_SEARCH__URL", server.url)
        monkeypatch.setenv("BELLWETHER_SEARCH__INDEX_PREFIX", "told")

        async def listed(*arguments: str) -> list[str]:
            lines = await asyncio.to_thread(run, "list", "--json", *arguments)
            return [json.loads(line)["key"]["value"] for line in lines.splitlines()]

        assert await listed() == ["bank3", "bank2", "bank0"]
        assert await listed("--status", "all") == ["bank3", "bank2", "bank1", "bank0"]
        assert await listed("--status", "resolved") == ["bank1"]
        assert await listed("--rule", "one") == ["bank3", "bank0"]
        assert await listed("--limit", "1") == ["bank3"]
        monkeypatch.setenv("COLUMNS", "200")
        assert "Bank 2 (entity:bank2)" in await asyncio.to_thread(run, "list")
    finally:
        server.stop()
