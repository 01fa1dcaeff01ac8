"""Time passes beside the documents: whatever goes wrong with it, the worker goes on."""

from __future__ import annotations

import pytest
import structlog

from streams.agents.watch import pass_time
from streams.errors import TransientError
from streams.metrics import Metrics


class Ticking:
    """Stands for a stage; fails as told."""

    def __init__(self, *faults: Exception | None) -> None:
        self.faults = list(faults)
        self.calls = 0

    async def __call__(self) -> None:
        self.calls += 1
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault

    tick = poll = __call__


async def test_the_rule_file_is_looked_at_before_the_clock() -> None:
    clock, file = Ticking(), Ticking()
    await pass_time(clock, file, Metrics())  # type: ignore[arg-type]
    await pass_time(clock, None, Metrics())  # type: ignore[arg-type]
    assert (clock.calls, file.calls) == (2, 1)


@pytest.mark.parametrize("fault", [TransientError("the store is away"), ValueError("nobody foresaw this")])
async def test_a_fault_is_logged_and_counted_and_the_next_time_all_is_well(fault: Exception) -> None:
    metrics = Metrics()
    clock, file = Ticking(None, fault), Ticking(fault)
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await pass_time(clock, file, metrics)  # type: ignore[arg-type]
    assert (clock.calls, file.calls) == (3, 3)
    assert len(logs) == 2
    counted = metrics.registry.get_sample_value("bellwether_retries_total", {"stage": "watch", "error": type(fault).__name__})
    assert counted == 2
