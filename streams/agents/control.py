"""The control agent: silences and acknowledgements → the watch agent's engine. Runs where the watch agent runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streams.agents.breakdown import or_stop
from streams.agents.intake import acknowledge, delivery_of, raw_topic
from streams.agents.letters import Letters
from streams.service import Service
from streams.stages.contract import Delivery, Producer
from streams.stages.delivery import deliver

__all__ = ["MAX_COMMANDS_AT_ONCE", "register"]

MAX_COMMANDS_AT_ONCE = 16


def register(app: Any, service: Service, producer: Producer) -> None:
    """Add the agent to `app`."""
    stage, metrics, settings = service.control, service.metrics, service.settings
    assert stage is not None
    letters = Letters(producer, service.ledger, metrics, settings.topics)

    async def process(deliveries: Sequence[Delivery]) -> None:
        await letters.deliver(await stage.process(deliveries), stage="watch")

    async def bury(delivery: Delivery, error: Exception) -> None:
        await letters.deliver([letters.write("watch", delivery, error)], stage="watch")

    async def handle(events: Sequence[Any]) -> None:
        with metrics.stage_seconds.labels(stage="control").time():
            await deliver([delivery_of(event, named=False) for event in events], process, bury, stage="control", metrics=metrics)
        acknowledge(events)

    @app.agent(raw_topic(app, settings.topics.control), name="control")  # type: ignore[untyped-decorator]
    async def control(stream: Any) -> None:
        async for events in stream.noack_take(MAX_COMMANDS_AT_ONCE, within=0.1):
            await or_stop(app, "control", handle(events))
