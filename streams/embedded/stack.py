"""The one-command mode: broker, search, Triton and worker as one thing that starts, stays up, drains and stops."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import psutil
import structlog

from streams.embedded import broker
from streams.embedded.backend import Backend
from streams.embedded.feeder import Feeder
from streams.embedded.journal import Journal, JournalIntake
from streams.embedded.keeper import Keeper
from streams.embedded.membership import forget_members
from streams.embedded.process import Child, ChildSpec, ChildState, ChildStatus
from streams.embedded.programs import Programs
from streams.embedded.runtime import StackInfo, find_stack, lock_folder, records, remove_stack, sweep, write_stack
from streams.errors import BellwetherError, StackError
from streams.topics import ensure_topics

if TYPE_CHECKING:
    import os

    from filelock import FileLock

    from streams.settings import Settings

__all__ = ["START_PATIENCE", "Stack", "StackInfo", "find_stack"]

_log = structlog.get_logger(__name__)

START_PATIENCE: Final = 15.0  # seconds that a start which is cancelled may take: it stops everything again
_DRAIN_SECONDS: Final = 3.0
_STOP_SECONDS: Final = 7.5
_LAST_ACK_SECONDS: Final = 1.0


class Stack:
    """The embedded stack on one data folder.

    Args:
        settings: what the user configured; `embedded.data` is the folder.
        entities: companies to recognise, instead of those configured.
        worker_command: what to run instead of our own worker; gets ``--ready-file PATH``.
        extra_worker_env: more environment variables for the worker.
        triton_repository: Triton's models; None: those that are shipped.
        on_status: called in the event loop whenever a child changed.

    Attributes:
        programs: how its children are run, and where their files are.
        broker, search, triton, worker: the children.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        entities: Path | None = None,
        worker_command: Sequence[str | os.PathLike[str]] | None = None,
        extra_worker_env: Mapping[str, str] | None = None,
        triton_repository: Path | None = None,
        on_status: Callable[[list[ChildStatus]], None] | None = None,
    ) -> None:
        self.programs = Programs(
            settings,
            entities=entities,
            worker_command=worker_command,
            extra_worker_env=extra_worker_env,
            triton_repository=triton_repository,
        )
        self._data = self.programs.data
        self._on_status = on_status
        self._lock: FileLock | None = None
        self._journal: Journal | None = None
        self._feeder: Feeder | None = None
        self._keeper: Keeper | None = None
        self._intakes: list[JournalIntake] = []
        self._state = "stopped"
        self._given_up = asyncio.Event()
        self._failure: StackError | None = None
        self.broker = Child(
            "broker", self._broker_spec, before_restart=self._broker_down, after_restart=self._broker_up, changed=self._changed
        )
        self.search = Child(
            "search", self.programs.search, before_restart=self._search_down, after_restart=self._search_up, changed=self._changed
        )
        self.triton = Child("triton", self.programs.triton, before_restart=self._triton_down, changed=self._changed)
        self.worker = Child("worker", self.programs.worker, before_restart=self._worker_down, changed=self._changed)
        self._children = (self.broker, self.search, self.triton, self.worker)
        self._backend = Backend(self.programs, self.triton, self.worker)

    @property
    def settings(self) -> Settings:
        """The effective settings; once started, they point at the children."""
        return self.programs.settings

    @property
    def journal(self) -> Journal:
        """The journal of the folder; may be asked before the start and after the stop, too."""
        if self._journal is None:
            self._journal = Journal(self.programs.journal)
        return self._journal

    @property
    def scorer(self) -> str:
        """What scores: ``triton``, ``onnx`` or ``noop``."""
        return self.settings.scoring.backend

    def status(self) -> list[ChildStatus]:
        """Every child, in the order of the start."""
        return [child.status for child in self._children]

    def intake(self) -> JournalIntake:
        """Where sources hand documents in; closed when the stack stops."""
        intake = JournalIntake(self.journal, self.settings.embedded.max_pending)
        self._intakes.append(intake)
        return intake

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything, and return when documents can flow. What was not finished last time is fed again.

        Raises:
            StackError: another stack has the folder, or a child does not come up; everything is stopped again.
        """
        self._lock = lock_folder(self._data)
        try:
            await asyncio.to_thread(sweep, self._data)
            self.programs.clear_shared_memory()
            # How the search server of the last run ended is not known: what it may have lost is fed again.
            await asyncio.to_thread(self.journal.reopen)
            self.programs.choose_ports()
            self._state = "starting"
            self._changed()
            await self._start_servers()
            await self.worker.start()
            self._feeder = Feeder(self.journal, self.settings, on_failure=self._broke_down)
            self._feeder.start()
            self._keeper = Keeper(self.journal, self.programs.index, self.settings.search.url, on_failure=self._broke_down)
            self._keeper.start()
        except BaseException:
            await self.stop()
            raise
        self._state = "up"
        self._changed()

    async def drain(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - the caller decides what false means
        """Wait until nothing is pending, at most `timeout` seconds. Says whether that was reached.

        Raises:
            StackError: a child that is needed was given up.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        # A search server that is away may have lost outcomes that the journal still believes.
        while await asyncio.to_thread(self.journal.backlog) or self.search.status.state != ChildState.UP:
            self._raise_given_up()
            if deadline is not None and time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.05)
        return True

    async def wait_failed(self) -> None:
        """Wait until a child that is needed is given up. Raises its StackError."""
        await self._given_up.wait()
        self._raise_given_up()

    async def stop(self, *, drain: bool = True) -> None:
        """Take nothing more in, finish what is under way (a few seconds), stop all children. Within ten seconds; may be called twice.

        What could not be finished stays in the journal for the next start.

        Args:
            drain: false: do not wait for what is under way, leave it to the next start.
        """
        if self._lock is None:
            return
        deadline = time.monotonic() + _STOP_SECONDS
        self._state = "stopping"
        self._changed()
        for intake in self._intakes:
            await intake.close()
        if drain:
            try:
                await self._finish_under_way()
            except BellwetherError as error:
                _log.warning("stopping without finishing what is under way", error=str(error))
        await self._backend.stop()
        await asyncio.gather(*(child.release() for child in self._children))
        for part in (self._feeder, self._keeper):
            if part is not None:
                await part.stop()
        await self.worker.stop(seconds=max(0.5, min(2.5, deadline - time.monotonic() - 2.0)))
        left = max(0.5, deadline - time.monotonic() - 0.5)
        was_up = self.search.status.state == ChildState.UP
        await asyncio.gather(
            self.broker.stop(seconds=min(1.0, left)), self.triton.stop(seconds=min(2.5, left)), self.search.stop(seconds=left)
        )
        if was_up and self.search.returncode == 0:
            # A search server that stops by itself writes its index first.
            try:
                await asyncio.to_thread(self.journal.mark)
                await asyncio.to_thread(self.journal.settle)
            except BellwetherError as error:
                _log.warning("outcomes are settled by the next start", error=str(error))
        self._close()

    def _close(self) -> None:
        self.programs.clear_shared_memory()
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        remove_stack(self._data)
        self._state = "stopped"
        assert self._lock is not None
        self._lock.release()
        self._lock = None

    async def _finish_under_way(self) -> None:
        if self._feeder is None or self.worker.status.state != ChildState.UP or self.broker.status.state != ChildState.UP:
            return
        self._feeder.hold()
        deadline = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < deadline:
            if not await asyncio.to_thread(self._feeder.in_flight):
                return
            await asyncio.sleep(0.05)

    def _broke_down(self, error: BaseException) -> None:
        """What carries documents between journal, broker and index has ended of itself: nothing would ever be drained."""
        _log.error("the stack broke down", error=repr(error), exc_info=error)
        self._failure = StackError(f"the stack broke down: {error!r}", mend="start it again on the same folder: nothing is lost")
        self._given_up.set()

    def _raise_given_up(self) -> None:
        if self._failure is not None:
            raise self._failure
        for child in self._children:
            if child is not self.triton and child.failure is not None:
                raise child.failure

    async def _start_servers(self) -> None:
        outcomes = await asyncio.gather(self._start_broker(), self.search.start(), self._backend.start(), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _start_broker(self) -> None:
        await self.broker.start()
        await asyncio.to_thread(ensure_topics, self.settings)

    def _broker_spec(self) -> ChildSpec:
        return dataclasses.replace(self.programs.broker(), outgrown=self._broker_outgrown)

    def _broker_outgrown(self, pid: int) -> str | None:
        """The embedded broker never forgets a message: it is begun anew when it is large and nothing is on its way."""
        held = broker.memory_mb(pid)
        with contextlib.suppress(BellwetherError):  # the journal cannot be asked now
            if held > self.settings.embedded.broker_memory_mb and not self.journal.backlog():
                return f"held {held} MB of messages that had all ended their way, and is begun anew"
        return None

    async def _broker_down(self, _: Child) -> None:
        """Its log is gone, and with it every position that the worker holds."""
        if self._feeder is not None:
            await self._feeder.stop()
        await self.worker.stop(seconds=0.0)

    async def _broker_up(self, _: Child) -> None:
        await asyncio.to_thread(ensure_topics, self.settings)
        if self._feeder is not None:
            self._feeder.rewind()
            self._feeder.start()
        self.worker.start_soon()

    async def _triton_down(self, _: Child) -> None:
        self.programs.clear_shared_memory()

    async def _worker_down(self, _: Child) -> None:
        if self.broker.status.state == ChildState.UP:
            await asyncio.to_thread(forget_members, self.settings)

    async def _search_down(self, _: Child) -> None:
        if self._keeper is not None:
            await self._keeper.stop()
        # Outcomes that it acknowledged with its last breath are on their way to the journal: they are taken back, too.
        await asyncio.sleep(_LAST_ACK_SECONDS)

    async def _search_up(self, _: Child) -> None:
        lost = await asyncio.to_thread(self.journal.reopen)
        if self._feeder is not None:
            self._feeder.feed_again(lost)
        if self._keeper is not None:
            self._keeper.start()

    def _changed(self) -> None:
        if self._lock is None:
            return
        if self._state == "up":
            if any(child.failure is not None for child in self._children if child is not self.triton):
                self._given_up.set()
            self._backend.check()
        write_stack(self._info())
        if self._on_status is not None:
            self._on_status(self.status())

    def _info(self) -> StackInfo:
        me = psutil.Process()
        return StackInfo(
            pid=me.pid,
            started=me.create_time(),
            state=self._state,
            data=self._data,
            kafka=self.settings.kafka.bootstrap_servers,
            search=self.settings.search.url,
            triton=self.settings.triton.url if self.scorer == "triton" else None,
            scorer=self.scorer,
            journal=self.programs.journal,
            metrics_port=self.settings.worker.metrics_port,
            children=records(self._children),
        )
