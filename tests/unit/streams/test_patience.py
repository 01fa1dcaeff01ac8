"""Waiting out: what passes is repeated, with pauses; all else comes out at once."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Iterator

import pytest
import stamina

from streams import patience
from streams.errors import BellwetherError, PermanentError, TransientError
from streams.metrics import Metrics
from streams.patience import until_it_works


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Repeats do not wait, and give up after 50 so that a test that never ends fails."""
    monkeypatch.setattr(patience, "WAIT_MAX", 0.0)
    with stamina.set_testing(True, attempts=50):
        yield


@pytest.fixture
def metrics() -> Metrics:
    """Metrics of their own."""
    return Metrics()


async def test_it_really_waits_between_tries_and_as_long_as_asked_but_not_for_ever(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "WAIT_MAX", 0.3)
    times: list[float] = []
    faults = [TransientError("busy", retry_after=0.15), TransientError("busy", retry_after=3600.0), TransientError("busy", retry_after=0.0)]

    async def action() -> None:
        times.append(asyncio.get_running_loop().time())
        if faults:
            raise faults.pop(0)

    with stamina.set_testing(False):
        await until_it_works(action, stage="index", metrics=metrics)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert gaps[0] == pytest.approx(0.15, abs=0.08)
    assert gaps[1] == pytest.approx(0.3, abs=0.08)
    assert gaps[2] < 0.1


@pytest.mark.parametrize("error", [ValueError("x"), PermanentError("x", reason="a.b"), BellwetherError("x")], ids=repr)
async def test_what_is_not_transient_comes_out_of_the_inner_loop_at_once(error: Exception, metrics: Metrics) -> None:
    faults, calls = [TransientError("away"), error], 0

    async def action() -> None:
        nonlocal calls
        calls += 1
        raise faults.pop(0)

    with pytest.raises(type(error)):
        await until_it_works(action, stage="index", metrics=metrics)
    assert calls == 2


async def test_every_repeat_is_counted_by_its_cause(metrics: Metrics) -> None:
    faults: list[Exception] = [OSError(28, "disk full"), sqlite3.OperationalError("locked"), OSError(28, "disk full")]

    async def action() -> None:
        if faults:
            raise faults.pop(0)

    await until_it_works(action, stage="index", metrics=metrics)
    counted = {
        error: metrics.registry.get_sample_value("bellwether_retries_total", {"stage": "index", "error": error})
        for error in ("OSError", "OperationalError")
    }
    assert counted == {"OSError": 2, "OperationalError": 1}


async def test_a_stop_that_a_client_swallowed_is_heeded_before_the_next_try(metrics: Metrics) -> None:
    tries = 0

    async def action() -> None:
        nonlocal tries
        tries += 1
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            # As aiokafka's client does while it closes.
            raise TransientError("connection lost") from None

    waiting = asyncio.ensure_future(until_it_works(action, stage="index", metrics=metrics))
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert tries == 1
