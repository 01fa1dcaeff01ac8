"""What is left when something happens that nobody foresaw and that cannot be buried: the worker stops, and says why.

An exception that leaves an agent would be worse in every way: Faust starts the agent anew on a stream that has lost what it
held, and may commit past it (design record).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import structlog

__all__ = ["or_stop"]

Result = TypeVar("Result")

log = structlog.get_logger(__name__)


async def or_stop(app: Any, stage: str, work: Awaitable[Result]) -> Result:
    """The result of `work`. If it raises, `app` is told to stop, and this returns no more: nothing behind it is acknowledged.

    Args:
        app: the Faust app.
        stage: for the log.
        work: the whole work on a batch.
    """
    try:
        return await work
    except Exception as error:
        log.critical("stopping: this cannot even be buried; it will be delivered again", stage=stage, error=repr(error), exc_info=error)
        await app.crash(error)
        forever: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        return await forever
