"""The index agent: documents.scored → Elasticsearch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streams.agents.breakdown import or_stop
from streams.agents.intake import acknowledge, delivery_of, raw_topic
from streams.agents.letters import Letters
from streams.documents import DeadLetter
from streams.service import Service
from streams.stages.contract import Delivery, Producer
from streams.stages.delivery import deliver

__all__ = ["register"]


def register(app: Any, service: Service, producer: Producer) -> None:
    """Add the agent to `app`."""
    stage, metrics, settings = service.index, service.metrics, service.settings
    assert stage is not None
    letters = Letters(producer, service.ledger, metrics, settings.topics)

    async def handle(events: Sequence[Any]) -> None:
        refused: list[DeadLetter] = []

        async def process(deliveries: Sequence[Delivery]) -> None:
            refused.extend(await stage.process(deliveries))

        async def bury(delivery: Delivery, error: Exception) -> None:
            refused.append(letters.write("index", delivery, error))

        with metrics.stage_seconds.labels(stage="index").time():
            await deliver([delivery_of(event, named=True) for event in events], process, bury, stage="index", metrics=metrics)
            await letters.deliver(refused, stage="index")
        acknowledge(events)

    @app.agent(raw_topic(app, settings.topics.scored), name="index")  # type: ignore[untyped-decorator]
    async def index(stream: Any) -> None:
        async for events in stream.noack_take(settings.search.batch_size, within=settings.search.linger):
            await or_stop(app, "index", handle(events))
