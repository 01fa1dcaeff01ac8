"""The file by which a stack is found, the lock on its folder, and the sweep of what a killed one left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from streams.embedded.runtime import ChildRecord, StackInfo, find_stack, lock_folder, read_stack, sweep, write_stack
from streams.errors import StackError
from streams.settings import load_settings


def info(data: Path, pid: int, started: float, children: tuple[ChildRecord, ...] = ()) -> StackInfo:
    return StackInfo(
        pid=pid, started=started, state="up", data=data, kafka="127.0.0.1:1", search="http://127.0.0.1:2",
        triton="127.0.0.1:3", scorer="triton",
        journal=data / "journal.db", metrics_port=4, children=children,
    )  # fmt: skip


def test_a_running_stack_is_found_and_a_recycled_pid_is_not_mistaken_for_it(tmp_path: Path) -> None:
    started = psutil.Process().create_time()
    write_stack(info(tmp_path, os.getpid(), started))
    found = find_stack(tmp_path)
    assert found is not None
    theirs = found.settings(load_settings())
    assert (theirs.kafka.bootstrap_servers, theirs.search.url, theirs.triton.url) == ("127.0.0.1:1", "http://127.0.0.1:2", "127.0.0.1:3")
    assert (theirs.journal, theirs.topics.partitions, theirs.scoring.backend) == (tmp_path / "journal.db", 1, "triton")
    write_stack(info(tmp_path, os.getpid(), started - 3600))
    assert find_stack(tmp_path) is None
    assert read_stack(tmp_path) is not None
    assert find_stack(tmp_path / "nowhere") is None


def test_another_stacks_credentials_stay_at_home(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    cluster = load_settings(search={"url": "https://search:9200", "api_key": "k", "ca_certs": tmp_path / "ca.pem"})
    theirs = info(tmp_path, 1, 1.0).settings(cluster)
    assert (theirs.search.url, theirs.search.api_key, theirs.search.ca_certs) == ("http://127.0.0.1:2", None, None)


def test_a_full_disk_does_not_stop_whoever_tells_of_a_change(tmp_path: Path) -> None:
    write_stack(info(tmp_path / "no such folder", 1, 1.0))


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
        write_stack(info(tmp_path, 2**22 - 1, 1.0, children))
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


def test_the_sweep_knows_a_process_by_its_program_where_it_has_no_command_line(tmp_path: Path) -> None:
    """As for a moment after its start: what it runs is told by the name behind all links."""
    program = tmp_path / "cat"
    program.symlink_to(shutil.which("cat") or "/bin/cat")
    process = subprocess.Popen([""], executable=program, stdin=subprocess.PIPE, start_new_session=True)
    try:
        begun = psutil.Process(process.pid).create_time()
        child = ChildRecord(name="broker", pid=process.pid, started=begun, program=str(program))
        write_stack(info(tmp_path, 2**22 - 1, 1.0, (child,)))
        assert sweep(tmp_path) == [child]
    finally:
        process.kill()
        process.communicate()


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
