"""A real Alertmanager, a real search server, alerts."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which

import httpx
import pytest
from servers.search import SearchServer

from streams.documents import Alert, Evidence, Key, Observation
from streams.embedded.ports import free_ports
from streams.settings import SearchSettings
from streams.sinks.search import SearchSink

MakeAlert = Callable[..., Alert]


@pytest.fixture
def make_alert() -> MakeAlert:
    """An alert that began an hour ago."""
    at = datetime.now(UTC).replace(microsecond=0)

    def make(number: int = 1, status: str = "firing", **changes: object) -> Alert:
        span = {"start": at - timedelta(hours=3), "end": at - timedelta(minutes=5)}
        evidence = Evidence(id="0" * 32, title="奥雷利亚银行", url=None, source="wire", language="zh", published_at=at, score=-0.9)
        fields: dict[str, object] = {
            "id": f"{number:032x}",
            "fingerprint": f"{number:016x}",
            "rule": "negative-share",
            "status": status,
            "severity": "critical",
            "key": Key(kind="entity+topic", value=f"bank-{number}|economy", name="Банк / economy"),
            "starts_at": at - timedelta(hours=1) - timedelta(minutes=number),
            "observed": Observation(**span, documents=20, negative=15, share=0.75),
            "baseline": None,
            "p_value": 1e-9,
            "evidence": (evidence,),
            "languages": {"zh": 3},
            "sources": {"wire": 3},
            "summary": "Opinion about the bank turned: 15 of 20",
            "revision": 0 if status == "firing" else 1,
            "ends_at": None if status == "firing" else at - timedelta(minutes=1),
        }
        return Alert.model_validate(fields | changes)

    return make


@pytest.fixture(scope="session")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real Alertmanager, with a webhook receiver that nobody hears."""
    program = which("prometheus-alertmanager") or which("alertmanager")
    if program is None:
        pytest.skip("no Alertmanager on this machine: apt-get install prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("alertmanager")
    (port,) = free_ports(1)
    (folder / "config.yml").write_text("route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'config.yml'}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _until_ready(url, process, folder / "log")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="session", params=[pytest.param("embedded"), pytest.param("real", marks=pytest.mark.real)])
def search_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchServer]:
    started = SearchServer(request.param, tmp_path_factory.mktemp(request.param))
    yield started
    started.stop()


@pytest.fixture
async def search(search_server: SearchServer) -> AsyncIterator[SearchSink]:
    """An open sink with indices of its own."""
    settings = SearchSettings(url=search_server.url, index_prefix=f"t{uuid.uuid4().hex[:12]}")
    sink = SearchSink(settings)
    await sink.open()
    yield sink
    await sink.close()


@pytest.fixture
def search_settings(search: SearchSink) -> SearchSettings:
    return search._settings
