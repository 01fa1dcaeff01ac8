"""When a failed delivery is tried again: the schedule that the Standard Webhooks specification recommends.

https://github.com/standard-webhooks/standard-webhooks, section "Deliverability and reliability".
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

__all__ = ["LONGEST_WAIT", "STANDARD_WAITS", "Clock", "Schedule"]

STANDARD_WAITS = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds after the first failed attempt, after the second, and so on. The first attempt is made at once."""

LONGEST_WAIT = 86_400.0
"""A receiver that asks for more than a day gets its next try after a day."""

_JITTER = 0.1
_LONGEST_NAP = 60.0


class Clock:
    """Wall clock in seconds since 1970-01-01 UTC (the moment of the next attempt outlives a restart), and waiting by it."""

    def now(self) -> float:
        """The time."""
        return time.time()

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Until `event` is set or `seconds` have passed (a minute at most: the wall clock may be put right); None: until it is set."""
        try:
            async with asyncio.timeout(None if seconds is None else min(seconds, _LONGEST_NAP)):
                await event.wait()
        except TimeoutError:
            return


class Schedule:
    """How long to wait after which attempt.

    Args:
        attempts: of one message to one channel, the first included; beyond the standard's ten each waits a day.
        draw: uniform numbers in [0, 1).
    """

    def __init__(self, attempts: int, draw: Callable[[], float] = random.random) -> None:
        self._attempts = attempts
        self._draw = draw

    def wait(self, failed: int, asked: float | None = None) -> float | None:
        """Seconds until the next attempt; None: there is none any more.

        Up to a tenth is added by chance, so that the messages of an outage do not all come back at once.

        Args:
            failed: attempts that have failed, at least 1.
            asked: seconds that the receiver asked for (``Retry-After``): it is never called sooner, but for :data:`LONGEST_WAIT`.
        """
        if failed >= self._attempts:
            return None
        planned = STANDARD_WAITS[min(failed, len(STANDARD_WAITS)) - 1]
        planned += planned * _JITTER * self._draw()
        return planned if asked is None else max(planned, min(asked, LONGEST_WAIT))
