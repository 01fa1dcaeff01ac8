"""Signals: Ctrl-C and SIGTERM set an event; a second Ctrl-C does not hurry what keeps documents safe."""

from __future__ import annotations

import asyncio
import contextlib
import signal

__all__ = ["stop_on_signals"]


def stop_on_signals() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set; for the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no loop signal handlers: KeyboardInterrupt ends the loop there
            loop.add_signal_handler(number, stop.set)
    return stop
