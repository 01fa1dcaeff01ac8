"""A lane: batches are worked on side by side, but finish in the order in which they came.

While the model scores one batch, the next is already being read and enriched; acknowledgements stay in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from streams.cancellation import end_tasks

__all__ = ["Lane"]

Batch = TypeVar("Batch")


class Lane(Generic[Batch]):
    """At most `depth` batches at once.

    Args:
        work: the long part; may overlap with that of other batches. Returns what `finish` needs by closing over it:
            its result is awaited and called in order.
        depth: how many batches may be under way.
    """

    def __init__(self, work: Callable[[Batch], Awaitable[Callable[[], Awaitable[None]]]], *, depth: int) -> None:
        if depth < 1:
            raise ValueError("a lane needs a depth of at least 1")
        self._work = work
        self._slots = asyncio.Semaphore(depth)
        self._last: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None

    async def submit(self, batch: Batch) -> None:
        """Start on `batch`; waits while `depth` batches are under way.

        Raises:
            Exception: what an earlier batch raised; the lane is then to be closed.
        """
        await self._slots.acquire()
        if self._error is not None:
            self._slots.release()
            raise self._error
        task = asyncio.create_task(self._run(batch, self._last))
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        self._last = task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()
        if not task.cancelled():
            error = task.exception()  # asked for in any case: asyncio complains about errors that nobody looked at
            self._error = self._error or error

    async def _run(self, batch: Batch, previous: asyncio.Task[None] | None) -> None:
        finish = await self._work(batch)
        if previous is not None:
            await previous
        await finish()

    async def join(self) -> None:
        """Wait until everything submitted has finished. Raises what a batch raised."""
        while self._tasks:
            await asyncio.gather(*tuple(self._tasks))

    async def close(self) -> None:
        """Cancel what is under way; it was not acknowledged and will be delivered again."""
        await end_tasks(*self._tasks)
