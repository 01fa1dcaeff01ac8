from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from streams.embedded.runtime import read_stack
from streams.embedded.stack import find_stack
from streams.errors import StackError
from streams.settings import Settings


def _ports(pid: int) -> list[tuple[str, int]]:
    process = psutil.Process(pid)
    return [
        (connection.laddr.ip, connection.laddr.port)
        for each in [process, *process.children(recursive=True)]
        for connection in each.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    ]


async def test_documents_go_all_the_way_and_a_plain_stop_leaves_nothing(lab: Any, settings: Settings) -> None:
    stack = lab.build()
    await stack.start()
    sent = lab.messages(1200)
    await stack.intake().put(sent + sent[:50])

    assert await stack.drain(30)
    counts = stack.journal.counts()
    assert (counts.produced, counts.pending, counts.indexed, counts.duplicates) == (1250, 0, 1200, 50)
    assert await lab.indexed(stack) == 1200

    pids = [child.pid for child in stack.status() if child.pid is not None]
    ports = [port for pid in pids for port in _ports(pid)]
    assert len(pids) == 3
    assert {ip for ip, _ in ports} == {"127.0.0.1"}

    began = time.monotonic()
    await stack.stop()
    assert time.monotonic() - began < 10
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids)
    for ip, port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex((ip, port)) != 0
    assert find_stack(settings.embedded.data) is None
    assert read_stack(settings.embedded.data) is None


async def test_the_index_survives_a_stop_and_a_start(lab: Any) -> None:
    first = lab.build()
    await first.start()
    await first.intake().put(lab.messages(300))
    assert await first.drain(30)
    await first.stop()

    second = lab.build()
    await second.start()
    assert await lab.indexed(second) == 300
    assert second.journal.backlog() == 0
    await second.intake().put(lab.messages(300))
    assert await second.drain(30)
    assert second.journal.counts().duplicates == 300


async def test_another_terminal_finds_the_stack_and_its_servers(lab: Any, settings: Settings) -> None:
    stack = lab.build()
    await stack.start()
    found = find_stack(settings.embedded.data)
    assert found is not None
    assert found.state == "up"
    assert {child.name for child in found.children} == {"broker", "search", "worker"}
    theirs = found.settings(settings)
    assert theirs.kafka.bootstrap_servers == stack.settings.kafka.bootstrap_servers
    assert theirs.journal == stack.journal.path
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(theirs.search.url)).status_code == 200


async def test_a_second_stack_on_the_folder_is_refused_and_does_no_harm(lab: Any) -> None:
    first, second = lab.build(), lab.build()
    await first.start()
    found = find_stack(first.settings.embedded.data)
    assert found is not None
    with pytest.raises(StackError, match=rf"another stack \(process {found.pid}\) runs on") as refused:
        await second.start()
    assert "--data" in refused.value.mend
    await second.stop()
    await first.intake().put(lab.messages(20))
    assert await first.drain(30)
    assert find_stack(first.settings.embedded.data) is not None


async def test_two_stacks_on_two_folders_live_side_by_side(lab: Any, tmp_path: Path) -> None:
    one, two = lab.build(tmp_path / "one"), lab.build(tmp_path / "two")
    await asyncio.gather(one.start(), two.start())
    await one.intake().put(lab.messages(100))
    await two.intake().put(lab.messages(40))
    assert all(await asyncio.gather(one.drain(30), two.drain(30)))
    assert (await lab.indexed(one), await lab.indexed(two)) == (100, 40)


async def test_a_stop_while_documents_flow_keeps_the_rest_for_the_next_start(lab: Any) -> None:
    stack = lab.build()
    await stack.start()
    await stack.intake().put(lab.messages(9000))
    await asyncio.sleep(0.5)
    began = time.monotonic()
    await stack.stop()
    assert time.monotonic() - began < 10
    waiting = stack.journal.counts()
    assert waiting.produced == 9000

    again = lab.build()
    await again.start()
    assert await again.drain(60)
    assert again.journal.counts().indexed == 9000
    assert await lab.indexed(again) == 9000


async def test_a_child_that_will_not_come_up_is_reported_with_its_last_words(lab: Any, tmp_path: Path) -> None:
    stack = lab.build(tmp_path / "data", worker_command=["/bin/sh", "-c", "echo the model is missing; exit 3"])
    with pytest.raises(StackError, match="worker ended with status 3 while it started: the model is missing") as failed:
        await stack.start()
    assert str(tmp_path / "data" / "logs" / "worker.log") in failed.value.mend
    assert find_stack(tmp_path / "data") is None


async def test_a_worker_that_keeps_dying_is_given_up_and_said_so(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.embedded.process._QUICK_FAILURES", 2)
    stack = lab.build(None, "--die-after", "1")
    await stack.start()
    await stack.intake().put(lab.messages(10))
    with pytest.raises(StackError, match=r"worker failed 3 times in a row and is given up: it (was killed by signal 9|did not come up)"):
        await asyncio.wait_for(stack.wait_failed(), 60)
    assert lab.child(stack, "worker").state == "failed"
    with pytest.raises(StackError):
        await stack.drain(5)
    await stack.stop()
    assert stack.journal.counts().pending == 10


async def test_a_message_that_no_topic_takes_is_dead_lettered_and_the_rest_goes_on(lab: Any, settings: Settings) -> None:
    small = settings.model_copy(update={"topics": settings.topics.model_copy(update={"max_message_bytes": 200_000})})
    stack = lab.build(settings=small)
    await stack.start()
    await stack.intake().put([*lab.messages(5), b"x" * 300_000, *lab.messages(5, begin=5)])
    assert await stack.drain(30)
    counts = stack.journal.counts()
    assert (counts.indexed, counts.dead) == (10, 1)
    (letter,) = stack.journal.dead_letters(10)
    assert (letter.reason, letter.original[:3], len(letter.original)) == ("document.too_large", b"xxx", 300_000)


async def test_ten_megabytes_pass_the_broker(lab: Any) -> None:
    stack = lab.build()
    await stack.start()
    await stack.intake().put([b"y" * 10_000_000, *lab.messages(3)])
    assert await stack.drain(30)
    assert stack.journal.counts().indexed == 4


async def test_status_tells_of_every_change(lab: Any) -> None:
    seen: list[str] = []
    stack = lab.build(on_status=lambda children: seen.append(" ".join(f"{child.name}:{child.state}" for child in children)))
    await stack.start()
    lab.kill(stack, "worker")
    await lab.until(lambda: any("worker:restarting" in line for line in seen))
    await lab.until(lambda: lab.pid(stack, "worker") is not None and "worker:up" in seen[-1])
    await stack.stop()
    assert seen[0] == "broker:stopped search:stopped triton:stopped worker:stopped"
    assert any("broker:up search:up triton:off worker:up" in line for line in seen)
    assert seen[-1].count("stopped") == 4 or "triton:off" in seen[-1]


async def test_outcomes_are_settled_when_the_index_is_on_the_disk_even_if_nothing_else_comes(lab: Any) -> None:
    stack = lab.build()
    await stack.start()
    await stack.intake().put(lab.messages(30))
    assert await stack.drain(30)
    assert stack.journal.mark() == 30
    await lab.until(lambda: stack.journal.mark() == 0, 20)
    assert stack.journal.reopen() == []
    lab.kill(stack, "search")
    await lab.until(lambda: lab.child(stack, "search").restarts == 1 and lab.child(stack, "search").state == "up")
    assert stack.journal.backlog() == 0
    assert await lab.indexed(stack) == 30
