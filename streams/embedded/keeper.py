"""Makes sure that what counts as indexed is on the search server's disk.

The embedded search server answers a bulk request from memory and writes its whole index to one file about once a second,
so a kill -9 takes the last second with it. Two writes that were seen to end after an outcome was noted prove it safe: the
second one began after the first had ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import structlog

from streams.cancellation import end_tasks, heed_cancellation
from streams.embedded.journal import Journal
from streams.embedded.loopback import loopback_client
from streams.errors import TransientError

__all__ = ["Keeper"]

_log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 0.25
_IDLE_SECONDS: Final = 1.0
_NUDGE_SECONDS: Final = 3.0
_MARKER: Final = "/bellwether-keeper/_doc/marker"


class Keeper:
    """Settles outcomes in the journal, in the background.

    Args:
        journal: whose outcomes to settle.
        data_file: the file that the search server replaces.
        url: the search server.
        on_failure: hears why it settles no more, of itself: a fault that waiting does not mend.
    """

    def __init__(self, journal: Journal, data_file: Path, url: str, *, on_failure: Callable[[BaseException], None]) -> None:
        self._journal = journal
        self._file = data_file
        self._url = url
        self._on_failure = on_failure
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Settle from now on."""
        self._task = asyncio.create_task(self._run(), name="keeper")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Settle no more. May be called twice."""
        if self._task is not None:
            await end_tasks(self._task)
        self._task = None

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)

    async def _run(self) -> None:
        while True:
            heed_cancellation()
            try:
                if await asyncio.to_thread(self._journal.mark):
                    await self._next_write()
                    await self._next_write()
                    await asyncio.to_thread(self._journal.settle)
                else:
                    await asyncio.sleep(_IDLE_SECONDS)
            except (TransientError, httpx.HTTPError) as error:
                _log.warning("outcomes are settled later", error=str(error) or repr(error))
                await asyncio.sleep(_IDLE_SECONDS)

    async def _next_write(self) -> None:
        """Wait until the file was replaced. A server that has nothing new to write is given something."""
        before = self._version()
        began = time.monotonic()
        while self._version() == before:
            await asyncio.sleep(_LOOK_SECONDS)
            if time.monotonic() - began > _NUDGE_SECONDS:
                began = time.monotonic()
                await self._nudge()

    async def _nudge(self) -> None:
        async with loopback_client(self._url, seconds=10.0) as client:
            response = await client.put(_MARKER, json={"at": time.time()})
            response.raise_for_status()

    def _version(self) -> tuple[int, int, int]:
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return (0, 0, 0)
        return (found.st_ino, found.st_mtime_ns, found.st_size)
