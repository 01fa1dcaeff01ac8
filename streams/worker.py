"""Run a worker until it is told to stop: the Faust app, its metrics, its signals, and the file that says it is ready."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from prometheus_client import start_http_server

from streams.errors import BellwetherError, TransientError
from streams.topics import GroupMember, ensure_topics, group_members

if TYPE_CHECKING:
    from streams.settings import Settings

__all__ = ["run_worker"]

STOP_SECONDS = 4.0
"""What is under way may take this long to finish after a signal; then it is left to the next start."""

Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


async def run_worker(settings: Settings, *, ready_file: Path | None = None) -> None:
    """Run the agents that the settings name. Returns after SIGTERM or SIGINT.

    Args:
        settings: the effective settings.
        ready_file: written when every agent consumes: JSON with `pid` and `metrics_port`.

    Raises:
        BellwetherError: it cannot start, or it broke down.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    from streams.app import build_app, watch_groups  # takes a second: signals are heard before

    if not await _topics_are_there(settings, stop):
        return
    watches = "watch" in settings.worker.agents and settings.journal is None
    if watches:
        await _be_the_only_watcher(settings, watch_groups(settings), stop)
    if stop.is_set():
        return
    app = build_app(settings)
    server, thread = start_http_server(settings.worker.metrics_port, addr="127.0.0.1", registry=app.parts.metrics.registry)
    port = int(server.server_port)
    try:
        starting = asyncio.create_task(app.start())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await _until_consuming(app, stop)
            if watches:
                # Two that started at the same moment have not seen each other.
                await _be_the_only_watcher(settings, watch_groups(settings), stop, members=1)
        if not stop.is_set() and not app.should_stop:
            log.info("consuming", metrics=f"http://127.0.0.1:{port}/metrics")
            if ready_file is not None:
                await asyncio.to_thread(_write_ready, ready_file, port)
        # A crash of the app is told by a flag of its own, so the two are polled together.
        while not stop.is_set() and not app.should_stop:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await _end(app, stop)
    except BellwetherError:
        # What has been started must not outlive the error: Faust's threads would keep the process. A second stop does nothing.
        await asyncio.wait({asyncio.create_task(app.stop())}, timeout=STOP_SECONDS)
        raise
    finally:
        server.shutdown()
        thread.join(timeout=1)


async def _end(app: Any, stop: asyncio.Event) -> None:
    """Stop `app`, within bounds. Raises BellwetherError when nobody asked for it: the app broke down."""
    crashed = app.crash_reason
    done, _ = await asyncio.wait({asyncio.create_task(app.stop())}, timeout=STOP_SECONDS)
    if not done:
        told = {} if stop.is_set() else {"broke_down": repr(crashed)}
        log.warning("stopping without waiting any longer: unfinished documents will be delivered again", **told)
        _leave(0 if stop.is_set() else 1)
    if not stop.is_set():
        raise BellwetherError(f"the worker broke down: {crashed!r}", mend="its log says where; start it again, nothing is lost")


def _leave(status: int) -> None:
    """End this process now. Faust's consumer has a thread of its own, which nothing interrupts while it waits for brokers."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


async def _unless(stop: asyncio.Event, ask: Callable[[], Answer]) -> Answer | None:
    """The answer of `ask`, which blocks; None when told to stop meanwhile. Its thread is then left behind, and ends with the process."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()

    def run() -> None:
        found: Answer | None = None
        fault: Exception | None = None
        try:
            found = ask()
        except Exception as error:  # noqa: BLE001 - it is raised where it is awaited
            fault = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any longer
            loop.call_soon_threadsafe(settle, found, fault)

    def settle(found: Any, fault: Exception | None) -> None:
        if answer.cancelled():
            return
        if fault is None:
            answer.set_result(found)
        else:
            answer.set_exception(fault)

    threading.Thread(target=run, daemon=True, name="asking the brokers").start()
    stopped = asyncio.create_task(stop.wait())
    waiting: set[asyncio.Future[Any]] = {answer, stopped}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
    if answer.done():
        return answer.result()
    answer.cancel()
    return None


async def _pause(stop: asyncio.Event) -> None:
    """A second, or less when told to stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            await stop.wait()


async def _topics_are_there(settings: Settings, stop: asyncio.Event) -> bool:
    """Make the topics that are missing; waits for the brokers. False when told to stop meanwhile."""
    while not stop.is_set():
        try:
            ensured = await _unless(stop, functools.partial(ensure_topics, settings))
        except TransientError as error:
            log.warning("waiting for the brokers", error=str(error))
            await _pause(stop)
            continue
        for warning in ensured.warnings if ensured is not None else ():
            log.warning("topics", warning=warning)
        return ensured is not None
    return False


async def _until_consuming(app: Any, stop: asyncio.Event) -> None:
    """Wait until the group has given this worker its partitions; none, where there are more workers than partitions."""
    while not stop.is_set() and not app.should_stop:
        consumer = app.consumer
        joined = consumer is not None and (consumer.assignment() or app.rebalancing_count)
        if joined and not app.rebalancing and app.flow_control.is_active():
            return
        await asyncio.sleep(0.05)


async def _be_the_only_watcher(settings: Settings, groups: Sequence[str], stop: asyncio.Event, *, members: int = 0) -> None:
    """Two watchers of one group would each see half of the documents, two of different groups would write one state.

    A dead one is waited for: its group gives it up. `members` is how many the groups that watch have when nobody else
    watches: none before we join, one after.
    """
    deadline = time.monotonic() + settings.worker.session_timeout + 5
    while not stop.is_set():
        try:
            found = await _unless(stop, functools.partial(_members, settings, groups))
        except TransientError as error:
            log.warning("waiting for the brokers", error=str(error))
            # Another coordinator begins to wait for the dead member anew.
            deadline = time.monotonic() + settings.worker.session_timeout + 5
            await _pause(stop)
            continue
        if found is None or len(found) <= members:
            return
        if time.monotonic() > deadline:
            raise BellwetherError(
                f"the documents are being watched by another worker ({found[0].client} at {found[0].host or 'an unknown host'}; "
                f"groups {', '.join(groups)})",
                mend="scale out with `bellwether worker --agents score,index`; one worker watches and notifies",
            )
        log.info("waiting for another member of the group to leave or be given up", groups=list(groups))
        await _pause(stop)


def _members(settings: Settings, groups: Sequence[str]) -> list[GroupMember]:
    return [member for group in groups for member in group_members(settings, group)]


def _write_ready(path: Path, port: int) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"pid": os.getpid(), "metrics_port": port}))
    temporary.replace(path)
