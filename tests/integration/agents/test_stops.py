"""SIGTERM at bad moments: status 0 in less than ten seconds, and the next start finishes what was under way."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

DOCUMENTS = 4000

pytestmark = pytest.mark.slow


async def test_a_loaded_worker_stops_at_once_and_nothing_is_lost(way: Any, until: Any) -> None:
    worker = way.worker()
    await worker.ready()
    await way.send(way.settings.topics.raw, way.documents(DOCUMENTS))
    await until(lambda: way.indexed() > 300)
    seconds = await worker.stop()
    assert 0 < way.indexed() < DOCUMENTS
    second = way.worker()
    await until(lambda: way.indexed() == DOCUMENTS, 60)
    await until(lambda: second.metric("bellwether_documents_watched_total") > 0)
    report = await way.audit()
    assert (report.produced, report.indexed, report.lost) == (DOCUMENTS, DOCUMENTS, 0)
    assert seconds < 2.5


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL], ids=["hangs", "is gone"])
@pytest.mark.parametrize("server", ["search", "broker"])
async def test_a_stop_while_a_server_is_away(way: Any, until: Any, server: str, number: signal.Signals) -> None:
    worker = way.worker()
    await worker.ready()
    await way.send(way.settings.topics.raw, way.documents(DOCUMENTS))
    await until(lambda: way.indexed() > 300)
    victim = getattr(way, server)
    victim.signal(number)
    await asyncio.sleep(3)
    # Nothing can be committed any more while the broker is away; it is waited for a little.
    assert await worker.stop() < (2.5 if server == "search" else 8)
    if number is signal.SIGSTOP:
        victim.signal(signal.SIGCONT)
        await way.worker().ready()
        await until(lambda: way.indexed() == DOCUMENTS, 60)


@pytest.mark.parametrize("server", ["search", "broker"])
async def test_a_stop_while_it_waits_for_a_server_at_its_start(way: Any, server: str) -> None:
    getattr(way, server).end()
    worker = way.worker()
    await asyncio.sleep(4)
    assert worker.process.poll() is None, worker.words()
    assert not worker.ready_file.exists()
    assert await worker.stop() < 4


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells which signals a process hears")
@pytest.mark.parametrize("after", [0.0, 0.3, 1.0])
async def test_a_stop_during_the_start(way: Any, until: Any, after: float) -> None:
    """From the moment at which signals are heard, which is before the long imports."""
    worker = way.worker()
    await until(lambda: _hears(worker.process.pid))
    await asyncio.sleep(after)
    assert not worker.ready_file.exists()
    assert await worker.stop() < 10


def _hears(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM (Linux says so)."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
