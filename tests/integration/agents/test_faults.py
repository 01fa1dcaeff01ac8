"""Unforeseen exceptions in every stage of an app that runs in this process: agents go on, or the app stops and loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import numpy as np
import pytest

from streams.app import BellwetherApp, build_app
from streams.documents import DeadLetter
from streams.errors import PermanentError, StackError, TransientError
from streams.scoring.contract import Scores

AGENTS = {"score", "index", "watch", "notify", "control"}


@contextlib.asynccontextmanager
async def running(settings: Any, mend: Callable[[BellwetherApp], None] = lambda app: None) -> AsyncIterator[BellwetherApp]:
    """The app, started, after `mend` has put its faults in."""
    app = build_app(settings)
    mend(app)
    await app.start()
    try:
        yield app
    finally:
        await asyncio.wait_for(app.stop(), 10)


def agents_run(app: BellwetherApp) -> bool:
    """Every agent runs, and none was started anew after a crash."""
    actors = [actor for agent in app.agents.values() for actor in agent._actors]
    return len(actors) == len(AGENTS) and all(actor.actor_task is not None and not actor.actor_task.done() for actor in actors)


class Faulty:
    """Stands before a method; raises as `fault` says, which gets the call's first argument."""

    def __init__(self, owner: Any, name: str, fault: Callable[[Any, int], Exception | None]) -> None:
        self.calls = 0
        self.raised = 0
        self._inner = getattr(owner, name)
        self._fault = fault
        setattr(owner, name, self)

    async def __call__(self, argument: Any, *rest: Any) -> Any:
        self.calls += 1
        error = self._fault(argument, self.calls)
        if error is not None:
            self.raised += 1
            raise error
        return await self._inner(argument, *rest)


def once(error: Exception) -> Callable[[Any, int], Exception | None]:
    return lambda _, call: error if call == 1 else None


def about(mark: str, error: Exception) -> Callable[[Any, int], Exception | None]:
    """Raises whenever `mark` is somewhere in the argument."""
    return lambda argument, _: error if mark in repr(argument) else None


class PickyScorer:
    """A model that fails on texts with one word, as a tokenizer with a defect would."""

    topics = ("economy",)
    model_id = "picky"

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked = 0
        self.away_until = 0.0

    async def open(self) -> None:
        return

    async def close(self) -> None:
        return

    async def score(self, texts: Sequence[str]) -> Scores:
        self.asked += 1
        if asyncio.get_running_loop().time() < self.away_until:
            raise TransientError("the model is away")
        if any("poison" in text for text in texts):
            raise self.error
        count = len(texts)
        return Scores(
            sentiment=np.tile(np.array([0.2, 0.5, 0.3], np.float32), (count, 1)),
            topic=np.ones((count, 1), np.float32),
            embedding=np.zeros((count, 4), np.float32),
        )


def _poisoned(document: bytes) -> bytes:
    return document.replace(b'"title": "', b'"title": "poison ')


@pytest.mark.parametrize("error", [ValueError("odd"), PermanentError("no", reason="score.refused")], ids=["unforeseen", "permanent"])
async def test_a_document_on_which_the_scorer_fails_is_buried_alone(way: Any, until: Any, error: Exception) -> None:
    scorer = PickyScorer(error)

    def mend(app: BellwetherApp) -> None:
        app.parts._scorer = scorer  # type: ignore[assignment]
        app.parts.score._scorer = scorer  # type: ignore[union-attr]
        app.parts.score._answerer._scorer = scorer  # type: ignore[union-attr]

    documents = way.documents(200)
    documents[70] = _poisoned(documents[70])
    await way.send(way.settings.topics.raw, documents)
    async with running(way.settings, mend) as app:
        await until(lambda: way.indexed() == 199)
        [record] = await way.read(way.settings.topics.dead, 1)
        letter = DeadLetter.from_record(record.value, list(record.headers))
        assert (letter.origin, letter.original) == ("documents.raw-0-70", documents[70])
        assert letter.reason == getattr(error, "reason", "score.failed")
        assert agents_run(app)
    report = await way.audit()
    assert (report.produced, report.indexed, report.dead, report.lost) == (200, 199, 1, 0)


@pytest.mark.slow
async def test_a_scorer_that_is_away_stops_the_consumption_and_nothing_else(way: Any, until: Any) -> None:
    scorer = PickyScorer(ValueError())

    def mend(app: BellwetherApp) -> None:
        app.parts._scorer = scorer  # type: ignore[assignment]
        app.parts.score._scorer = scorer  # type: ignore[union-attr]
        app.parts.score._answerer._scorer = scorer  # type: ignore[union-attr]

    async with running(way.settings, mend) as app:
        await way.send(way.settings.topics.raw, way.documents(50))
        await until(lambda: way.indexed() == 50)
        await until(lambda: _committed(way, way.settings.topics.raw, 50))
        scorer.away_until = asyncio.get_running_loop().time() + 6
        before = scorer.asked
        await way.send(way.settings.topics.raw, way.documents(2000, begin=50))
        await asyncio.sleep(4)
        assert await way.committed(way.settings.topics.raw) == 50
        assert app.consumer is not None
        assert len(app.consumer.unacked) <= way.settings.worker.buffer + 4 * way.settings.scoring.batch_size
        assert 2 <= scorer.asked - before <= 40, "it knocks, with pauses"
        assert (await way.topic(way.settings.topics.raw)).lag > 1500
        await until(lambda: way.indexed() == 2050, 60)
        assert agents_run(app)
    assert (await way.audit()).balanced


async def _committed(way: Any, topic: str, offset: int) -> bool:
    return bool(await way.committed(topic) == offset)


FAULTS: dict[str, Callable[[BellwetherApp], Faulty]] = {
    "score stage": lambda app: Faulty(app.parts.score, "process", once(ValueError("odd"))),
    "index stage": lambda app: Faulty(app.parts.index, "process", once(ValueError("odd"))),
    "watch stage": lambda app: Faulty(app.parts.watch, "process", once(ValueError("odd"))),
    "ledger finish": lambda app: Faulty(app.parts.ledger, "finish", once(KeyError("row"))),
    "ledger watched": lambda app: Faulty(app.parts.ledger, "watched", once(KeyError("row"))),
    "ledger bury": lambda app: Faulty(app.parts.ledger, "bury", once(KeyError("row"))),
    "producer": lambda app: Faulty(app.parts._producer, "send", once(RuntimeError("odd"))),
}


async def test_faults_that_come_once_change_nothing(way: Any, until: Any) -> None:
    faults: dict[str, Faulty] = {}
    documents = [*way.documents(40), b"{"]
    await way.send(way.settings.topics.raw, documents)
    async with running(way.settings, lambda app: faults.update({place: make(app) for place, make in FAULTS.items()})) as app:
        await until(lambda: way.indexed() == 40)
        await until(lambda: _committed(way, way.settings.topics.raw, 41))
        await until(lambda: _committed(way, way.settings.topics.scored, 40))
        assert agents_run(app)
    assert {place: fault.raised for place, fault in faults.items()} == dict.fromkeys(FAULTS, 1)
    report = await way.audit()
    assert (report.produced, report.indexed, report.dead, report.lost) == (41, 40, 1, 0)


@pytest.mark.parametrize(("stage", "reason"), [("score", "score.failed"), ("index", "index.failed"), ("watch", "watch.failed")])
async def test_a_stage_that_always_fails_on_one_document_buries_it_alone(way: Any, until: Any, stage: str, reason: str) -> None:
    documents = way.documents(60)
    documents[20] = _poisoned(documents[20])
    await way.send(way.settings.topics.raw, documents)
    indexed = 60 if stage == "watch" else 59
    async with running(
        way.settings, lambda app: void(Faulty(getattr(app.parts, stage), "process", about("poison", ValueError("odd"))))
    ) as app:
        await until(lambda: way.indexed() == indexed)
        [record] = await way.read(way.settings.topics.dead, 1)
        letter = DeadLetter.from_record(record.value, list(record.headers))
        assert (letter.reason, letter.origin) == (reason, "documents.raw-0-20")
        await until(lambda: _committed(way, way.settings.topics.raw, 60))
        await until(lambda: _committed(way, way.settings.topics.scored, 60 if stage != "score" else 59))
        assert agents_run(app)
        # and it goes on
        await way.send(way.settings.topics.raw, way.documents(10, begin=60))
        await until(lambda: way.indexed() == indexed + 10)


@pytest.mark.slow
async def test_a_letter_that_the_ledger_never_takes_stops_the_worker_and_is_not_lost(way: Any, until: Any) -> None:
    error = StackError("the journal is closed")
    documents = way.documents(300)
    documents[200] = b"{"
    app = build_app(way.settings)
    Faulty(app.parts.ledger, "bury", lambda *_: error)
    await app.start()
    await way.send(way.settings.topics.raw, documents)
    await until(lambda: app.should_stop)
    assert app.crash_reason is error
    await asyncio.wait_for(app.stop(), 10)
    assert await way.committed(way.settings.topics.raw) <= 200
    async with running(way.settings):
        await until(lambda: way.indexed() == 299)
    report = await way.audit()
    assert (report.produced, report.indexed, report.dead, report.lost) == (300, 299, 1, 0)


def void(_: object) -> None:
    return
