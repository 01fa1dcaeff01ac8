"""A lane: carries the messages of one channel, a few at a time, each when it is due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from streams.cancellation import end_tasks
from streams.delivery.attempt import Result
from streams.delivery.channels import Channel
from streams.delivery.outbox import Outbox, message_id
from streams.delivery.queue import Entry
from streams.delivery.schedule import LONGEST_WAIT, Clock
from streams.delivery.sender import Sender
from streams.documents import Alert
from streams.errors import PermanentError, TransientError

__all__ = ["PARALLEL", "Lane", "Verdict"]

PARALLEL = 4
"""Messages of different fingerprints that are under way to one channel at once."""

_GRACE = 5.0
_RESULTS = {"webhook.gone": Result.GONE, "webhook.forbidden": Result.FORBIDDEN}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended; `asked`: seconds that the receiver asked us to wait; `seconds`: how long it took."""

    result: Result
    seconds: float
    detail: str = ""
    asked: float | None = None


Judge = Callable[[Channel, Entry, Alert, Verdict], Awaitable[None]]


class Lane:
    """One channel's messages on their way.

    Args:
        channel: where to.
        sender: sends to it.
        outbox: what waits.
        clock: the wall clock.
        judge: hears how each attempt ended, and takes the message out of the outbox or puts it back.
    """

    def __init__(self, channel: Channel, sender: Sender, outbox: Outbox, clock: Clock, judge: Judge) -> None:
        self._channel = channel
        self._sender = sender
        self._outbox = outbox
        self._clock = clock
        self._judge = judge
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._paused_until = 0.0

    def start(self) -> None:
        """Begin. A second call changes nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"channel {self._channel.name}")
            self._task.add_done_callback(self._stopped)

    def wake(self) -> None:
        """Something new may be due."""
        self._awake.set()

    async def close(self) -> None:
        """Stop, and break off what is under way: its message stays in the outbox. May be called twice."""
        tasks = [*self._running, *([self._task] if self._task is not None else [])]
        self._task = None
        await end_tasks(*tasks)
        await self._sender.close()

    async def _run(self) -> None:
        name = self._channel.name
        while True:
            self._awake.clear()
            now = self._clock.now()
            free = len(self._running) < PARALLEL
            while free and now >= self._paused_until and (found := self._outbox.take(name, now)) is not None:
                task = asyncio.create_task(self._attempt(*found), name=f"{name}: {found[0].message}")
                self._running.add(task)
                task.add_done_callback(self._over)
                free = len(self._running) < PARALLEL
            due = self._outbox.next_due(name)
            await self._clock.wait(self._awake, max(due, self._paused_until) - now if free and due is not None else None)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._awake.set()

    async def _attempt(self, entry: Entry, alert: Alert) -> None:
        try:
            verdict = await self._send(alert, time.monotonic())
            if verdict.asked is not None:
                # It is the receiver that is busy, not this message.
                self._paused_until = max(self._paused_until, self._clock.now() + min(verdict.asked, LONGEST_WAIT))
            await self._judge(self._channel, entry, alert, verdict)
        finally:
            self._outbox.release(entry)  # broken off: it was tried in vain, or nobody knows

    def _stopped(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("a channel stands still until the worker is started again", channel=self._channel.name, exc_info=error)

    async def _send(self, alert: Alert, began: float) -> Verdict:
        try:
            # A sender keeps its own time; this is for one that does not.
            async with asyncio.timeout(self._channel.timeout + _GRACE):
                await self._sender.send(alert, message_id(alert))
        except TransientError as error:
            return Verdict(Result.RETRY, time.monotonic() - began, str(error), error.retry_after)
        except PermanentError as error:
            return Verdict(_RESULTS.get(error.reason, Result.REFUSED), time.monotonic() - began, str(error))
        except TimeoutError:
            return Verdict(Result.RETRY, time.monotonic() - began, "the sender does not come back")
        except Exception as error:
            log.exception("a delivery fails for a reason that nobody foresaw", channel=self._channel.name)
            return Verdict(Result.RETRY, time.monotonic() - began, repr(error))
        return Verdict(Result.DELIVERED, time.monotonic() - began)
