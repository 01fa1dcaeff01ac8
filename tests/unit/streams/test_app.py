"""The application as it is built, and Faust's own command line on it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, RecordTooLargeError
from faust.exceptions import ProducerSendError

from streams.app import FaustProducer, build_app, group_of, watch_groups
from streams.errors import PermanentError, TransientError
from streams.settings import Settings, load_settings
from streams.stages.contract import Record

ROOT = Path(__file__).resolve().parents[3]


def _settings(*agents: str, **changes: Any) -> Settings:
    return load_settings(scoring={"backend": "noop"}, worker={"agents": agents} if agents else {}, **changes)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return _settings()


@pytest.mark.parametrize(
    ("agents", "group"),
    [((), "bellwether"), (("score", "index"), "bellwether-index-score"), (("index", "score"), "bellwether-index-score")],
)
def test_workers_with_other_agents_are_another_group(agents: tuple[str, ...], group: str) -> None:
    assert group_of(_settings(*agents)) == group


def test_all_agents_in_any_order_are_the_group_itself() -> None:
    assert group_of(_settings("watch", "notify", "index", "score")) == "bellwether"


async def test_faust_carries_what_the_design_allows_and_nothing_else(settings: Settings) -> None:
    app = build_app(settings)
    assert {agent.name.rpartition(".")[2] for agent in app.agents.values()} == {"score", "index", "watch", "notify", "control"}
    assert {agent.concurrency for agent in app.agents.values()} == {1}
    assert not app.conf.web_enabled
    assert app.conf.web_bind == "127.0.0.1"
    assert not app.conf.stream_wait_empty
    assert not app.conf.stream_ack_exceptions
    assert not app.conf.topic_allow_declare
    assert app.conf.id == "bellwether"
    assert app.conf.stream_buffer_maxsize == settings.worker.buffer
    assert len(app.tables) == 0


@pytest.mark.parametrize(
    ("agents", "extra"), [(("score",), ()), (("index",), ()), (("score", "index"), ()), (("watch", "notify"), ("control",))]
)
async def test_only_the_agents_that_were_asked_for(
    agents: tuple[str, ...], extra: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silences are heard where the engine is."""
    monkeypatch.chdir(tmp_path)
    app = build_app(_settings(*agents))
    assert {agent.name.rpartition(".")[2] for agent in app.agents.values()} == {*agents, *extra}


class _Producer:
    """Faust's producer; `answers` are what each record's acknowledgement brings."""

    def __init__(self, answers: Sequence[Exception | None], refused: Exception | None = None) -> None:
        self.answers = list(answers)
        self.refused = refused
        self.sent: list[tuple[Any, ...]] = []

    async def maybe_start_producer(self) -> _Producer:
        return self

    async def send(self, *record: Any) -> asyncio.Future[None]:
        if self.refused is not None:
            raise self.refused
        self.sent.append(record)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answer = self.answers.pop(0)
        if answer is None:
            future.set_result(None)
        else:
            future.set_exception(answer)
        return future


def _bound(app: Any) -> FaustProducer:
    producer = FaustProducer()
    producer.bind(app)
    return producer


RECORDS = [Record("t", b"1", b"k", [("h", b"v")]), Record("t", b"2")]


async def test_records_go_out_with_key_value_and_headers() -> None:
    inner = _Producer([None, None])
    await _bound(inner).send(RECORDS)
    assert inner.sent == [("t", b"k", b"1", None, None, {"h": b"v"}), ("t", None, b"2", None, None, None)]


@pytest.mark.parametrize("error", [KafkaTimeoutError(), ProducerSendError("x")])
async def test_what_was_not_acknowledged_is_transient(error: Exception) -> None:
    with pytest.raises(TransientError):
        await _bound(_Producer([None, error])).send(RECORDS)
    with pytest.raises(TransientError):
        await _bound(_Producer([], refused=error)).send(RECORDS)


@pytest.mark.parametrize("kind", [MessageSizeTooLargeError, RecordTooLargeError])
async def test_what_is_too_large_is_permanent_wherever_it_is_noticed(kind: type[Exception]) -> None:
    wrapped = ProducerSendError("x")
    wrapped.__cause__ = kind()
    for producer in (_Producer([None, kind()]), _Producer([], refused=kind()), _Producer([], refused=wrapped)):
        with pytest.raises(PermanentError) as refused:
            await _bound(producer).send(RECORDS)
        assert refused.value.reason == "broker.too_large"


def _faust(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "faust", "-A", "streams.app", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **environment},
        timeout=60,
        check=False,
    )


def test_fausts_own_command_line_lists_the_configured_agents(tmp_path: Path) -> None:
    done = _faust(tmp_path, "agents", BELLWETHER_SCORING__BACKEND="noop", BELLWETHER_WORKER__AGENTS='["score","index"]')
    assert done.returncode == 0, done.stderr
    assert "score" in done.stdout
    assert "documents.scored" in done.stdout
    assert "watch" not in done.stdout


def test_fausts_own_command_line_shows_the_help_of_its_worker(tmp_path: Path) -> None:
    done = _faust(tmp_path, "worker", "--help", BELLWETHER_SCORING__BACKEND="noop")
    assert done.returncode == 0, done.stderr
    assert "Start worker instance" in done.stdout


def test_importing_the_module_builds_nothing(tmp_path: Path) -> None:
    program = "import streams.app; assert 'app' not in vars(streams.app); print('fine')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BELLWETHER_KAFKA__BOOTSTRAP_SERVERS": "no port"},
        check=False,
    )
    assert done.stdout.strip() == "fine", done.stderr


def test_another_name_of_the_module_is_an_attribute_error() -> None:
    import streams.app

    with pytest.raises(AttributeError, match="nothing"):
        _ = streams.app.nothing


def test_every_group_that_may_watch_is_known() -> None:
    """Each choice of agents with watch in it; a worker of any of them keeps the others from watching."""
    settings = load_settings()
    for others in ((), ("score",), ("index",), ("score", "index")):
        agents = ("watch", "notify", *others)
        assert group_of(load_settings(worker={"agents": agents})) in watch_groups(settings)
    assert group_of(load_settings(worker={"agents": ("score", "index")})) not in watch_groups(settings)
    assert len(set(watch_groups(settings))) == 4
