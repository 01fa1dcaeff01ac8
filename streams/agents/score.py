"""The score agent: documents.raw → documents.scored, or documents.dead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from streams.agents.breakdown import or_stop
from streams.agents.intake import acknowledge, delivery_of, raw_topic
from streams.agents.letters import Letters
from streams.documents import DeadLetter, ScoredDocument
from streams.service import Service
from streams.stages.contract import Delivery, Producer, Record
from streams.stages.delivery import deliver
from streams.stages.lane import Lane

__all__ = ["BATCHES_UNDER_WAY", "register"]

BATCHES_UNDER_WAY = 2
"""One is being scored while the next is being read."""


def register(app: Any, service: Service, producer: Producer) -> None:
    """Add the agent to `app`."""
    stage, metrics, settings = service.score, service.metrics, service.settings
    assert stage is not None
    letters = Letters(producer, service.ledger, metrics, settings.topics)
    # A record of somebody's own topic is known by its own place, whatever headers it was copied with.
    journalled = settings.journal is not None

    async def send(documents: Sequence[ScoredDocument]) -> None:
        await producer.send([_record(settings.topics.scored, document) for document in documents])

    async def bury_document(document: ScoredDocument, error: Exception) -> None:
        original = document.model_dump_json().encode()
        await letters.deliver([letters.write("score", Delivery(original, document.origin), error)], stage="score")

    async def work(events: Sequence[Any]) -> Callable[[], Awaitable[None]]:
        results: list[ScoredDocument | DeadLetter] = []

        async def process(deliveries: Sequence[Delivery]) -> None:
            results.extend(await stage.process(deliveries))

        async def bury(delivery: Delivery, error: Exception) -> None:
            results.append(letters.write("score", delivery, error))

        with metrics.stage_seconds.labels(stage="score").time():
            deliveries = [delivery_of(event, named=journalled) for event in events]
            await deliver(deliveries, process, bury, stage="score", metrics=metrics)

        async def finish() -> None:
            scored = [result for result in results if isinstance(result, ScoredDocument)]
            await deliver(scored, send, bury_document, stage="score", metrics=metrics)
            await letters.deliver([result for result in results if isinstance(result, DeadLetter)], stage="score")
            acknowledge(events)

        return finish

    async def begin(events: Sequence[Any]) -> Callable[[], Awaitable[None]]:
        finish = await or_stop(app, "score", work(events))
        return lambda: or_stop(app, "score", finish())

    @app.agent(raw_topic(app, settings.topics.raw), name="score")  # type: ignore[untyped-decorator]
    async def score(stream: Any) -> None:
        lane: Lane[Sequence[Any]] = Lane(begin, depth=BATCHES_UNDER_WAY)
        try:
            async for events in stream.noack_take(settings.scoring.batch_size, within=settings.scoring.linger):
                await lane.submit(events)
        finally:
            await lane.close()


def _record(topic: str, document: ScoredDocument) -> Record:
    headers = [("bellwether-origin", document.origin.encode()), ("bellwether-sent-at", datetime.now(UTC).isoformat().encode())]
    return Record(topic=topic, key=document.id.encode(), value=document.model_dump_json().encode(), headers=headers)
