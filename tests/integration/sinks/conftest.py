"""Search servers: the embedded one, and the real Elasticsearch of ../shared/services where it and Java are present."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from streams.documents import EntityMention, Language, ScoredDocument, Sentiment, Timings, Topic, document_id
from streams.settings import SearchSettings
from streams.sinks.search import SearchSink

SERVICES = Path(__file__).resolve().parents[4] / "shared" / "services"
KINDS = [pytest.param("embedded"), pytest.param("real", marks=pytest.mark.real)]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class SearchServer:
    """A server on a folder: started, killed, started again on the same folder and port."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._pid = 0
        self.start()

    def start(self) -> None:
        if self.kind == "real":
            command = [sys.executable, str(SERVICES / "start_elasticsearch.py"), str(self._folder), "--port", str(self.port)]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            assert line, "Elasticsearch did not start"
            self._pid = int(json.loads(line)["pid"])
            return
        program = str(files("noida_db").joinpath("noida-db"))
        only = ["--only", "elasticsearch", "--elasticsearch-port", str(self.port)]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen([program, "start", "--data-dir", str(self._folder), *only], stdout=log, stderr=log, text=True)
        self._pid = self._process.pid
        deadline = time.monotonic() + 30
        while True:
            try:
                if httpx.get(self.url, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                assert time.monotonic() < deadline, "the embedded server did not start"
            assert self._process.poll() is None, (self._folder / "server.log").read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9, as a crash."""
        os.kill(self._pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(30)

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _skip_without(kind: str) -> None:
    if kind == "embedded":
        pytest.importorskip("noida_db", reason="the extra `embedded` is not installed")
    elif not (SERVICES / "start_elasticsearch.py").is_file():
        pytest.skip("../shared/services is not here")
    elif shutil.which("java") is None:
        pytest.skip("java is not here")


@pytest.fixture(scope="session", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchServer]:
    _skip_without(request.param)
    started = SearchServer(request.param, tmp_path_factory.mktemp(request.param))
    yield started
    started.stop()


@pytest.fixture(params=KINDS)
def mortal_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SearchServer]:
    """A server of one test, to be killed."""
    _skip_without(request.param)
    started = SearchServer(request.param, tmp_path)
    yield started
    started.stop()


@pytest.fixture
def settings(server: SearchServer) -> SearchSettings:
    """Every test has indices of its own."""
    return SearchSettings(url=server.url, index_prefix=f"t{uuid.uuid4().hex[:12]}")


@pytest.fixture
async def sink(settings: SearchSettings) -> AsyncIterator[SearchSink]:
    opened = SearchSink(settings)
    await opened.open()
    yield opened
    await opened.close()


MakeDocument = Callable[..., ScoredDocument]


@pytest.fixture
def make_document() -> MakeDocument:
    def make(number: int, **changes: object) -> ScoredDocument:
        published = datetime(2026, 3, 31, 22, tzinfo=UTC) + timedelta(minutes=number)
        fields: dict[str, object] = {
            "id": document_id("wire", source_id=str(number), url=None, parts=()),
            "source": "wire",
            "source_id": str(number),
            "url": f"https://news.example/{number}",
            "title": f"Aurelia Bank reports its quarter {number}",
            "text": "The board was running through the books of the bank.",
            "published_at": published,
            "tags": ("banks",),
            "language": Language(code="en", confidence=0.97),
            "sentiment": Sentiment(negative=0.7, neutral=0.2, positive=0.1),
            "topic": Topic(label="economy", probabilities={"economy": 0.8, "arts, culture": 0.2}),
            "entities": (EntityMention(id="aurelia", name="Aurelia Bank", matched="Aurelia"),),
            "model_id": "test-1",
            "timings": Timings(received_at=published, scored_at=published, enrich_ms=0.5, score_ms=3.25),
            "origin": f"journal-0-{number}",
        }
        return ScoredDocument.model_validate(fields | changes)

    return make
