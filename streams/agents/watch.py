"""The watch agent: documents.scored → alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

from streams.agents.breakdown import or_stop
from streams.agents.intake import acknowledge, delivery_of, raw_topic
from streams.agents.letters import Letters
from streams.errors import TransientError
from streams.metrics import Metrics
from streams.service import Service
from streams.stages.contract import Delivery, Producer
from streams.stages.delivery import deliver
from streams.stages.rules import RuleStage
from streams.stages.watch import WatchStage

__all__ = ["TICK_SECONDS", "pass_time", "register"]

TICK_SECONDS = 5.0

log = structlog.get_logger(__name__)


async def pass_time(stage: WatchStage, rules: RuleStage | None, metrics: Metrics) -> None:
    """Look at the rule file, then at the clock. No exception comes out of it but cancellation: documents are watched all the same."""
    for action in (*((rules.poll,) if rules is not None else ()), stage.tick):
        try:
            await action()
        except TransientError as error:
            metrics.retries.labels(stage="watch", error=type(error).__name__).inc()
            log.warning("time passes unnoticed: the state or an alert could not be written", error=str(error))
        except Exception as error:  # Faust would end the worker, and the next one would fail at the same place.
            metrics.retries.labels(stage="watch", error=type(error).__name__).inc()
            log.exception("time passes unnoticed", error=repr(error))


def register(app: Any, service: Service, producer: Producer) -> None:
    """Add the agent to `app`."""
    stage, metrics, settings = service.watch, service.metrics, service.settings
    assert stage is not None
    letters = Letters(producer, service.ledger, metrics, settings.topics)

    async def bury(delivery: Delivery, error: Exception) -> None:
        await letters.deliver([letters.write("watch", delivery, error)], stage="watch")
        await service.ledger.watched([delivery.origin])

    async def handle(events: Sequence[Any]) -> None:
        with metrics.stage_seconds.labels(stage="watch").time():
            deliveries = [delivery_of(event, named=True) for event in events]
            await deliver(deliveries, stage.process, bury, stage="watch", metrics=metrics)
        acknowledge(events)

    @app.timer(TICK_SECONDS)  # type: ignore[untyped-decorator]
    async def tick() -> None:
        await pass_time(stage, service.rules, metrics)

    @app.agent(raw_topic(app, settings.topics.scored), name="watch")  # type: ignore[untyped-decorator]
    async def watch(stream: Any) -> None:
        await or_stop(app, "watch", service.resend_alerts())
        async for events in stream.noack_take(settings.search.batch_size, within=settings.search.linger):
            await or_stop(app, "watch", handle(events))
