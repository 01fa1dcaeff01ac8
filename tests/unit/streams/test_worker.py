"""What a worker does before it runs: asks the brokers without ever hanging on them, and is the only watcher."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from streams import worker
from streams.errors import BellwetherError, TransientError
from streams.settings import Settings, load_settings
from streams.topics import EnsuredTopics, GroupMember

MEMBER = GroupMember(id="1", client="faust-1", host="10.0.0.7")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings(worker={"session_timeout": 1})


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between two questions last no time."""

    async def pause(stop: asyncio.Event) -> None:
        await asyncio.sleep(0.01)

    monkeypatch.setattr(worker, "_pause", pause)


def _answers(*answers: Any) -> Callable[..., Any]:
    """Gives or raises these in turn, the last one for ever."""
    left = list(answers)

    def answer(*_: Any) -> Any:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found

    return answer


async def test_a_question_is_answered_in_a_thread() -> None:
    assert await worker._unless(asyncio.Event(), threading.current_thread) is not threading.main_thread()


async def test_what_the_question_raises_is_raised() -> None:
    with pytest.raises(BellwetherError, match="refused"):
        await worker._unless(asyncio.Event(), _answers(BellwetherError("refused")))


async def test_a_question_that_hangs_is_left_behind() -> None:
    stop, hang = asyncio.Event(), threading.Event()
    asyncio.get_running_loop().call_later(0.05, stop.set)
    began = time.monotonic()
    assert await worker._unless(stop, hang.wait) is None
    assert time.monotonic() - began < 30
    hang.set()  # its late answer disturbs nobody
    await asyncio.sleep(0.05)


def test_a_question_that_outlives_the_loop_disturbs_nobody(recwarn: pytest.WarningsRecorder) -> None:
    hang = threading.Event()

    async def ask() -> None:
        stop = asyncio.Event()
        stop.set()
        await worker._unless(stop, hang.wait)

    asyncio.run(ask())
    hang.set()
    time.sleep(0.1)
    assert not [warning for warning in recwarn if "thread" in str(warning.message).lower()]


@pytest.mark.usefixtures("quick")
async def test_brokers_that_are_away_are_waited_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ensured = EnsuredTopics(created=(), existing=(), warnings=("documents.raw has 1 partitions",))
    monkeypatch.setattr(worker, "ensure_topics", _answers(TransientError("away"), TransientError("away"), ensured))
    with structlog.testing.capture_logs() as logs:
        assert await worker._topics_are_there(settings, asyncio.Event())
    assert [entry["event"] for entry in logs] == ["waiting for the brokers"] * 2 + ["topics"]


@pytest.mark.usefixtures("quick")
async def test_brokers_that_refuse_are_an_error_at_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "ensure_topics", _answers(BellwetherError("Kafka refuses us")))
    with pytest.raises(BellwetherError, match="refuses"):
        await worker._topics_are_there(settings, asyncio.Event())


async def test_a_stop_while_the_brokers_are_away(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "ensure_topics", _answers(TransientError("away")))
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, stop.set)
    began = time.monotonic()
    with structlog.testing.capture_logs():
        assert not await worker._topics_are_there(settings, stop)
    assert time.monotonic() - began < 0.95, "the pause ends with it"


@pytest.mark.usefixtures("quick")
async def test_a_dead_watcher_is_waited_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "group_members", _answers([MEMBER], TransientError("away"), [MEMBER], []))
    with structlog.testing.capture_logs() as logs:
        await worker._be_the_only_watcher(settings, ("g",), asyncio.Event())
    assert len(logs) == 3


@pytest.mark.usefixtures("quick")
async def test_a_watcher_that_lives_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "group_members", _answers([MEMBER]))
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=_answers(*range(30))))
    with structlog.testing.capture_logs() as logs, pytest.raises(BellwetherError, match=r"faust-1 at 10\.0\.0\.7") as refused:
        await worker._be_the_only_watcher(settings, ("g",), asyncio.Event())
    assert "--agents score,index" in refused.value.mend
    assert len(logs) >= settings.worker.session_timeout + 4, "the group has had the time to give a dead one up"


@pytest.mark.usefixtures("quick")
async def test_two_that_started_at_the_same_moment_see_each_other_when_both_have_joined(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "group_members", _answers([MEMBER, MEMBER], [MEMBER]))
    with structlog.testing.capture_logs() as logs:
        await worker._be_the_only_watcher(settings, ("g",), asyncio.Event(), members=1)
    assert len(logs) == 1, "the other one has left"
    monkeypatch.setattr(worker, "group_members", _answers([MEMBER, MEMBER]))
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=_answers(*range(30))))
    with structlog.testing.capture_logs(), pytest.raises(BellwetherError, match="watched by another worker"):
        await worker._be_the_only_watcher(settings, ("g",), asyncio.Event(), members=1)


async def test_a_stop_while_another_watches(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "group_members", _answers([MEMBER]))
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, stop.set)
    with structlog.testing.capture_logs():
        await asyncio.wait_for(worker._be_the_only_watcher(settings, ("g",), stop), 60)


def test_the_ready_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    worker._write_ready(path, 9108)
    assert json.loads(path.read_text()).keys() == {"pid", "metrics_port"}
    assert [each.name for each in tmp_path.iterdir()] == ["ready.json"]
