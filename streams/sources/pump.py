"""Carries batches from a source to an intake: put, wait until durable, move the cursor, and nothing in another order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import stamina

from streams.errors import TransientError
from streams.sources.contract import Batch, Intake, Source

__all__ = ["pump"]

_LONGEST_WAIT = 10.0


async def pump(
    source: Source, intake: Intake, *, patience: float | None = None, on_wait: Callable[[TransientError], None] | None = None
) -> None:
    """Run a source to its end (or until cancelled). The source is closed, the intake is left open.

    Args:
        source: set up here.
        intake: takes the batches.
        patience: seconds for which a batch that the intake cannot take now is offered again; None: for ever.
        on_wait: hears of every refusal, before the waiting.

    Raises:
        TransientError: the intake did not take a batch within `patience`.
        BellwetherError: the source cannot be read.
    """
    try:
        await source.setup()
        while (batch := await source.poll()) is not None:
            await _deliver(source, batch, intake, patience, on_wait)
            await source.commit(batch)
    finally:
        await source.close()


async def _deliver(
    source: Source, batch: Batch, intake: Intake, patience: float | None, on_wait: Callable[[TransientError], None] | None
) -> None:
    if not batch.messages:
        return
    retrying = stamina.retry_context(on=TransientError, attempts=None, timeout=patience, wait_initial=0.2, wait_max=_LONGEST_WAIT)
    async for attempt in retrying:
        with attempt:
            try:
                await intake.put(batch.messages)
            except TransientError as error:
                if on_wait is not None:
                    on_wait(error)
                if error.retry_after:
                    await asyncio.sleep(error.retry_after)
                raise
