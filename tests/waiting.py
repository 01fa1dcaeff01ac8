"""Waiting for what happens in its own time: the bound is for what never happens, and generous enough for a machine that is busy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

__all__ = ["until"]


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 60.0, *, pause: float = 0.01) -> None:
    """Wait until `condition` holds, and fail when it does not within `seconds`.

    Args:
        condition: asked again and again; may be awaited.
        seconds: how long to wait at the most.
        pause: seconds between two questions; longer where each is a request to a server.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < deadline, f"it did not happen within {seconds:g} s"
        await asyncio.sleep(pause)
