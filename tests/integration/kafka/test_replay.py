"""Replay of files into real brokers; kill -9 in the middle; everything arrives."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from servers.broker import Cluster

from streams.documents import parse_raw
from streams.errors import TransientError
from streams.settings import KafkaSettings, Settings, TopicSettings
from streams.sources.cursors import FileCursorStore
from streams.sources.intake import KafkaIntake
from streams.sources.mapping import FieldMapping
from streams.sources.replay import Replay, ReplayProgress
from streams.topics import ensure_topics

ROOT = Path(__file__).resolve().parents[3]
STREAMS = ROOT.parent / "shared" / "data" / "streams"
BROKERS = [pytest.param("tansu"), pytest.param("kafka", marks=pytest.mark.real)]
BATCH = 100

CHILD = """
import asyncio, sys
from pathlib import Path
from streams.settings import KafkaSettings, Settings, TopicSettings
from streams.sources.cursors import FileCursorStore
from streams.sources.intake import KafkaIntake
from streams.sources.replay import Replay, ReplayProgress

address, prefix, file, cursors = sys.argv[1:]
ours = Settings(kafka=KafkaSettings(bootstrap_servers=address), topics=TopicSettings(prefix=prefix))

async def main():
    intake = KafkaIntake(ours)
    replay = Replay(Path(file), destination=prefix, cursors=FileCursorStore(Path(cursors)), batch_size=100,
                    progress=lambda progress: print(progress.resumed_from + progress.lines, flush=True))
    report = await replay.run(intake)
    await intake.close()
    print("done", report.resumed_from, report.last_line, flush=True)

asyncio.run(main())
"""


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


def settings(address: str, prefix: str) -> Settings:
    return Settings(kafka=KafkaSettings(bootstrap_servers=address), topics=TopicSettings(prefix=prefix))


async def values(ours: Settings, at_least: int) -> list[bytes]:
    """Everything on the raw topic: read on until nothing more comes for a while."""
    consumer = AIOKafkaConsumer(
        ours.topics.raw, bootstrap_servers=ours.kafka.bootstrap_servers, auto_offset_reset="earliest", max_partition_fetch_bytes=32_000_000
    )
    await consumer.start()
    found: list[bytes] = []
    try:
        async with asyncio.timeout(60):
            while (batches := await consumer.getmany(timeout_ms=500)) or len(found) < at_least:
                for records in batches.values():
                    found += [record.value for record in records]
    finally:
        await consumer.stop()
    return found


async def test_killed_in_the_middle_and_started_again_nothing_is_missing(broker: str, tmp_path: Path) -> None:
    ours = settings(broker, "killed.")
    await asyncio.to_thread(ensure_topics, ours)
    lines = [
        json.dumps({"id": str(n), "source": f"s{n % 5}", "text": f"text {n} " + "x" * 300, "published_at": "2024-01-01T00:00:00Z"}).encode()
        for n in range(12_000)
    ]
    file = tmp_path / "news.jsonl.gz"
    file.write_bytes(gzip.compress(b"\n".join(lines)))
    command = [sys.executable, "-c", CHILD, broker, "killed.", str(file), str(tmp_path / "cursors")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    kills = 0
    for reach in (1_500, 5_000, None):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert child.stdout is not None
        last = ""
        for last in child.stdout:
            if reach is not None and last.strip().isdigit() and int(last) >= reach:
                child.send_signal(signal.SIGKILL)
                kills += 1
                break
        child.wait(30)
        child.stdout.close()
    assert kills == 2
    word, resumed, end = last.split()
    assert (word, end) == ("done", "12000")
    assert int(resumed) >= 5_000, "the last run went on where the second was killed"
    found = await values(ours, len(lines))
    assert set(found) == set(lines)
    assert len(found) - len(lines) <= 2 * BATCH * 2, "at most the unsaved batches are repeated"


@pytest.mark.skipif(not STREAMS.is_dir(), reason="needs ../shared/data/streams (real text)")
@pytest.mark.parametrize(
    ("name", "count", "mapping", "zone"),
    [
        ("telegram_ru_2024", 8000, "source=channel", None),
        ("noticias_es", 4456, None, None),
        ("cnbc_id_tweets", 6000, None, "Asia/Jakarta"),
        ("saudi_news_2015", 6000, None, "Asia/Riyadh"),
        ("headlines_2018_2020", 13144, "tags=outlet", "America/New_York"),
        ("xueqiu_news_zh", 6000, "tags=target", "Asia/Shanghai"),
    ],
)
async def test_real_streams_arrive_whole_and_readable(
    broker: str, tmp_path: Path, name: str, count: int, mapping: str | None, zone: str | None, record_property
) -> None:
    ours = settings(broker, f"{name}.")
    await asyncio.to_thread(ensure_topics, ours)
    intake = KafkaIntake(ours)
    replay = Replay(
        STREAMS / f"{name}.jsonl.gz",
        destination=name,
        cursors=FileCursorStore(tmp_path),
        mapping=FieldMapping.parse(mapping, zone=zone),
        rebase="now",
    )
    began = time.monotonic()
    try:
        report = await replay.run(intake)
    finally:
        await intake.close()
    rate = report.lines / (time.monotonic() - began)
    record_property("lines_per_second", round(rate))
    print(f"{name}: {rate:.0f} lines/s into {broker}")
    assert (report.lines, intake.taken, intake.dead) == (count, count, 0)
    found = await values(ours, count)
    assert len(found) == count
    documents = [parse_raw(message) for message in found]
    assert max(document.published_at for document in documents) <= datetime.now(UTC)


@pytest.mark.real
@pytest.mark.slow
async def test_one_broker_of_three_killed_in_the_middle_loses_nothing(three_brokers: Cluster, tmp_path: Path) -> None:
    lines = [json.dumps({"id": str(n), "source": f"s{n % 9}", "text": "x" * 200}).encode() for n in range(20_000)]
    file = tmp_path / "news.jsonl"
    file.write_bytes(b"\n".join(lines))
    ours = Settings(
        kafka=KafkaSettings(bootstrap_servers=three_brokers.bootstrap),
        topics=TopicSettings(prefix="three.", replication=3, partitions=6),
    )
    await asyncio.to_thread(ensure_topics, ours)
    killed: list[int] = []
    refusals: list[TransientError] = []

    def kill(progress: ReplayProgress) -> None:
        if progress.lines >= 6_000 and not killed:
            killed.append(progress.lines)
            three_brokers.kill(1)

    intake = KafkaIntake(ours)
    replay = Replay(file, destination="three", cursors=FileCursorStore(tmp_path / "c"), batch_size=200, progress=kill)
    try:
        report = await replay.run(intake, on_wait=refusals.append)
    finally:
        await intake.close()
    assert killed
    assert report.lines == len(lines)
    found = await values(ours, len(lines))
    assert set(found) == set(lines)
    assert len(found) - len(lines) <= 200 * len(refusals), "only a batch whose acknowledgement failed may be repeated"
