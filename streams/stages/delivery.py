"""How a batch gets through: transient faults are waited out, a poisonous item is found and buried, nothing is given up.

An agent hands its batch to :func:`deliver`; when that returns, every item is either processed or buried and the batch can
be acknowledged. No exception comes out of it but cancellation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from streams.errors import PermanentError
from streams.metrics import Metrics
from streams.patience import until_it_works

__all__ = ["ATTEMPTS_BEFORE_SPLITTING", "deliver"]

ATTEMPTS_BEFORE_SPLITTING = 3
"""Tries of a batch that fails for a reason nobody foresaw, before its items are tried apart."""

Item = TypeVar("Item")

log = structlog.get_logger(__name__)


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
