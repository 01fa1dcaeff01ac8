"""The delivery log never holds a delivery up, whatever the search server does."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from waiting import until

from streams.delivery import log as module
from streams.delivery.attempt import FAILED, Attempt, Result
from streams.delivery.log import DeliveryLog
from streams.errors import TransientError
from streams.metrics import Metrics


class Keeper:
    def __init__(self) -> None:
        self.written: list[Attempt] = []
        self.faults: list[Exception] = []
        self.purged: list[datetime] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.refuse: dict[int, str] = {}

    async def open(self) -> None:
        return

    async def write(self, attempts: Any) -> dict[int, str]:
        await self.gate.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.written += attempts
        return self.refuse

    async def purge(self, before: datetime) -> list[str]:
        if self.faults:
            raise self.faults.pop(0)
        self.purged.append(before)
        return ["opinion-deliveries-2020.01"]

    async def close(self) -> None:
        return


def attempt(number: int = 1, result: Result = Result.DELIVERED) -> Attempt:
    return Attempt(
        at=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=number),
        message=f"m{number}",
        channel="ops",
        target="https://ops.example",
        alert="a",
        fingerprint="f",
        rule="r",
        status="firing",
        severity="info",
        result=result,
        attempt=1,
        seconds=0.1,
    )


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LINGER", 0.01)
    monkeypatch.setattr(module, "_PAUSE", 0.02)


async def test_attempts_are_written_in_batches_and_old_ones_deleted() -> None:
    keeper, metrics = Keeper(), Metrics()
    log = DeliveryLog(keeper, metrics, days=30)
    log.start()
    log.start()
    for number in range(1200):
        log.add(attempt(number, Result.RETRY if number % 2 else Result.DELIVERED))
    await until(lambda: len(keeper.written) == 1200)
    assert [each.message for each in keeper.written] == [f"m{number}" for number in range(1200)]
    assert len(keeper.purged) == 1
    assert timedelta(days=29.9) < datetime.now(UTC) - keeper.purged[0] < timedelta(days=30.1)
    assert metrics.registry.get_sample_value("bellwether_deliveries_total", {"result": "retry", "channel": "ops"}) == 600
    await log.close()
    await log.close()


async def test_a_server_that_is_away_is_waited_for() -> None:
    keeper = Keeper()
    keeper.faults = [TransientError("away")] * 5
    log = DeliveryLog(keeper, Metrics(), days=30)
    log.start()
    log.add(attempt())
    await until(lambda: len(keeper.written) == 1 and len(keeper.purged) == 1)
    await log.close()


async def test_what_waits_is_written_at_the_stop_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 5)
    keeper, metrics = Keeper(), Metrics()
    log = DeliveryLog(keeper, metrics, days=30)
    for number in range(8):
        log.add(attempt(number))
    assert metrics.registry.get_sample_value("bellwether_delivery_log_dropped_total") == 3
    log.start()
    await log.close()
    assert [each.message for each in keeper.written] == [f"m{number}" for number in range(3, 8)]


async def test_what_is_pushed_out_while_it_is_written_is_not_missed_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    keeper = Keeper()
    keeper.gate.clear()
    log = DeliveryLog(keeper, Metrics(), days=30)
    log.start()
    for number in range(3):
        log.add(attempt(number))
    await asyncio.sleep(0.05)
    for number in range(3, 5):
        log.add(attempt(number))
    keeper.gate.set()
    await until(lambda: len(keeper.written) == 5)
    assert [each.message for each in keeper.written] == [f"m{number}" for number in range(5)]
    await log.close()


async def test_a_server_that_hangs_does_not_hold_the_stop_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LAST_WORDS", 0.05)
    keeper = Keeper()
    keeper.gate.clear()
    log = DeliveryLog(keeper, Metrics(), days=30)
    log.start()
    log.add(attempt())
    await asyncio.sleep(0.03)
    async with asyncio.timeout(60):
        await log.close()
    assert keeper.written == []


async def test_an_entry_that_the_index_refuses_is_told_and_does_not_come_again(quiet: list[Any]) -> None:
    keeper = Keeper()
    keeper.refuse = {0: "mapping"}
    log = DeliveryLog(keeper, Metrics(), days=30)
    log.start()
    log.add(attempt())
    await until(lambda: any("refuses" in line["event"] for line in quiet))
    await log.close()
    assert len(keeper.written) == 1


def test_ids_differ_by_attempt_channel_and_time() -> None:
    one = attempt()
    changes = ({"attempt": 2}, {"channel": "x"}, {"at": one.at + timedelta(seconds=1)}, {"message": "y"})
    others = [one.model_copy(update=change) for change in changes]
    assert len({each.id for each in [one, *others]}) == 5
    assert one.id == attempt().id


def test_what_failed_is_not_tried_again_by_itself() -> None:
    assert {result.value for result in Result} - {result.value for result in FAILED} == {"delivered", "retry"}
