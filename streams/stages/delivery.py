"""How a batch gets through: transient faults are waited out, a poisonous item is found and buried, nothing is given up.

An agent hands its batch to :func:`deliver`; when that returns, every item is either processed or buried and the batch can
be acknowledged. No exception comes out of it but cancellation.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import stamina
import structlog

from streams.errors import PermanentError, TransientError
from streams.metrics import Metrics

__all__ = ["ATTEMPTS_BEFORE_SPLITTING", "deliver", "until_it_works"]

ATTEMPTS_BEFORE_SPLITTING = 3
"""Tries of a batch that fails for a reason nobody foresaw, before its items are tried apart."""

WAIT_INITIAL = 0.2
WAIT_MAX = 15.0

Item = TypeVar("Item")

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
        with attempt:
            await action()


async def deliver(
    items: Sequence[Item],
    process: Callable[[Sequence[Item]], Awaitable[None]],
    bury: Callable[[Item, Exception], Awaitable[None]],
    *,
    stage: str,
    metrics: Metrics,
) -> None:
    """Process `items`, whatever it takes.

    Transient errors repeat the batch for as long as they last: the caller meanwhile takes nothing new, which holds the
    broker back. A permanent error is believed at once, any other is tried
    :data:`ATTEMPTS_BEFORE_SPLITTING` times; then the batch is halved until the item that causes it stands alone and is buried.

    Args:
        items: the batch; processing one of them twice must be harmless.
        process: the work on a batch.
        bury: dead-letters one item with the error that it caused; must itself only raise transient errors.
        stage: for the log and the metrics.
        metrics: counts the repeats.
    """
    if not items:
        return
    failure: Exception | None = None
    for _ in range(ATTEMPTS_BEFORE_SPLITTING):
        try:
            await until_it_works(lambda: process(items), stage=stage, metrics=metrics)
        except Exception as error:  # noqa: BLE001 - the promise: nothing leaves an agent; it is logged and buried below
            failure = error
            metrics.retries.labels(stage=stage, error=type(error).__name__).inc()
            if isinstance(error, PermanentError):
                break
        else:
            return
    assert failure is not None
    if len(items) > 1:
        log.error("a batch fails: trying its halves", stage=stage, items=len(items), error=repr(failure))
        middle = len(items) // 2
        await deliver(items[:middle], process, bury, stage=stage, metrics=metrics)
        await deliver(items[middle:], process, bury, stage=stage, metrics=metrics)
        return
    log.error("burying a document that cannot be processed", stage=stage, error=repr(failure), exc_info=failure)
    poison, cause = items[0], failure
    await until_it_works(lambda: bury(poison, cause), stage=stage, metrics=metrics)
