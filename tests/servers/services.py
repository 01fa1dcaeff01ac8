"""The start scripts of ../shared/services: a process that says in one line of JSON when it is ready, or a skip with the reason."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

__all__ = ["SERVICES", "begin", "end", "first_line"]

SERVICES = Path(__file__).resolve().parents[3] / "shared" / "services"


def begin(script: str, *arguments: str, says_when_ready: bool = True) -> subprocess.Popen[str]:
    """Run a script of the services; skips the test where it or Java is missing.

    Args:
        script: its name.
        arguments: for it.
        says_when_ready: see :func:`first_line`. Else its output is a log that nobody reads.
    """
    if not (SERVICES / script).is_file():
        pytest.skip("../shared/services is not here: no real Kafka and Elasticsearch")
    if shutil.which("java") is None:
        pytest.skip("java is not on the PATH: the real Kafka and Elasticsearch need Java 17")
    command = [sys.executable, str(SERVICES / script), *arguments]
    output = subprocess.PIPE if says_when_ready else subprocess.DEVNULL
    return subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL, text=True)


def first_line(process: subprocess.Popen[str], seconds: float = 120) -> dict[str, Any]:
    """What the script says when its servers are ready; fails the test when it says nothing in time."""
    output = process.stdout
    assert output is not None
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.append(output.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    if not lines or not lines[0]:
        pytest.fail(f"a server did not come up: {process.args}")
    return dict(json.loads(lines[0]))


def end(process: subprocess.Popen[str], seconds: float = 60) -> None:
    """SIGTERM; the script stops what it started."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
