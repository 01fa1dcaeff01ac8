"""The file by which other terminals find a running stack, and the next start finds what a killed one left behind."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import psutil
import structlog
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from streams.embedded.addresses import point_at
from streams.embedded.process import Child, kill_group
from streams.errors import StackError
from streams.settings import Settings

__all__ = ["ChildRecord", "StackInfo", "find_stack", "lock_folder", "read_stack", "records", "remove_stack", "sweep", "write_stack"]

_log = structlog.get_logger(__name__)

_FILE: Final = "stack.json"
_LOCK: Final = "stack.lock"
_CLOCK_SECONDS: Final = 1.5


class ChildRecord(BaseModel):
    """A child process: enough to recognise it later. `started` is its creation time, seconds since 1970 (UTC)."""

    model_config = ConfigDict(frozen=True)

    name: str
    pid: int
    started: float
    program: str
    port: int | None = None


class StackInfo(BaseModel):
    """What ``stack.json`` says about a stack: its process, its servers, its children."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started: float
    state: str
    data: Path
    kafka: str
    search: str
    triton: str | None
    scorer: str
    journal: Path
    metrics_port: int
    children: tuple[ChildRecord, ...] = ()

    def settings(self, base: Settings) -> Settings:
        """`base`, pointed at this stack."""
        pointed = point_at(base, kafka=self.kafka, search=self.search, triton=self.triton, metrics_port=self.metrics_port)
        update = {
            "scoring": base.scoring.model_copy(update={"backend": self.scorer}),
            "embedded": base.embedded.model_copy(update={"data": self.data}),
            "journal": self.journal,
        }
        return pointed.model_copy(update=update)


def records(children: Iterable[Child]) -> tuple[ChildRecord, ...]:
    """What is written down of those `children` that run."""
    return tuple(
        ChildRecord(name=child.name, pid=status.pid, started=child.started, program=child.program, port=status.port)
        for child in children
        if (status := child.status).pid is not None and child.started is not None
    )


def _alive(pid: int, started: float) -> psutil.Process | None:
    """The process `pid`, if it is still the one that began at `started` and not a later one of the same number."""
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - started) <= _CLOCK_SECONDS and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except psutil.Error:
        return None
    return None


def read_stack(data: Path) -> StackInfo | None:
    """What ``stack.json`` in `data` says, whether or not that stack still runs; None where there is no readable one."""
    try:
        return StackInfo.model_validate_json((data / _FILE).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        _log.warning("the file of the last stack cannot be read", file=str(data / _FILE), error=str(error))
        return None


def find_stack(data: Path) -> StackInfo | None:
    """The stack that runs on `data`; None when none does."""
    found = read_stack(data)
    return found if found is not None and _alive(found.pid, found.started) is not None else None


def write_stack(info: StackInfo) -> None:
    """Write ``stack.json`` whole: a reader sees the old one or the new one. A full disk is no reason to let children go unwatched."""
    temporary = info.data / f"{_FILE}.tmp"
    try:
        temporary.write_text(info.model_dump_json(indent=2))
        temporary.replace(info.data / _FILE)
    except OSError as error:
        _log.warning("the file of the stack cannot be written", file=str(info.data / _FILE), error=str(error))


def remove_stack(data: Path) -> None:
    """The stack is stopped: nobody is to find it."""
    (data / _FILE).unlink(missing_ok=True)


def lock_folder(data: Path) -> FileLock:
    """Take the data folder for one stack; the operating system lets go of it when the process ends, however it ends.

    Raises:
        StackError: another stack runs on it, or it cannot be written.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = FileLock(data / _LOCK, thread_local=False)
        lock.acquire(timeout=0)
    except Timeout as error:
        other = read_stack(data)
        owner = f" (process {other.pid})" if other is not None else ""
        raise StackError(
            f"another stack{owner} runs on {data}",
            mend="stop it, feed it with `bellwether replay`, or give this one a folder of its own with --data",
        ) from error
    except OSError as error:
        raise StackError(f"{data} cannot be used: {error.strerror or error}", mend="choose another folder with --data") from error
    return lock


def sweep(data: Path) -> list[ChildRecord]:
    """Kill what a stack that was killed left running; call it with the folder locked. Gives what was killed.

    A process is touched only if number, start time and program are those that were written down.
    """
    left = read_stack(data)
    killed: list[ChildRecord] = []
    for child in left.children if left is not None else ():
        process = _alive(child.pid, child.started)
        if process is None or not _runs(process, child.program):
            continue
        _log.warning("killing what the last stack left behind", child=child.name, pid=child.pid)
        kill_group(child.pid)
        psutil.wait_procs([process], timeout=5)
        killed.append(child)
    remove_stack(data)
    return killed


def _runs(process: psutil.Process, program: str) -> bool:
    """A process that has only just begun has no command line yet, and what it runs is told without links."""
    try:
        return program in process.cmdline() or process.exe() in (program, os.path.realpath(program))
    except psutil.Error:
        return False
