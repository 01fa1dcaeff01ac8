"""The command line as a user runs it: processes of their own, real broker, search server, Triton and model."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"


class Bellwether:
    """Runs ``bellwether`` commands and remembers what they started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[subprocess.Popen[str]] = []
        self.environment = {**os.environ, "BELLWETHER_LOG_LEVEL": "warning", "BELLWETHER_LOG_FORMAT": "json", "COLUMNS": "200"}

    def start(self, *arguments: str, name: str = "bellwether", **environment: str) -> subprocess.Popen[str]:
        """Start a command in the background; its output goes to files of the test's folder."""
        out = (self.folder / f"{name}.out").open("w")
        err = (self.folder / f"{name}.err").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "streams.cli", *arguments],
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=self.folder,
            env={**self.environment, "PYTHONPATH": str(ROOT), **environment},
            start_new_session=True,
        )
        self._running.append(process)
        return process

    def run(self, *arguments: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "streams.cli", *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
            env={**self.environment, "PYTHONPATH": str(ROOT), **environment},
        )

    def up(self, data: Path, *arguments: str) -> subprocess.Popen[str]:
        """Start ``bellwether up`` and wait until it is up."""
        process = self.start("up", "--data", str(data), *arguments, name="up")
        # Its own file: the one of a stack that was killed still says "up".
        until(lambda: stack_state(data, process.pid) == "up" or process.poll() is not None, seconds=90)
        assert process.poll() is None, self.error_output("up")
        return process

    def audit(self, data: Path) -> dict[str, Any]:
        """The audit of a data folder."""
        return dict(json.loads(self.run("audit", "--json", "--data", str(data)).stdout))

    def error_output(self, name: str) -> str:
        return (self.folder / f"{name}.err").read_text()

    def close(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            if process.poll() is None:
                process.kill()


def stack_state(data: Path, pid: int) -> str | None:
    """What ``stack.json`` says of the stack of process `pid`; None when it is of another or not there."""
    try:
        found = json.loads((data / "stack.json").read_text())
        return str(found["state"]) if found["pid"] == pid else None
    except (FileNotFoundError, ValueError):
        return None


def children(data: Path) -> dict[str, int]:
    """Process ids of the stack's children by name."""
    found = json.loads((data / "stack.json").read_text())
    return {child["name"]: int(child["pid"]) for child in found["children"]}


def until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait until `condition` holds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Every process below `process`."""
    return psutil.Process(process.pid).children(recursive=True)


def listening(process: psutil.Process) -> set[int]:
    """Ports on which `process` listens; none once it is gone."""
    try:
        return {connection.laddr.port for connection in process.net_connections("inet") if connection.status == psutil.CONN_LISTEN}
    except psutil.Error:
        return set()
