"""Put, then commit: never the other way round."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from streams.errors import PermanentError, TransientError
from streams.sources.contract import Batch
from streams.sources.pump import pump


class Source:
    name = "test"

    def __init__(self, batches: Sequence[tuple[bytes, ...]], log: list) -> None:
        self.batches = [Batch(batch, number) for number, batch in enumerate(batches)]
        self.log = log

    async def setup(self) -> None:
        self.log.append("setup")

    async def poll(self) -> Batch | None:
        return self.batches.pop(0) if self.batches else None

    async def commit(self, batch: Batch) -> None:
        self.log.append(("commit", batch.place))

    async def close(self) -> None:
        self.log.append("close")


class Intake:
    def __init__(self, log: list, faults: Sequence[Exception] = ()) -> None:
        self.log = log
        self.faults = list(faults)

    async def put(self, messages: Sequence[bytes]) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.log.append(("put", tuple(messages)))

    async def close(self) -> None:
        self.log.append("intake closed")


async def test_the_place_moves_only_after_the_intake_has_the_batch() -> None:
    log: list = []
    await pump(Source([(b"a", b"b"), (), (b"c",)], log), Intake(log))
    assert log == ["setup", ("put", (b"a", b"b")), ("commit", 0), ("commit", 1), ("put", (b"c",)), ("commit", 2), "close"]


async def test_a_batch_that_cannot_be_taken_now_is_offered_again() -> None:
    log: list = []
    heard: list[TransientError] = []
    faults = [TransientError("broker restarts"), TransientError("full", retry_after=0.01)]
    await pump(Source([(b"a",)], log), Intake(log, faults), on_wait=heard.append)
    assert log == ["setup", ("put", (b"a",)), ("commit", 0), "close"]
    assert [error.message for error in heard] == ["broker restarts", "full"]


async def test_patience_ends_and_the_place_has_not_moved() -> None:
    log: list = []
    with pytest.raises(TransientError, match="down"):
        await pump(Source([(b"a",)], log), Intake(log, [TransientError("down")] * 99), patience=0.5)
    assert log == ["setup", "close"]


async def test_other_faults_end_it_at_once() -> None:
    log: list = []
    with pytest.raises(PermanentError):
        await pump(Source([(b"a",)], log), Intake(log, [PermanentError("no", reason="x.y")]))
    assert log == ["setup", "close"]


async def test_cancelling_closes_the_source() -> None:
    log: list = []
    task = asyncio.create_task(pump(Source([(b"a",)], log), Intake(log, [TransientError("down")] * 99)))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log[-1] == "close"
