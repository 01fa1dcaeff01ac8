"""The delivery log: every attempt to the log, the metrics and the index, without ever holding a delivery up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from streams.cancellation import end_tasks
from streams.delivery.attempt import FAILED, Attempt, Result
from streams.errors import BellwetherError
from streams.metrics import Metrics

__all__ = ["MAX_WAITING", "DeliveryLog", "Keeper"]

MAX_WAITING = 10_000
"""Attempts held while the search server is away; the oldest are dropped beyond that, and counted."""

_BATCH = 500
_LINGER = 0.5
_PAUSE = 15.0
_LAST_WORDS = 1.0
_PURGE_EVERY = 86_400.0

log = structlog.get_logger(__name__)


class Keeper(Protocol):
    """Where attempts are kept: `streams.sinks.deliveries.DeliveryIndex`."""

    async def open(self) -> None:
        """Connect."""

    async def write(self, attempts: Sequence[Attempt]) -> dict[int, str]:
        """Keep `attempts`; gives back what will never be kept. Raises TransientError."""

    async def purge(self, before: datetime) -> list[str]:
        """Forget what is older. Raises TransientError."""

    async def close(self) -> None:
        """Let go of the connection."""


class DeliveryLog:
    """Takes attempts, and writes them in the background.

    Args:
        keeper: the index.
        metrics: counts attempts.
        days: how long they are kept.
    """

    def __init__(self, keeper: Keeper, metrics: Metrics, days: int) -> None:
        self._keeper = keeper
        self._metrics = metrics
        self._kept = timedelta(days=days)
        self._waiting: deque[Attempt] = deque()
        self._fresh = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def add(self, attempt: Attempt) -> None:
        """Log `attempt`."""
        self._metrics.deliveries.labels(result=attempt.result.value, channel=attempt.channel).inc()
        say = log.info if attempt.result is Result.DELIVERED else log.error if attempt.result in FAILED else log.warning
        say(
            f"delivery: {attempt.result.value}",
            channel=attempt.channel,
            alert=attempt.alert,
            attempt=attempt.attempt,
            **({"error": attempt.detail} if attempt.detail else {}),
        )
        self._waiting.append(attempt)
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self._metrics.delivery_log_dropped.inc()
        self._fresh.set()

    def start(self) -> None:
        """Begin to write. A second call changes nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="delivery log")

    async def close(self) -> None:
        """Write what waits, if the server is there, and stop. May be called twice."""
        task, self._task = self._task, None
        if task is not None:
            await end_tasks(task)
            try:
                async with asyncio.timeout(_LAST_WORDS):
                    await self._flush()
            except TimeoutError:
                log.warning("the last entries of the log of deliveries are not written", waiting=len(self._waiting))
        await self._keeper.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        purge_at = loop.time()
        while True:
            if loop.time() >= purge_at:
                purge_at = loop.time() + (_PURGE_EVERY if await self._purge() else _PAUSE)
            try:
                async with asyncio.timeout(max(0.0, purge_at - loop.time())):
                    await self._fresh.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(_LINGER)
            if not await self._flush():
                await asyncio.sleep(_PAUSE)

    async def _flush(self) -> bool:
        """Write all that waits; False: the server is away, and it waits on."""
        while self._waiting:
            batch = [self._waiting[position] for position in range(min(_BATCH, len(self._waiting)))]
            try:
                await self._keeper.open()
                refused = await self._keeper.write(batch)
            except BellwetherError as error:
                log.warning("the log of deliveries waits", waiting=len(self._waiting), error=str(error))
                return False
            for position, why in refused.items():
                log.error("the index refuses an entry of the log of deliveries", message=batch[position].message, error=why)
            # Newer ones may have pushed the oldest out meanwhile.
            written = {id(attempt) for attempt in batch}
            while self._waiting and id(self._waiting[0]) in written:
                self._waiting.popleft()
        self._fresh.clear()
        return True

    async def _purge(self) -> bool:
        try:
            await self._keeper.open()
            old = await self._keeper.purge(datetime.now(UTC) - self._kept)
        except BellwetherError as error:
            log.warning("old deliveries are not deleted yet", error=str(error))
            return False
        if old:
            log.info("old deliveries are deleted", indices=old)
        return True
