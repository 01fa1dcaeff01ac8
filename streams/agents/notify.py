"""The notify agent: alerts → outbox and alert index; from the outbox they reach their channels."""

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

__all__ = ["MAX_ALERTS_AT_ONCE", "register"]

MAX_ALERTS_AT_ONCE = 16


def register(app: Any, service: Service, producer: Producer) -> None:
    """Add the agent to `app`."""
    stage, metrics, settings = service.notify, service.metrics, service.settings
    assert stage is not None
    letters = Letters(producer, service.ledger, metrics, settings.topics)

    async def process(deliveries: Sequence[Delivery]) -> None:
        await letters.deliver(await stage.process(deliveries), stage="notify")

    async def give_up(undelivered: Sequence[DeadLetter]) -> None:
        await letters.deliver(undelivered, stage="notify")

    async def bury(delivery: Delivery, error: Exception) -> None:
        await letters.deliver([letters.write("notify", delivery, error)], stage="notify")

    async def handle(events: Sequence[Any]) -> None:
        with metrics.stage_seconds.labels(stage="notify").time():
            await deliver([delivery_of(event, named=False) for event in events], process, bury, stage="notify", metrics=metrics)
        acknowledge(events)

    @app.agent(raw_topic(app, settings.topics.alerts), name="notify")  # type: ignore[untyped-decorator]
    async def notify(stream: Any) -> None:
        await or_stop(app, "notify", stage.start(give_up))
        async for events in stream.noack_take(MAX_ALERTS_AT_ONCE, within=0.1):
            await or_stop(app, "notify", handle(events))
