"""kill -9 in the middle of a replay of real text: the books balance and the index holds no document twice."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from e2e.harness import Bellwether, children, descendants, until

from streams.embedded.journal import Journal

LINES = 1200


@pytest.fixture
def file(streams: Path, tmp_path: Path) -> Path:
    """The first lines of a real stream of Spanish headlines."""
    path = tmp_path / "noticias.jsonl"
    with gzip.open(streams / "noticias_es.jsonl.gz", "rt") as lines:
        path.write_text("".join(line for line, _ in zip(lines, range(LINES), strict=False)))
    return path


def _ids(data: Path) -> list[str]:
    """Ids in the index, as the search server that runs on `data` gives them, page by page."""
    import urllib.request

    found = json.loads((data / "stack.json").read_text())["search"]
    urllib.request.urlopen(urllib.request.Request(f"{found}/opinion-documents-*/_refresh", method="POST"), timeout=10).read()
    ids: list[str] = []
    after = None
    while True:
        body = {"size": 1000, "_source": False, "sort": [{"event.id": "asc"}], "query": {"match_all": {}}}
        if after is not None:
            body["search_after"] = after
        request = urllib.request.Request(
            f"{found}/opinion-documents-*/_search", data=json.dumps(body).encode(), headers={"content-type": "application/json"}
        )
        hits = json.loads(urllib.request.urlopen(request, timeout=20).read())["hits"]["hits"]
        if not hits:
            return ids
        ids += [hit["_id"] for hit in hits]
        after = hits[-1]["sort"]


def _indexed(data: Path) -> int:
    journal = Journal(data / "journal.db")
    try:
        return journal.counts().indexed
    finally:
        journal.close()


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["worker", "broker", "search", "everything"])
def test_kill_in_the_middle_of_a_replay(bellwether: Bellwether, file: Path, victim: str) -> None:
    data = bellwether.folder / "data"
    up = bellwether.up(data, "-s", "scoring.backend=noop")
    replay = bellwether.start("replay", str(file), "--speed", "max", "--data", str(data), name="replay")
    until(lambda: _indexed(data) > 100)
    if victim == "everything":
        family = [psutil.Process(up.pid), *descendants(up), psutil.Process(replay.pid)]
        for process in family:
            if process.is_running():
                os.kill(process.pid, signal.SIGKILL)
        up.wait(10)
        replay.wait(10)
        up = bellwether.up(data, "-s", "scoring.backend=noop")
        again = bellwether.run("replay", str(file), "--speed", "max", "--data", str(data))
        assert again.returncode == 0, again.stderr
    else:
        os.kill(children(data)[victim], signal.SIGKILL)
        assert replay.wait(120) == 0, bellwether.error_output("replay")
    until(lambda: bellwether.audit(data)["lost"] == 0, seconds=90)
    report = bellwether.audit(data)
    assert report["balanced"]
    assert report["produced"] >= LINES
    assert report["indexed"] + report["duplicates"] == report["produced"]
    ids = _ids(data)
    assert len(ids) == len(set(ids)) == report["indexed"]
    expected = {json.loads(line)["id"] for line in file.read_text().splitlines()}
    assert report["indexed"] == len(expected)
    up.send_signal(signal.SIGTERM)
    assert up.wait(15) == 0


@pytest.mark.slow
def test_a_plain_stop_drains_and_the_rest_waits_for_the_next_start(bellwether: Bellwether, file: Path) -> None:
    data = bellwether.folder / "data"
    up = bellwether.up(data, "-s", "scoring.backend=onnx")
    done = bellwether.run("replay", str(file), "--speed", "max", "--no-follow", "--data", str(data))
    assert done.returncode == 0, done.stderr
    began = time.monotonic()
    up.send_signal(signal.SIGINT)
    assert up.wait(20) == 0
    assert time.monotonic() - began < 10
    stopped = bellwether.audit(data)
    assert stopped["produced"] == LINES
    up = bellwether.up(data, "-s", "scoring.backend=noop")
    until(lambda: bellwether.audit(data)["lost"] == 0, seconds=90)
    ids = _ids(data)
    assert len(ids) == len(set(ids)) == bellwether.audit(data)["indexed"]


@pytest.mark.slow
def test_replay_killed_and_repeated_goes_on(bellwether: Bellwether, file: Path) -> None:
    data = bellwether.folder / "data"
    bellwether.up(data, "-s", "scoring.backend=noop")
    replay = bellwether.start("replay", str(file), "--speed", "4000x", "--no-follow", "--data", str(data), name="replay")
    until(lambda: _indexed(data) > 20)
    replay.kill()
    replay.wait()
    done = bellwether.run("replay", str(file), "--speed", "max", "--data", str(data))
    assert done.returncode == 0, done.stderr
    report = bellwether.audit(data)
    assert report["balanced"]
    assert report["indexed"] == len({json.loads(line)["id"] for line in file.read_text().splitlines()})


def test_bad_input_is_one_line(bellwether: Bellwether) -> None:
    for arguments in (
        ("replay", "no-such-file.jsonl"),
        ("up", "--data", "/proc/nowhere"),
        ("worker", "-s", "kafka.bootstrap_servers=nonsense"),
    ):
        done = bellwether.run(*arguments)
        assert done.returncode in (1, 2), arguments
        lines = done.stderr.strip().splitlines()
        assert lines[0].startswith("error: "), done.stderr
        assert len(lines) <= 2, done.stderr
        assert isinstance(done, subprocess.CompletedProcess)
