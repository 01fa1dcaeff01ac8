"""Wrong usage and wrong files, as a user meets them: one clear line, a mend, the right exit status, no traceback."""

from __future__ import annotations

import gzip
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.harness import Bellwether

from streams import cli

DOCUMENT = {"source": "test", "title": "Shares rise", "published_at": "2024-05-01T12:00:00Z"}


def line(number: int) -> bytes:
    return json.dumps({**DOCUMENT, "id": str(number), "text": f"Text of document {number}"}).encode() + b"\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with files of every kind."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("BELLWETHER_")]:
        monkeypatch.delenv(name)
    # A Kafka that happens to run at the default address of this machine is not to answer.
    monkeypatch.setattr("streams.commands.running.socket.create_connection", _refused)
    write_files(tmp_path)
    return tmp_path


def _refused(address: tuple[str, int], timeout: float) -> socket.socket:
    raise ConnectionRefusedError(f"{address}, {timeout}")


def write_files(place: Path) -> None:
    (place / "folder").mkdir()
    (place / "file").write_text("a file")
    (place / "broken.toml").write_text("[kafka")
    (place / "unknown.toml").write_text("[kafka]\nservers = 'x'\n")
    (place / "feeds.toml").write_text("[[feed]]\nname = 'x'\nurl = 'ftp://x'\n")
    (place / "empty.jsonl").write_bytes(b"")
    (place / "one.jsonl").write_bytes(line(1))
    (place / "binary.jsonl").write_bytes(bytes(range(128, 256)) * 4 + b"\n")
    (place / "prose.jsonl").write_text("This is not JSON\n")
    packed = gzip.compress(b"".join(line(number) for number in range(5000)))
    (place / "cut.jsonl.gz").write_bytes(packed[: len(packed) // 2])


def main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line in this process, through the way that handles errors; gives the exit status."""
    monkeypatch.setattr(sys, "argv", ["bellwether", *arguments])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


NOWHERE = ("no stack runs on", "bellwether up")
BAD = [
    ("config --config absent.toml", 2, "absent.toml does not exist", "BELLWETHER_CONFIG"),
    ("config --config broken.toml", 2, "broken.toml is not TOML", "[kafka]"),
    ("config --config unknown.toml", 2, "kafka.servers: there is no such setting", "bellwether config"),
    ("config -s scoring.batch_size=many", 2, "scoring.batch_size", "BELLWETHER_SCORING__BATCH_SIZE=128"),
    ("config -s scoring.batch=1", 2, "scoring.batch: there is no such setting", "bellwether config"),
    ("worker --agents nonsense", 2, "nonsense", "BELLWETHER_WORKER__AGENTS"),
    ("worker --agents ,", 2, "worker.agents", "BELLWETHER_WORKER__AGENTS"),
    ("worker --agents watch", 2, "watch and notify go together", "BELLWETHER_WORKER__AGENTS"),
    ("worker --metrics-port 99999", 2, "worker.metrics_port", "9108"),
    ("up --feeds absent.toml", 2, "absent.toml cannot be read", "[[feed]]"),
    ("up --feeds broken.toml", 2, "broken.toml is not TOML", "[[feed]]"),
    ("up --feeds feeds.toml", 2, "must begin with http:// or https://", "[[feed]]"),
    ("up --entities absent.jsonl", 1, "absent.jsonl", "enrich.entities"),
    ("up --entities prose.jsonl", 1, "prose.jsonl, line 1: not JSON", "one JSON object a line"),
    ("up --data file", 1, "file", "another"),
    ("replay one.jsonl", 1, *NOWHERE),
    ("topics", 1, *NOWHERE),
    ("audit", 1, *NOWHERE),
    ("worker", 1, *NOWHERE),
    ("replay one.jsonl --data folder", 1, "no stack runs on folder", "BELLWETHER_KAFKA__BOOTSTRAP_SERVERS"),
]


@pytest.mark.parametrize(("command", "status", "says", "mend"), BAD, ids=[row[0] for row in BAD])
def test_what_is_wrong_is_one_line_and_its_mend(
    command: str, status: int, says: str, mend: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.iterdir())
    assert main(monkeypatch, *command.split()) == status
    output = capsys.readouterr()
    assert output.out == ""
    first, second = output.err.splitlines()
    assert first.startswith("error: ")
    assert says in first
    assert second.startswith(" mend: ")
    assert mend in second
    assert sorted(folder.iterdir()) == before, "nothing was begun"


@pytest.mark.parametrize("command", ["nope", "replay", "config --nope", "worker --metrics-port many", "demo --picture"])
def test_wrong_usage_is_exit_2_and_points_to_the_help(bellwether: Bellwether, command: str) -> None:
    done = bellwether.run(*command.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc, in which not even the superuser may write, is Linux's")
def test_a_folder_that_cannot_be_written_is_said(bellwether: Bellwether) -> None:
    done = bellwether.run("up", "--data", "/proc/bellwether")
    assert done.returncode == 1
    assert done.stderr.startswith("error: /proc/bellwether cannot be used")
    assert "--data" in done.stderr.splitlines()[1]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stack without a model, and beside it the files."""
    runner = Bellwether(tmp_path_factory.mktemp("running"))
    write_files(runner.folder)
    runner.up(runner.folder / "data", "-s", "scoring.backend=noop")
    yield runner.folder
    runner.close()


WRONG_REPLAY = [
    ("folder", 1, "folder is a folder", "JSONL"),
    ("absent.jsonl", 1, "absent.jsonl does not exist", "JSONL"),
    ("cut.jsonl.gz", 1, "cut.jsonl.gz is cut off after line", "fetch the file again"),
    ("one.jsonl --speed fast", 2, "--speed fast", "--speed 60x"),
    ("one.jsonl --speed 0x", 2, "--speed 0x", "--speed 60x"),
    ("one.jsonl --speed nan", 2, "--speed nan", "--speed 60x"),
    ("one.jsonl --map text", 2, "--map text", "--map text=body"),
    ("one.jsonl --map body=text", 2, "no field 'body'", "published_at"),
    ("one.jsonl --zone Mars/Base", 2, "--zone Mars/Base", "--zone UTC"),
    ("one.jsonl --rebase yesterday", 2, "--rebase yesterday", "--rebase now"),
    ("one.jsonl --rebase 2024-05-01T12:00:00", 2, "--rebase 2024", "--rebase now"),
    ("one.jsonl --topic mine", 2, "--topic mine", "leave --topic out"),
]


@pytest.mark.parametrize(("arguments", "status", "says", "mend"), WRONG_REPLAY, ids=[row[0] for row in WRONG_REPLAY])
def test_a_replay_that_cannot_be_is_said_in_one_line(
    arguments: str,
    status: int,
    says: str,
    mend: str,
    running: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(running)
    assert main(monkeypatch, "replay", *arguments.split(), "--data", "data") == status
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("error: ")
    assert says in first
    assert mend in second


@pytest.mark.parametrize(
    ("file", "says"),
    [("empty.jsonl", "empty.jsonl has no lines"), ("binary.jsonl", "dead-lettered"), ("prose.jsonl", "dead-lettered")],
)
def test_what_is_no_document_is_no_error_of_the_replay(
    file: str, says: str, running: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(running)
    assert main(monkeypatch, "replay", file, "--data", "data") == 0
    assert says in capsys.readouterr().err


def test_a_file_that_was_replayed_is_not_replayed_again_unless_asked(
    running: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(running)
    for arguments, says in (((), "1 lines put in"), ((), "--restart replays it from its begin"), (("--restart",), "1 lines put in")):
        assert main(monkeypatch, "replay", "one.jsonl", "--data", "data", *arguments) == 0
        assert says in capsys.readouterr().err
    assert main(monkeypatch, "audit", "--json", "--data", "data") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["produced"] == report["indexed"] + report["duplicates"] + report["dead"] + report["filtered"]
    assert report["duplicates"] >= 1


def test_the_running_stack_is_seen_by_topics_and_doctor(
    running: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(running)
    assert main(monkeypatch, "topics", "--json", "--data", "data") == 0
    assert {json.loads(row)["name"] for row in capsys.readouterr().out.splitlines()} >= {"documents.raw", "documents.dead"}
    assert main(monkeypatch, "doctor", "--json", "--data", "data") == 0
    checks = {check["name"]: check for check in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {checks[name]["status"] for name in ("Kafka", "topics", "Elasticsearch")} == {"ok"}
