"""What the measurements of the whole path share: a stack on an empty folder, and the processor time of its parts."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from streams.embedded.stack import Stack
from streams.logs import configure_logs
from streams.settings import load_settings

__all__ = ["processor_seconds", "running_stack", "until_ended"]


@asynccontextmanager
async def running_stack(entities: Path | None = None, **flags: Any) -> AsyncIterator[Stack]:
    """A stack on an empty folder that is removed afterwards. `flags` are settings by section."""
    with tempfile.TemporaryDirectory(prefix="bellwether-bench-", ignore_cleanup_errors=True) as folder:
        settings = load_settings(embedded={"data": Path(folder), **flags.pop("embedded", {})}, log_level="error", **flags)
        configure_logs(settings)
        async with Stack(settings, entities=entities) as stack:
            yield stack


async def until_ended(stack: Stack, *, seconds: float) -> float:
    """Wait until no document is on its way; returns the seconds waited. Raises TimeoutError."""
    began = time.monotonic()
    while stack.journal.counts().pending:
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"{stack.journal.counts()} after {seconds:.0f} s")
        await asyncio.sleep(0.1)
    return time.monotonic() - began


def processor_seconds(stack: Stack) -> dict[str, float]:
    """Processor seconds (user and system) that each part has used so far, its children included; `supervisor` is this process."""
    found: dict[str, float] = {}
    for child in stack.status():
        if child.pid is not None:
            process = psutil.Process(child.pid)
            family = [process, *process.children(recursive=True)]
            found[child.name] = sum(sum(one.cpu_times()[:2]) for one in family)
    found["supervisor"] = sum(psutil.Process().cpu_times()[:2])
    return found
