"""kill -9 of each part, and of everything: nothing is lost and nothing is in the index twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from streams.embedded.journal import Journal
from streams.embedded.runtime import StackInfo, find_stack, read_stack
from streams.embedded.stack import Stack
from streams.settings import Settings

DOCUMENTS = 4000


async def _stream(lab: Any, stack: Stack) -> None:
    intake = stack.intake()
    for begin in range(0, DOCUMENTS, 100):
        await intake.put(lab.messages(100, begin))
        await asyncio.sleep(0.02)


async def _nothing_lost(lab: Any, stack: Stack) -> None:
    assert await stack.drain(90)
    counts = stack.journal.counts()
    assert (counts.produced, counts.indexed, counts.pending) == (DOCUMENTS, DOCUMENTS, 0), counts
    assert await lab.indexed(stack) == DOCUMENTS


@pytest.mark.parametrize("victims", [("worker",), ("broker",), ("search",), ("broker", "search", "worker")], ids=" ".join)
async def test_kill_in_the_middle_of_a_stream(lab: Any, victims: tuple[str, ...]) -> None:
    stack = lab.build()
    await stack.start()
    before = {name: lab.pid(stack, name) for name in victims}
    streaming = asyncio.create_task(_stream(lab, stack))
    await lab.until(lambda: stack.journal.counts().indexed > 300)
    lab.kill(stack, *victims)
    await streaming
    await lab.until(lambda: all(lab.pid(stack, name) not in (None, before[name]) for name in victims))
    await _nothing_lost(lab, stack)
    # A worker that dies with the broker is stopped and started with it: its own supervisor may not even have seen it die.
    assert all(child.restarts >= 1 for child in stack.status() if child.name in victims and (child.name, len(victims)) != ("worker", 3))


async def test_what_a_killed_search_server_had_only_in_memory_is_indexed_again(lab: Any) -> None:
    stack = lab.build()
    await stack.start()
    await stack.intake().put(lab.messages(DOCUMENTS))
    assert await stack.drain(60)
    # All outcomes are known and the server has answered for every document; its file is up to a second behind.
    lab.kill(stack, "search")
    await lab.until(lambda: lab.child(stack, "search").restarts == 1)
    await lab.until(lambda: lab.child(stack, "search").state == "up")
    await lab.until(lambda: stack.journal.backlog() == 0)
    await _nothing_lost(lab, stack)


async def test_a_search_server_that_hangs_is_replaced(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"_HEALTH_EVERY": 0.3, "_HEALTH_TIMEOUT": 0.3, "_HEALTH_FAILURES": 2}.items():
        monkeypatch.setattr(f"streams.embedded.process.{name}", value)
    stack = lab.build()
    await stack.start()
    hung = lab.pid(stack, "search")
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    await lab.until(lambda: lab.pid(stack, "search") not in (None, hung))
    await stack.intake().put(lab.messages(50))
    assert await stack.drain(30)


_PARENT = """
    import asyncio, sys
    from pathlib import Path
    from streams.embedded.stack import Stack
    from streams.settings import load_settings

    async def main() -> None:
        settings = load_settings(embedded={"data": Path(sys.argv[1])}, scoring={"backend": "noop"})
        stack = Stack(settings, worker_command=sys.argv[2:])
        await stack.start()
        intake = stack.intake()
        n = 0
        while True:
            await intake.put([b'{"n": %d}' % number for number in range(n, n + 100)])
            n += 100
            print(n, flush=True)

    asyncio.run(main())
"""


def _run_parent(lab: Any, data: Path, script: Path) -> tuple[subprocess.Popen[str], StackInfo]:
    script.write_text(textwrap.dedent(_PARENT))
    parent = subprocess.Popen(
        [sys.executable, str(script), str(data), *lab.standin], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert parent.stdout is not None
    for line in parent.stdout:
        if line.strip().isdigit() and int(line) >= 2000:
            break
    found = find_stack(data)
    assert found is not None
    assert found.pid == parent.pid
    return parent, found


def _running(info: StackInfo) -> list[str]:
    return [
        child.name for child in info.children if psutil.pid_exists(child.pid) and psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills children with their parent")
async def test_kill_of_the_parent_leaves_no_orphan_and_loses_nothing(lab: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    parent, info = await asyncio.to_thread(_run_parent, lab, data, tmp_path / "parent.py")
    assert len(_running(info)) == 3
    parent.kill()
    parent.wait()
    await lab.until(lambda: not _running(info), 5)

    assert find_stack(data) is None
    assert read_stack(data) is not None, "the file of the killed stack is still there"
    produced = Journal(data / "journal.db").counts().produced
    assert produced >= 2000
    stack = lab.build()
    await stack.start()
    assert await stack.drain(90)
    counts = stack.journal.counts()
    assert (counts.produced, counts.indexed) == (produced, produced)
    assert await lab.indexed(stack) == produced


async def test_a_start_sweeps_up_what_a_killed_stack_left_where_nothing_else_did(lab: Any, settings: Settings) -> None:
    data = settings.embedded.data
    data.mkdir()
    left, other = (subprocess.Popen(["/bin/sleep", "300"], start_new_session=True) for _ in range(2))
    try:
        for process in (left, other):
            assert psutil.pid_exists(process.pid)
        child = {"name": "broker", "pid": left.pid, "started": psutil.Process(left.pid).create_time(), "program": "/bin/sleep"}
        stranger = {**child, "pid": other.pid, "program": "/usr/bin/tansu"}
        recycled = {**child, "pid": os.getpid(), "started": time.time() - 100_000}
        (data / "stack.json").write_text(
            json.dumps(
                {
                    "pid": 2**22 - 1, "started": 1.0, "state": "up", "data": str(data), "kafka": "127.0.0.1:1", "search": "http://127.0.0.1:2",
                    "triton": None, "scorer": "onnx", "journal": str(data / "journal.db"), "metrics_port": 3,
                    "children": [child, stranger, recycled],
                }
            )
        )  # fmt: skip
        assert find_stack(data) is None
        stack = lab.build()
        await stack.start()
        assert left.wait(5) is not None
        assert other.poll() is None
        await stack.intake().put(lab.messages(10))
        assert await stack.drain(30)
    finally:
        for process in (left, other):
            process.kill()
            process.wait()


async def test_a_stack_file_that_is_not_readable_does_not_keep_from_starting(lab: Any, settings: Settings) -> None:
    settings.embedded.data.mkdir()
    (settings.embedded.data / "stack.json").write_text("{ not json")
    assert find_stack(settings.embedded.data) is None
    stack = lab.build()
    await stack.start()
    assert find_stack(settings.embedded.data) is not None
