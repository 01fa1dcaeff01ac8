"""One supervised child process: started, watched, restarted with back-off, given up when it will not stay up, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

import psutil
import structlog

from streams.cancellation import end_tasks, heed_cancellation
from streams.errors import BellwetherError, StackError

__all__ = ["Child", "ChildSpec", "ChildState", "ChildStatus", "kill_group", "last_lines"]

_log = structlog.get_logger(__name__)

_LAUNCHER: Final = Path(__file__).with_name("launcher.py")
_STEADY_SECONDS: Final = 30.0
_QUICK_FAILURES: Final = 5
_FIRST_BACK_OFF: Final = 0.25
_LONGEST_BACK_OFF: Final = 10.0
_HEALTH_EVERY: Final = 3.0
_HEALTH_TIMEOUT: Final = 10.0
_HEALTH_FAILURES: Final = 6
_LOG_BYTES: Final = 16_777_216
_LINE_CHARACTERS: Final = 200
_FRAME: Final = " \t\r+-|=─│╭╮╰╯"

# Ctrl-C in the terminal is for the supervisor alone.
if sys.platform == "win32":
    _CREATION_FLAGS = subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _CREATION_FLAGS = 0


class ChildState(StrEnum):
    """Where a child stands."""

    STOPPED = "stopped"
    STARTING = "starting"
    UP = "up"
    RESTARTING = "restarting"
    FAILED = "failed"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """A child as the user sees it. `detail` says in plain words what is unusual; empty when nothing is."""

    name: str
    pid: int | None
    port: int | None
    state: str
    restarts: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How to run a child.

    Attributes:
        name: what the user calls it.
        command: absolute path of the program, and its arguments.
        log: file that takes its output; appended to.
        healthy: whether it serves; may raise OSError or TimeoutError, which mean no.
        env: its whole environment.
        port: the port by which it is known.
        start_seconds: until it must serve.
        stop_seconds: between SIGTERM and SIGKILL.
        watch_health: whether to ask for its health all the time, not only at the start.
        outgrown: given its process id, why it must be begun anew though it is healthy; None: it need not.
    """

    name: str
    command: Sequence[str]
    log: Path
    healthy: Callable[[], Awaitable[bool]]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    port: int | None = None
    start_seconds: float = 60.0
    stop_seconds: float = 5.0
    watch_health: bool = True
    outgrown: Callable[[int], str | None] | None = None


async def _nothing(_: Child) -> None:
    return


def last_lines(log: Path, count: int = 6) -> str:
    """The last `count` lines of a log that say something, joined by `` | ``."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return "(no log)"
    lines = [line.strip(_FRAME)[:_LINE_CHARACTERS] for line in text.splitlines()]
    return " | ".join([line for line in lines if line][-count:]) or "(the log is empty)"


def kill_group(pid: int) -> None:
    """Kill a child with everything it started; it leads a process group of its own."""
    if sys.platform == "win32":
        try:
            family = [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]
        except psutil.NoSuchProcess:
            return
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
    else:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            return


class Child:
    """A supervised process. Used by one event loop, in the thread that outlives it (the parent's death signal is per thread).

    Args:
        spec: how to run it; called anew before every start.
        before_restart: awaited after it died and before it is started again.
        after_restart: awaited when it serves again.
        changed: called whenever its status changed.
    """

    def __init__(
        self,
        name: str,
        spec: Callable[[], ChildSpec],
        *,
        before_restart: Callable[[Child], Awaitable[None]] = _nothing,
        after_restart: Callable[[Child], Awaitable[None]] = _nothing,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._build = spec
        self._before_restart = before_restart
        self._after_restart = after_restart
        self._changed = changed
        self._spec: ChildSpec | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._returncode: int | None = None
        self._state = ChildState.STOPPED
        self._detail = ""
        self.restarts = 0
        self.started: float | None = None
        self.failure: StackError | None = None

    @property
    def status(self) -> ChildStatus:
        """How it stands now."""
        pid = self._process.pid if self._process is not None and self._process.returncode is None else None
        return ChildStatus(self.name, pid, self._spec.port if self._spec else None, str(self._state), self.restarts, self._detail)

    @property
    def program(self) -> str:
        """Path of the program that it runs; empty before the first start."""
        return self._spec.command[0] if self._spec else ""

    @property
    def returncode(self) -> int | None:
        """Exit status of the last run that ended; negative: killed by that signal."""
        return self._returncode

    async def start(self) -> None:
        """Start it, wait until it serves, and supervise it from then on. Raises StackError when it does not come up."""
        self.failure = None
        await self._launch()
        self._set(ChildState.UP)
        self._begin_supervision(launched=True)

    def start_soon(self) -> None:
        """Start it in the background, as after a crash: with back-off, and given up when it will not come up."""
        self.failure = None
        self._begin_supervision(launched=False)

    async def release(self) -> None:
        """Supervise it no longer; it runs on."""
        if self._supervisor is not None and self._supervisor is not asyncio.current_task():
            await end_tasks(self._supervisor)
        self._supervisor = None

    async def stop(self, *, seconds: float | None = None) -> None:
        """Stop it: SIGTERM, after `seconds` (its own stop_seconds) SIGKILL. May be called in any state, and twice."""
        await self.release()
        await self._end(seconds)
        if self._state is not ChildState.FAILED:
            self._set(ChildState.STOPPED)

    def note(self, state: ChildState, detail: str) -> None:
        """Show `state` and `detail` in the status: for a child that is not run at all."""
        self._set(state, detail)

    def _set(self, state: ChildState, detail: str = "") -> None:
        self._state, self._detail = state, detail
        self._changed()

    async def _launch(self) -> None:
        spec = self._spec = self._build()
        self._set(ChildState.RESTARTING if self.restarts else ChildState.STARTING)
        spec.log.parent.mkdir(parents=True, exist_ok=True)
        if spec.log.exists() and spec.log.stat().st_size > _LOG_BYTES:
            spec.log.replace(spec.log.with_suffix(".old.log"))
        began = time.monotonic()
        with spec.log.open("ab") as log:
            command = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *spec.command]
            if sys.platform == "win32":
                command = list(spec.command)
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(spec.env),
                start_new_session=True,
                creationflags=_CREATION_FLAGS,
            )
        self.started = _create_time(self._process.pid)
        self._changed()
        try:
            await self._until_healthy(spec)
        except BaseException:
            await self._end(0.0)
            raise
        _log.info("child is up", child=self.name, pid=self._process.pid, port=spec.port, seconds=round(time.monotonic() - began, 2))

    async def _until_healthy(self, spec: ChildSpec) -> None:
        process = self._process
        assert process is not None
        deadline = time.monotonic() + spec.start_seconds
        pause = 0.03
        while True:
            if process.returncode is not None:
                raise StackError(
                    f"{self.name} ended with status {process.returncode} while it started: {last_lines(spec.log)}",
                    mend=f"its whole log is {spec.log}",
                )
            if await _ask(spec, seconds=2.0):
                return
            if time.monotonic() > deadline:
                raise StackError(
                    f"{self.name} did not answer within {spec.start_seconds:.0f} s: {last_lines(spec.log)}",
                    mend=f"its whole log is {spec.log}",
                )
            await asyncio.sleep(pause)
            pause = min(0.25, pause * 1.3)

    async def _end(self, seconds: float | None = None) -> None:
        process = self._process
        if process is None:
            return
        grace = seconds if seconds is not None else self._spec.stop_seconds if self._spec else 0.0
        if process.returncode is None and grace > 0:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(grace):
                    await process.wait()
            except TimeoutError:
                _log.warning("child did not stop in time and is killed", child=self.name, pid=process.pid, seconds=grace)
        # Also when it went by itself: what it started must not outlive it.
        kill_group(process.pid)
        self._returncode = await process.wait()
        self._process = None

    async def _watch(self) -> str:
        """Wait until it dies or no longer answers; says which."""
        assert self._process is not None
        assert self._spec is not None
        process, spec, silent = self._process, self._spec, 0
        while True:
            try:
                async with asyncio.timeout(_HEALTH_EVERY):
                    status = await process.wait()
            except TimeoutError:
                if spec.watch_health:
                    silent = 0 if await _ask(spec, seconds=_HEALTH_TIMEOUT) else silent + 1
                if silent >= _HEALTH_FAILURES:
                    return "no longer answered"
                if spec.outgrown is not None and (why := spec.outgrown(process.pid)) is not None:
                    return why
            else:
                return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"

    async def _supervise(self, launched: bool) -> None:
        failures = 0
        if not launched:
            came_up = await self._bring_up("is to be started", 0)
            if came_up is None:
                return
            failures = came_up
        while True:
            began = time.monotonic()
            why = await self._watch()
            failures = 1 if time.monotonic() - began > _STEADY_SECONDS else failures + 1
            _log.warning("child is down", child=self.name, why=why)
            self.restarts += 1
            came_up = await self._bring_up(why, failures)
            if came_up is None:
                return
            failures = came_up

    async def _bring_up(self, why: str, failures: int) -> int | None:
        """Start it again until it serves. Gives the number of failures in a row, or None when it was given up."""
        while True:
            heed_cancellation()
            await self._end(0.0)
            self._set(ChildState.RESTARTING, f"it {why}")
            if failures > _QUICK_FAILURES:
                self._give_up(f"{self.name} failed {failures} times in a row and is given up: it {why}")
                return None
            try:
                await self._before_restart(self)
                if failures:
                    await asyncio.sleep(min(_LONGEST_BACK_OFF, _FIRST_BACK_OFF * 2 ** (failures - 1)))
                await self._launch()
                await self._after_restart(self)
                self._set(ChildState.UP)
            except (BellwetherError, OSError) as error:  # OSError: no more files or processes, a full disk
                failures += 1
                why = f"did not come up: {error.message if isinstance(error, BellwetherError) else error}"
                _log.warning("child did not come up", child=self.name, error=str(error))
                continue
            return failures

    def _begin_supervision(self, *, launched: bool) -> None:
        self._supervisor = asyncio.create_task(self._supervise(launched), name=f"supervise {self.name}")
        self._supervisor.add_done_callback(self._supervision_ended)

    def _supervision_ended(self, task: asyncio.Task[None]) -> None:
        """A fault that nobody foresaw: better given up than running unwatched."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._give_up(f"{self.name} is no longer watched and is given up: {error!r}")

    def _give_up(self, what: str) -> None:
        assert self._spec is not None
        self.failure = StackError(f"{what}; the end of its log: {last_lines(self._spec.log)}", mend=f"its whole log is {self._spec.log}")
        _log.error("child is given up", child=self.name, error=str(self.failure))
        self._set(ChildState.FAILED, self.failure.message)


async def _ask(spec: ChildSpec, *, seconds: float) -> bool:
    try:
        # Not wait_for: before Python 3.12 it swallows a cancellation that meets a finished answer, and a stop goes unheard.
        async with asyncio.timeout(seconds):
            answers = await spec.healthy()
    except (OSError, TimeoutError):
        answers = False
    heed_cancellation()
    return answers


def _create_time(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None
