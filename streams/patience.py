"""Waiting out what passes: a broker that is away, a disk that is full, a server that is overloaded."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from datetime import timedelta

import stamina
import structlog

from streams.cancellation import heed_cancellation
from streams.errors import TransientError
from streams.metrics import Metrics

__all__ = ["WAIT_INITIAL", "WAIT_MAX", "until_it_works"]

WAIT_INITIAL = 0.2
WAIT_MAX = 15.0

log = structlog.get_logger(__name__)


def _is_transient(error: Exception) -> bool:
    # OSError: sockets, disks that are full; OperationalError: a journal that is locked or whose disk is full.
    return isinstance(error, (TransientError, OSError, sqlite3.OperationalError))


async def until_it_works(action: Callable[[], Awaitable[None]], *, stage: str, metrics: Metrics) -> None:
    """Run `action` until it does not raise a transient error, with exponential back-off and jitter.

    Args:
        action: may be run any number of times.
        stage: for the log and the metrics.
        metrics: counts the repeats.

    Raises:
        Exception: whatever else `action` raises.
    """

    def wait(error: Exception) -> bool | float | timedelta:
        if not _is_transient(error):
            return False
        metrics.retries.labels(stage=stage, error=type(error).__name__).inc()
        log.warning("waiting for it to come back", stage=stage, error=str(error) or type(error).__name__)
        asked = error.retry_after if isinstance(error, TransientError) else None
        return True if asked is None else min(asked, WAIT_MAX)

    async for attempt in stamina.retry_context(on=wait, attempts=None, timeout=None, wait_initial=WAIT_INITIAL, wait_max=WAIT_MAX):
        # A stop is asked for once, and the client that the last attempt closed may have swallowed it.
        heed_cancellation()
        with attempt:
            await action()
