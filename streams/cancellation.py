"""Ends tasks for certain. A library may swallow a cancellation, and then ``task.cancel()`` and ``await task`` wait for ever.

aiokafka does: closing a client, it cancels a task of its own and suppresses the CancelledError of waiting for it, also when
that was meant for the caller. So whoever ends a task does it with :func:`end_tasks`, and a loop that calls libraries asks
:func:`heed_cancellation` in each round.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog

__all__ = ["end_tasks", "heed_cancellation"]

_log = structlog.get_logger(__name__)

_PATIENCE: Final = 2.0
_TIMES: Final = 3


async def end_tasks(*tasks: asyncio.Task[Any], patience: float = _PATIENCE) -> None:
    """Cancel `tasks` and wait until they have ended, at most three times `patience`; what they raise is dropped.

    One that has not ended by then is left alone, and named in the log.

    Args:
        tasks: other tasks than the one that calls; those that have ended are fine.
        patience: seconds that the cleaning up of a task may take before it is cancelled again.
    """
    left = set(tasks)
    for _ in range(_TIMES):
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=patience)
    for task in tasks:
        if task in left:
            _log.error("a task does not end though it was cancelled, and is left alone", task=task.get_name(), times=_TIMES)
        elif not task.cancelled():
            task.exception()  # asked for in any case: asyncio complains about errors that nobody looked at


def heed_cancellation() -> None:
    """Raise CancelledError when the task that calls was cancelled before, and something it called has swallowed that.

    Not for code that cleans up: there a cancellation is nothing new.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
