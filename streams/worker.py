"""Run a worker until it is told to stop: the Faust app, its metrics, its signals, and the file that says it is ready."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client import start_http_server

from streams.errors import BellwetherError, TransientError
from streams.topics import ensure_topics, group_members

if TYPE_CHECKING:
    from streams.settings import Settings

__all__ = ["run_worker"]

STOP_SECONDS = 8.0
"""What is under way may take this long to finish after a signal; then it is left to the next start."""

log = structlog.get_logger(__name__)


async def run_worker(settings: Settings, *, ready_file: Path | None = None) -> None:
    """Run the agents that the settings name. Returns after SIGTERM or SIGINT.

    Args:
        settings: the effective settings.
        ready_file: written when every agent consumes: JSON with `pid` and `metrics_port`.

    Raises:
        BellwetherError: it cannot start, or it broke down.
    """
    from streams.app import build_app, group_of

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if not await _topics_are_there(settings, stop):
        return
    if "watch" in settings.worker.agents and settings.journal is None:
        await _be_the_only_watcher(settings, group_of(settings), stop)
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
        if not stop.is_set() and not app.should_stop:
            log.info("consuming", metrics=f"http://127.0.0.1:{port}/metrics")
            if ready_file is not None:
                await asyncio.to_thread(_write_ready, ready_file, port)
        # A crash of the app is told by a flag of its own, so the two are polled together.
        while not stop.is_set() and not app.should_stop:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        crashed = getattr(app, "_crash_reason", None)
        stopping = asyncio.create_task(app.stop())
        done, _ = await asyncio.wait({stopping}, timeout=STOP_SECONDS)
        if not done:
            log.warning("stopping without waiting any longer: unfinished documents will be delivered again")
        if not stop.is_set():
            raise BellwetherError(f"the worker broke down: {crashed!r}", mend="its log says where; start it again, nothing is lost")
    finally:
        server.shutdown()
        thread.join(timeout=1)


async def _topics_are_there(settings: Settings, stop: asyncio.Event) -> bool:
    """Make the topics that are missing; waits for the brokers. False when told to stop meanwhile."""
    while not stop.is_set():
        try:
            ensured = await asyncio.to_thread(ensure_topics, settings)
        except TransientError as error:
            log.warning("waiting for the brokers", error=str(error))
            await asyncio.sleep(1)
            continue
        for warning in ensured.warnings:
            log.warning("topics", warning=warning)
        return True
    return False


async def _until_consuming(app: Any, stop: asyncio.Event) -> None:
    """Wait until the group has given this worker its partitions."""
    while not stop.is_set() and not app.should_stop:
        consumer = app.consumer
        if consumer is not None and not app.rebalancing and consumer.assignment() and app.flow_control.is_active():
            return
        await asyncio.sleep(0.05)


async def _be_the_only_watcher(settings: Settings, group: str, stop: asyncio.Event) -> None:
    """Two watchers of one group would each see half of the documents. A dead one is waited for: the group gives it up."""
    deadline = time.monotonic() + settings.worker.session_timeout + 5
    while not stop.is_set():
        try:
            members = await asyncio.to_thread(group_members, settings, group)
        except TransientError as error:
            log.warning("waiting for the brokers", error=str(error))
            # Another coordinator begins to wait for the dead member anew.
            deadline = time.monotonic() + settings.worker.session_timeout + 5
            await asyncio.sleep(1)
            continue
        if not members:
            return
        if time.monotonic() > deadline:
            raise BellwetherError(
                f"group {group} is being watched by another worker ({members[0].client} at {members[0].host})",
                mend="scale out with `bellwether worker --agents score,index`; one worker watches and notifies",
            )
        log.info("waiting for another member of the group to leave or be given up", group=group)
        await asyncio.sleep(1)


def _write_ready(path: Path, port: int) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"pid": os.getpid(), "metrics_port": port}))
    temporary.replace(path)
