"""The worker as a process: ready when it consumes, metrics for this machine only, one watcher."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from streams.embedded.worker import environment
from streams.errors import BellwetherError, StackError
from streams.ledger import KafkaLedger
from streams.worker import run_worker

ROOT = Path(__file__).resolve().parents[3]


async def test_it_is_ready_when_it_consumes_and_not_before(way: Any, until: Any) -> None:
    way.search.end()
    worker = way.worker()
    await until(lambda: "search" in worker.words())
    await asyncio.sleep(2)
    assert not worker.ready_file.exists()
    await way.search.start()
    await worker.ready()
    found = json.loads(worker.ready_file.read_text())
    assert found["pid"] == worker.process.pid
    await way.send(way.settings.topics.raw, [*way.documents(30), b"{"])
    await until(lambda: way.indexed() == 30)
    await until(lambda: worker.metric("bellwether_documents_watched_total") == 30)
    await until(lambda: worker.metric("bellwether_dead_letters_total", stage="score") == 1)
    assert worker.metric("bellwether_documents_received_total") == 31
    assert worker.metric("bellwether_documents_finished_total", outcome="indexed") == 30
    assert worker.metric("bellwether_documents_finished_total", outcome="dead") == 1
    assert worker.metric("bellwether_build_info") == 1
    listening = [each for each in psutil.Process(worker.process.pid).net_connections("inet") if each.status == psutil.CONN_LISTEN]
    assert {each.laddr.ip for each in listening} == {"127.0.0.1"}
    assert {each.laddr.port for each in listening} == {found["metrics_port"]}
    await worker.stop()


@pytest.mark.slow
async def test_a_second_watcher_is_refused_in_one_line(way: Any) -> None:
    first = way.worker()
    await first.ready()
    second = way.worker()
    status = await asyncio.to_thread(second.process.wait, 60)
    assert status == 1
    assert not second.ready_file.exists()
    assert "being watched by another worker" in second.words()
    assert "mend: scale out with `bellwether worker --agents score,index`" in second.words()
    assert "Traceback" not in second.words()
    assert first.process.poll() is None
    await first.stop()


async def test_a_search_server_that_refuses_us_is_one_line_and_the_end(way: Any) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        worker = way.worker(settings=way.settings.model_copy(update={"search": way.settings.search.model_copy(update={"url": url})}))
        assert await asyncio.to_thread(worker.process.wait, 40) == 1
    finally:
        server.shutdown()
        server.server_close()
    assert f"error: search: {url}" in worker.words()
    assert "mend:" in worker.words()
    assert not worker.ready_file.exists()


async def test_a_worker_that_breaks_down_says_so_and_has_acknowledged_nothing(
    way: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bury(*_: Any) -> None:
        raise StackError("the journal is closed")

    monkeypatch.setattr(KafkaLedger, "bury", bury)
    ready = way.folder / "ready.json"
    running = asyncio.create_task(run_worker(way.settings, ready_file=ready))
    await until(ready.exists)
    await way.send(way.settings.topics.raw, [b"{", *way.documents(10)])
    with pytest.raises(BellwetherError, match=r"broke down: StackError.*journal is closed"):
        await asyncio.wait_for(running, 30)
    assert await way.committed(way.settings.topics.raw) == 0


@pytest.mark.slow
async def test_two_watchers_that_start_at_the_same_moment_do_not_both_watch(way: Any, until: Any) -> None:
    workers = [way.worker(alone=False), way.worker(alone=False)]
    await until(lambda: any(worker.process.poll() is not None for worker in workers), 60)
    assert not all(worker.ready_file.exists() for worker in workers)


async def test_fausts_own_command_runs_the_agents_too(way: Any, until: Any) -> None:
    variables = {**environment(way.settings), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    log = way.folder / "faust.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "faust", "-A", "streams.app", "worker", "-l", "warn"],
            env=variables,
            cwd=way.folder,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
        )
    try:
        await way.send(way.settings.topics.raw, way.documents(20))
        await until(lambda: way.indexed() == 20 or process.poll() is not None, 60)
        assert process.poll() is None, log.read_text()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 15) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
