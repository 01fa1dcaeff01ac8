"""The same measurement as bench.path on real Kafka and the real Elasticsearch core of ../shared/services (Java 17).

    python -m bench.real_servers [--documents 10000]

One worker process with all agents and the no-op scorer, one broker, four partitions. The time runs from the first document
put to the moment when the last is indexed and watched, by the worker's own metrics; the audit then follows every record.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench.path import documents
from streams import newswire
from streams.audit import audit_topics
from streams.settings import Settings, load_settings
from streams.sources.intake import KafkaIntake

__all__ = ["measure"]

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ROOT.parent / "shared" / "services"


@contextlib.contextmanager
def _server(*arguments: str) -> Iterator[dict[str, Any]]:
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield dict(json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def _worker(settings: Settings, folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    ready = folder / "ready.json"
    pairs = {
        "kafka.bootstrap_servers": settings.kafka.bootstrap_servers,
        "search.url": settings.search.url,
        "scoring.backend": "noop",
        "enrich.entities": str(newswire.entities_path()),
        "log_level": "error",
    }
    options = [part for name, value in pairs.items() for part in ("-s", f"{name}={value}")]
    process = subprocess.Popen([sys.executable, "-m", "streams.cli", "worker", "--ready-file", str(ready), *options], cwd=ROOT)
    try:
        while not ready.exists():
            assert process.poll() is None, "the worker did not start"
            time.sleep(0.1)
        yield psutil.Process(process.pid), f"http://127.0.0.1:{json.loads(ready.read_text())['metrics_port']}/metrics"
    finally:
        process.terminate()
        process.wait(30)


async def _until(client: httpx.AsyncClient, metrics: str, count: int) -> None:
    wanted = (r'(?m)^bellwether_documents_finished_total\{outcome="indexed"\} (\S+)', r"(?m)^bellwether_documents_watched_total (\S+)")
    while True:
        text = (await client.get(metrics)).text
        found = [re.search(pattern, text) for pattern in wanted]
        if all(match is not None and float(match[1]) >= count for match in found):
            return
        await asyncio.sleep(0.05)


def _stages(text: str) -> dict[str, float]:
    """Seconds that batches spent in each stage, waiting included."""
    found = re.findall(r'(?m)^bellwether_stage_seconds_sum\{stage="(\w+)"\} (\S+)', text)
    return {stage: round(float(seconds), 2) for stage, seconds in found}


async def measure(count: int) -> dict[str, object]:
    """Run it once."""
    made = documents(count)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        kafka = stack.enter_context(_server(str(SERVICES / "start_kafka.py"), "up", str(folder / "kafka")))
        search = stack.enter_context(_server(str(SERVICES / "start_elasticsearch.py"), str(folder / "search")))
        settings = load_settings(kafka={"bootstrap_servers": kafka["bootstrap"]}, search={"url": search["url"]})
        worker, metrics = stack.enter_context(_worker(settings, folder))
        intake = KafkaIntake(settings)
        async with httpx.AsyncClient(trust_env=False) as client:
            await intake.put(made[:500])  # connections, caches, and the Java machines' compilers
            await _until(client, metrics, 500)
            processes = {"worker": worker, "kafka": psutil.Process(kafka["nodes"][0]["pid"]), "search": psutil.Process(search["pid"])}
            before, began = {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}, time.monotonic()
            for start in range(500, count, 1000):
                await intake.put(made[start : start + 1000])
            await _until(client, metrics, count)
            seconds = time.monotonic() - began
            used = {name: sum(process.cpu_times()[:2]) - before[name] for name, process in processes.items()}
            stages = _stages((await client.get(metrics)).text)
        await intake.close()
        report = await audit_topics(settings)
        return {
            "documents": count - 500,
            "balanced": report.balanced,
            "seconds": round(seconds, 2),
            "documents_per_second": round((count - 500) / seconds, 1),
            "processor_ms_per_document": {name: round(1000 * value / (count - 500), 3) for name, value in used.items()},
            "stage_seconds": stages,
        }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=10_000)
    print(json.dumps(asyncio.run(measure(parser.parse_args().documents)), indent=2))


if __name__ == "__main__":
    main()
