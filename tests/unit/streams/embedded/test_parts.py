"""Ports, the worker's environment, the runtime file, the intake."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from streams.documents import Outcome
from streams.embedded import triton
from streams.embedded.adapters import JournalIntake, JournalLedger, JournalStateStore, journal_origin
from streams.embedded.journal import Journal
from streams.embedded.ports import HOST, free_ports, is_free
from streams.embedded.runtime import ChildRecord, StackInfo, find_stack, lock_folder, read_stack, sweep, write_stack
from streams.embedded.worker import environment, is_ready, worker_spec
from streams.errors import StackError
from streams.settings import load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("BELLWETHER_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_free_ports_are_different_and_nobody_listens_there() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    with socket.socket() as server:
        server.bind((HOST, ports[0]))
        server.listen()
        assert not is_free(ports[0])
    assert is_free(ports[0])


def test_the_worker_gets_exactly_our_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bellwether.toml").write_text('[search]\nindex_prefix = "other"\n[worker]\nbuffer = 7\n')
    ours = load_settings(
        kafka={
            "bootstrap_servers": "127.0.0.1:21001",
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_username": "u",
            "sasl_password": 'p"w\\d ü',
        },
        search={"index_prefix": "opinion"},
        enrich={"languages": ["en", "de"], "entities": tmp_path / "entities.jsonl", "near_duplicates": False},
        alerts={"window": timedelta(minutes=90)},
        webhook={
            "urls": ["http://127.0.0.1:9/hook"],
            "secret": "whsec_abc",
            "secrets": ["whsec_old", "whsec_older"],
            "allow_networks": ["127.0.0.0/8", "fd00::/8"],
        },
        journal=tmp_path / "journal.db",
    )
    for name, value in environment(ours).items():
        monkeypatch.setenv(name, value)
    theirs = load_settings()
    assert theirs == ours
    assert theirs.worker.buffer == 7, "our own file counts as long as nothing else was said"


def test_a_worker_is_ready_when_its_file_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    assert not is_ready(file)
    for content in ("", "{", "[]", '{"pid": null}', "null"):
        file.write_text(content)
        assert not is_ready(file)
    file.write_text(json.dumps({"pid": 4, "metrics_port": 5}))
    assert is_ready(file)
    spec = worker_spec(load_settings(), file, tmp_path, extra_env={"EXTRA": "1"})
    assert not file.exists(), "an old file says nothing about the next worker"
    assert list(spec.command)[1:] == ["-m", "streams.cli", "worker", "--ready-file", str(file)]
    assert spec.env["EXTRA"] == "1"


def _info(data: Path, pid: int, started: float, children: tuple[ChildRecord, ...] = ()) -> StackInfo:
    return StackInfo(
        pid=pid, started=started, state="up", data=data, kafka="127.0.0.1:1", search="http://127.0.0.1:2",
        triton="127.0.0.1:3", scorer="triton",
        journal=data / "journal.db", metrics_port=4, children=children,
    )  # fmt: skip


def test_a_running_stack_is_found_and_a_recycled_pid_is_not_mistaken_for_it(tmp_path: Path) -> None:
    started = psutil.Process().create_time()
    write_stack(_info(tmp_path, os.getpid(), started))
    found = find_stack(tmp_path)
    assert found is not None
    theirs = found.settings(load_settings())
    assert (theirs.kafka.bootstrap_servers, theirs.search.url, theirs.triton.url) == ("127.0.0.1:1", "http://127.0.0.1:2", "127.0.0.1:3")
    assert (theirs.journal, theirs.topics.partitions, theirs.scoring.backend) == (tmp_path / "journal.db", 1, "triton")
    write_stack(_info(tmp_path, os.getpid(), started - 3600))
    assert find_stack(tmp_path) is None
    assert read_stack(tmp_path) is not None
    assert find_stack(tmp_path / "nowhere") is None


def test_another_stacks_credentials_stay_at_home(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    cluster = load_settings(search={"url": "https://search:9200", "api_key": "k", "ca_certs": tmp_path / "ca.pem"})
    theirs = _info(tmp_path, 1, 1.0).settings(cluster)
    assert (theirs.search.url, theirs.search.api_key, theirs.search.ca_certs) == ("http://127.0.0.1:2", None, None)


def test_a_full_disk_does_not_stop_whoever_tells_of_a_change(tmp_path: Path) -> None:
    write_stack(_info(tmp_path / "no such folder", 1, 1.0))


def test_the_sweep_kills_only_what_it_recognises(tmp_path: Path) -> None:
    processes = [subprocess.Popen(["/bin/sleep", "300"], start_new_session=True) for _ in range(3)]
    try:
        ours, renamed, recycled = processes
        begun = [psutil.Process(process.pid).create_time() for process in processes]
        children = (
            ChildRecord(name="broker", pid=ours.pid, started=begun[0], program="/bin/sleep"),
            ChildRecord(name="search", pid=renamed.pid, started=begun[1], program="/opt/noida-db"),
            ChildRecord(name="triton", pid=recycled.pid, started=begun[2] - 60, program="/bin/sleep"),
        )
        write_stack(_info(tmp_path, 2**22 - 1, 1.0, children))
        assert [child.name for child in sweep(tmp_path)] == ["broker"]
        assert not psutil.pid_exists(ours.pid)
        assert renamed.poll() is None
        assert recycled.poll() is None
        assert read_stack(tmp_path) is None
        assert sweep(tmp_path) == []
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_the_folder_belongs_to_one_process_and_is_free_when_that_is_gone(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from streams.embedded.runtime import lock_folder; "
    script += "lock = lock_folder(Path(sys.argv[1])); print('held', flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StackError, match="another stack runs on"):
            lock_folder(tmp_path)
    finally:
        holder.kill()
        holder.wait()
    lock_folder(tmp_path).release()


def test_a_folder_that_cannot_be_made_is_an_error_to_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match="cannot be used"):
        lock_folder(tmp_path / "file" / "data")


async def test_the_intake_holds_sources_back_until_there_is_room(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    intake = JournalIntake(journal, max_pending=10)
    await intake.put([b"x"] * 12)
    held = asyncio.create_task(intake.put([b"y"]))
    await asyncio.sleep(0.3)
    assert not held.done()
    ledger = JournalLedger(journal)
    origins = [journal_origin(seq) for seq, _ in journal.pending(0, 5)]
    await ledger.watched(origins)
    await ledger.finish(dict.fromkeys(origins, Outcome.INDEXED) | {"documents.raw-0-1": Outcome.INDEXED}, await ledger.moment())
    await asyncio.wait_for(held, 60)
    assert journal.counts().produced == 13


async def test_a_closed_intake_lets_go_of_who_waits(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    intake = JournalIntake(journal, max_pending=1)
    await intake.put([b"x"])
    held = asyncio.create_task(intake.put([b"y"]))
    await asyncio.sleep(0.2)
    await intake.close()
    with pytest.raises(StackError, match="takes no more documents"):
        await asyncio.wait_for(held, 60)
    assert journal.counts().produced == 1


async def test_the_state_store_keeps_what_it_was_given(tmp_path: Path) -> None:
    store = JournalStateStore(Journal(tmp_path / "journal.db"))
    await store.save({"a": b"1", "b": b"2"})
    await store.save({"a": None})
    await store.close()
    again = JournalStateStore(Journal(tmp_path / "journal.db"))
    assert await again.load() == {"b": b"2"}
    await again.close()


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        ({"sys.platform": "darwin"}, "built for Linux on x86-64 only"),
        ({"platform.machine": lambda: "aarch64"}, "built for Linux on x86-64 only"),
        ({"platform.libc_ver": lambda: ("", "")}, "needs glibc, which"),
        ({"platform.libc_ver": lambda: ("glibc", "2.31")}, "needs glibc 2.35 or newer, this system has 2.31"),
        ({"streams.embedded.triton._package": lambda: None}, "is not installed"),
        ({"streams.embedded.triton._python_library": lambda: None}, "has no shared library"),
        ({"importlib.metadata.version": lambda _: "2.1.0"}, "needs numpy 1"),
    ],
)
def test_why_triton_cannot_run_is_said_in_plain_words(monkeypatch: pytest.MonkeyPatch, patch: dict[str, object], reason: str) -> None:
    if triton.available() is not None and "sys.platform" not in patch:
        pytest.skip(f"Triton cannot run here anyway: {triton.available()}")
    for target, value in patch.items():
        monkeypatch.setattr(target, value)
    said = triton.available()
    assert said is not None
    assert reason in said


def test_no_model_repository_is_said_too(tmp_path: Path) -> None:
    if triton.available() is not None:
        pytest.skip(f"Triton cannot run here: {triton.available()}")
    assert triton.available(tmp_path) == f"there is no model repository at {tmp_path}"
