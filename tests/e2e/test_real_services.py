"""The same way on real Kafka 4.1 (three brokers) and the real Elasticsearch core: workers killed, a broker killed, nothing lost."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from e2e.harness import Bellwether, until
from servers.broker import Cluster, kafka_cluster
from servers.search import SearchServer

LINES = 1500

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass
class Servers:
    """The real servers of this module."""

    kafka: Cluster
    search: str


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Three brokers and one Elasticsearch for all tests of this module."""
    folder = tmp_path_factory.mktemp("real")
    with kafka_cluster(folder / "kafka", 3) as kafka:
        search = SearchServer("real", folder / "search")
        yield Servers(kafka, search.url)
        search.stop()


@pytest.fixture
def environment(servers: Servers, request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of one test: topics, group and indices of its own on the common servers."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name.lower()).strip("-")[:40].strip("-")
    return {
        "BELLWETHER_KAFKA__BOOTSTRAP_SERVERS": servers.kafka.bootstrap,
        "BELLWETHER_KAFKA__GROUP": name,
        "BELLWETHER_TOPICS__PREFIX": f"{name}.",
        "BELLWETHER_TOPICS__PARTITIONS": "4",
        "BELLWETHER_TOPICS__REPLICATION": "3",
        "BELLWETHER_SEARCH__URL": servers.search,
        "BELLWETHER_SEARCH__INDEX_PREFIX": name,
        "BELLWETHER_SCORING__BACKEND": "noop",
    }


@pytest.fixture
def file(streams: Path, tmp_path: Path) -> Path:
    """The first lines of a real stream of Spanish headlines."""
    path = tmp_path / "noticias.jsonl"
    with gzip.open(streams / "noticias_es.jsonl.gz", "rt") as lines:
        path.write_text("".join(line for line, _ in zip(lines, range(LINES), strict=False)))
    return path


def _ask(url: str, *, method: str = "GET") -> dict[str, Any]:
    """An answer of Elasticsearch; empty while the shards of a new index are not there yet (404, 503)."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=20) as answer:
            return dict(json.loads(answer.read()))
    except urllib.error.HTTPError as error:
        if error.code not in (404, 503):
            raise
        return {}


def _count(environment: dict[str, str]) -> int:
    base = f"{environment['BELLWETHER_SEARCH__URL']}/{environment['BELLWETHER_SEARCH__INDEX_PREFIX']}-documents-*"
    _ask(f"{base}/_refresh", method="POST")
    return int(_ask(f"{base}/_count").get("count", 0))


def _start_worker(bellwether: Bellwether, environment: dict[str, str], name: str, *arguments: str) -> subprocess.Popen[str]:
    ready = bellwether.folder / f"{name}.ready"
    ready.unlink(missing_ok=True)
    worker = bellwether.start("worker", "--ready-file", str(ready), *arguments, name=name, **environment)
    until(lambda: ready.exists() or worker.poll() is not None, seconds=90)
    assert worker.poll() is None, bellwether.error_output(name)
    return worker


def _audit(bellwether: Bellwether, environment: dict[str, str]) -> dict[str, Any]:
    return dict(json.loads(bellwether.run("audit", "--json", **environment).stdout))


def _balances(bellwether: Bellwether, environment: dict[str, str], file: Path) -> None:
    report: dict[str, Any] = {}

    def settled() -> bool:
        report.update(_audit(bellwether, environment))
        return report["lost"] == 0

    try:
        until(settled, seconds=240)
    except AssertionError as error:
        errors = {name.stem: bellwether.error_output(name.stem)[-2000:] for name in sorted(bellwether.folder.glob("*.err"))}
        raise AssertionError(f"documents without an end: {report}; {errors}") from error
    expected = {json.loads(line)["id"] for line in file.read_text().splitlines()}
    assert report["balanced"]
    assert report["produced"] >= LINES
    assert report["indexed"] == len(expected) == _count(environment)
    assert report["missing"] == []


def test_kill_of_the_worker_and_of_a_broker_in_mid_replay(
    bellwether: Bellwether, servers: Servers, environment: dict[str, str], file: Path
) -> None:
    worker = _start_worker(bellwether, environment, "first")
    replay = bellwether.start("replay", str(file), "--speed", "max", "--data", str(bellwether.folder), name="replay", **environment)
    until(lambda: _count(environment) > 50)
    servers.kafka.kill(1)
    until(lambda: _count(environment) > 150, seconds=120)
    worker.kill()
    worker.wait()
    second = _start_worker(bellwether, environment, "second")
    assert replay.wait(180) == 0, bellwether.error_output("replay")
    _balances(bellwether, environment, file)
    servers.kafka.revive(1)
    second.send_signal(signal.SIGTERM)
    assert second.wait(20) == 0


def test_scorers_share_the_work_and_one_of_them_is_killed(bellwether: Bellwether, environment: dict[str, str], file: Path) -> None:
    watcher = _start_worker(bellwether, environment, "watcher", "--agents", "watch,notify")
    scorers = [_start_worker(bellwether, environment, f"scorer-{number}", "--agents", "score,index") for number in range(2)]
    refused = bellwether.run("worker", "--agents", "watch,notify", timeout=90, **environment)
    assert refused.returncode == 1
    assert "watched by another worker" in refused.stderr
    replay = bellwether.start("replay", str(file), "--speed", "max", "--data", str(bellwether.folder), name="replay", **environment)
    until(lambda: _count(environment) > 50)
    scorers[0].kill()
    assert replay.wait(120) == 0, bellwether.error_output("replay")
    _balances(bellwether, environment, file)
    assert watcher.poll() is None
    assert scorers[1].poll() is None


def test_the_sample_newswire_raises_its_alert_here_too(bellwether: Bellwether, environment: dict[str, str]) -> None:
    """With the real model in process, the state in a compacted topic, and a kill of the worker in the middle."""
    from streams import newswire

    environment |= {"BELLWETHER_SCORING__BACKEND": "onnx", "BELLWETHER_ENRICH__ENTITIES": str(newswire.entities_path())}
    environment |= {"BELLWETHER_TOPICS__PARTITIONS": "1"}
    lines = bellwether.folder / "newswire.jsonl"
    lines.write_bytes(b"".join(message.replace(b"\n", b" ") + b"\n" for message in newswire.documents()))
    worker = _start_worker(bellwether, environment, "first")
    done = bellwether.run("replay", str(lines), "--data", str(bellwether.folder), **environment)
    assert done.returncode == 0, done.stderr
    until(lambda: _count(environment) > 200, seconds=120)
    worker.kill()
    worker.wait()
    _start_worker(bellwether, environment, "second")
    until(lambda: _audit(bellwether, environment)["lost"] == 0, seconds=150)
    report = _audit(bellwether, environment)
    counts = newswire.counts()
    assert (report["produced"], report["indexed"]) == (counts.messages, counts.items)
    assert (report["duplicates"], report["dead"]) == (counts.exact_duplicates, counts.unreadable)
    url, prefix = environment["BELLWETHER_SEARCH__URL"], environment["BELLWETHER_SEARCH__INDEX_PREFIX"]

    def alerts() -> list[dict[str, Any]]:
        _ask(f"{url}/{prefix}-alerts/_refresh", method="POST")
        return [hit["_source"] for hit in _ask(f"{url}/{prefix}-alerts/_search?size=50").get("hits", {}).get("hits", [])]

    until(lambda: len(alerts()) >= 1, seconds=30)
    time.sleep(2)
    assert {(alert["key"]["kind"], alert["key"]["value"]) for alert in alerts()} == {("entity", "caldrava-bank")}
    assert len(alerts()) == 1


def test_doctor_says_what_these_servers_can_do(bellwether: Bellwether, environment: dict[str, str]) -> None:
    done = bellwether.run("doctor", "--json", **environment)
    checks = {check["name"]: check for check in map(json.loads, done.stdout.splitlines())}
    text = json.dumps(list(checks.values()))
    assert "8.15.3" in text
    assert "percentiles" in text
    assert "data streams" in text
    assert environment["BELLWETHER_KAFKA__BOOTSTRAP_SERVERS"].split(",")[0] in text or "brokers" in text
