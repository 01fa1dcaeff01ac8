"""Scorers come and go in mid-stream on the real Kafka: partitions move, no document is lost, the books balance."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from streams.topics import ensure_topics, group_members

SCRIPT = Path(__file__).resolve().parents[4] / "shared" / "services" / "start_kafka.py"
DOCUMENTS = 6000

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest_asyncio.fixture
async def real(way: Any, tmp_path: Path) -> AsyncIterator[Any]:
    """The way over one broker of the real Kafka, four partitions."""
    if not SCRIPT.is_file():
        pytest.skip("../shared/services is not here: no real Kafka")
    if shutil.which("java") is None:
        pytest.skip("java is not on the PATH: the real Kafka needs Java 17")
    process = subprocess.Popen([sys.executable, str(SCRIPT), "up", str(tmp_path / "kafka")], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        bootstrap = json.loads(await asyncio.to_thread(process.stdout.readline))["bootstrap"]
        way.settings = way.settings.model_copy(
            update={
                "kafka": way.settings.kafka.model_copy(update={"bootstrap_servers": bootstrap}),
                "topics": way.settings.topics.model_copy(update={"partitions": 4}),
                # Small batches, so that partitions move in the middle of the work.
                "scoring": way.settings.scoring.model_copy(update={"batch_size": 32}),
                "search": way.settings.search.model_copy(update={"batch_size": 32}),
            }
        )
        await asyncio.to_thread(ensure_topics, way.settings)
        yield way
    finally:
        for worker in way.workers:
            worker.kill()
        process.terminate()
        await asyncio.to_thread(process.wait, 40)


async def test_scorers_join_and_leave_in_mid_stream(real: Any, until: Any) -> None:
    def agents(*names: str) -> Any:
        return real.settings.model_copy(update={"worker": real.settings.worker.model_copy(update={"agents": names})})

    watcher = real.worker(settings=agents("watch", "notify"), alone=False)
    first = real.worker(settings=agents("score", "index"), alone=False)
    await asyncio.gather(watcher.ready(), first.ready())
    documents = real.documents(DOCUMENTS)

    async def stream(start: int, end: int) -> None:
        for begin in range(start, end, 100):
            await real.send(real.settings.topics.raw, documents[begin : begin + 100], partition=begin // 100 % 4)
            await asyncio.sleep(0.05)

    beginning = asyncio.create_task(stream(0, DOCUMENTS // 2))
    await until(lambda: real.indexed() > 200)
    second = real.worker(settings=agents("score", "index"), alone=False)
    await second.ready()
    await beginning
    # However long it took to start, there is something left to share.
    streaming = asyncio.create_task(stream(DOCUMENTS // 2, DOCUMENTS - 1000))
    await until(lambda: second.metric("bellwether_documents_received_total") > 200, 60)
    assert real.indexed() < DOCUMENTS, "it joined in the middle"
    assert await first.stop() < 4
    third = real.worker(settings=agents("score", "index"), alone=False)
    await third.ready()
    await streaming
    tail = asyncio.create_task(stream(DOCUMENTS - 1000, DOCUMENTS))
    second.kill()
    await tail
    await until(lambda: real.indexed() == DOCUMENTS, 90)
    await until(lambda: third.metric("bellwether_documents_finished_total", outcome="indexed") > 0)
    report = await real.audit()
    assert (report.produced, report.indexed, report.duplicates, report.dead, report.lost) == (DOCUMENTS, DOCUMENTS, 0, 0, 0)
    await until(lambda: watcher.metric("bellwether_documents_watched_total") >= DOCUMENTS, 60)
    assert await third.stop() < 4
    assert await watcher.stop() < 4
    for group in ("bellwether-index-score", "bellwether-notify-watch"):
        members = await asyncio.to_thread(group_members, real.settings, group)
        assert len(members) <= (1 if group.endswith("score") else 0), "who stops leaves the group; the killed one is given up later"
