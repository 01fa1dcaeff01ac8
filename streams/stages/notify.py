"""The notify stage: alerts into the index of alerts, and into the outbox, from which they reach their channels."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import ValidationError

from streams.cancellation import end_tasks
from streams.delivery.channels import Channels
from streams.delivery.dispatcher import Bury, Dispatcher
from streams.documents import Alert, DeadLetter
from streams.errors import PermanentError, TransientError
from streams.metrics import Metrics
from streams.patience import until_it_works
from streams.sinks.search import SearchSink
from streams.stages.contract import Delivery
from streams.stages.explain import ExplainStage

__all__ = ["SETTLE_SECONDS", "NotifyStage"]

SETTLE_SECONDS = 3.0
"""The embedded search server has an alert on its disk within a second or two; a kill before that takes it back."""

log = structlog.get_logger(__name__)


class NotifyStage:
    """Takes alerts.

    Args:
        dispatcher: delivers.
        sink: the index of alerts.
        delivered: called with each alert when it is in the index and in the outbox: whoever sent it need not keep it.
        metrics: counts repeats.
        settle: seconds after which an alert is written to the index once more, before it is done with: what the embedded
            search server has acknowledged may be lost until then. None: what is acknowledged is safe.
        explain: adds the words that moved the evidence, within a time limit; None: they are not told.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        sink: SearchSink,
        *,
        delivered: Callable[[Alert], Awaitable[None]],
        metrics: Metrics,
        settle: float | None = None,
        explain: ExplainStage | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._sink = sink
        self._delivered = delivered
        self._metrics = metrics
        self._settle = settle
        self._explain = explain
        self._settling: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Restore the outbox. Raises TransientError when the store is away."""
        await self._dispatcher.open()

    async def start(self, bury: Bury) -> None:
        """Begin to deliver what waits, and what will come. May be called again.

        Args:
            bury: takes the dead letters of what will never be delivered; they are safe when it returns.
        """
        await self._dispatcher.start(bury)

    async def configure(self, channels: Channels) -> None:
        """Go on with other channels: the rule file has changed. Raises SettingsError; nothing has changed then."""
        await self._dispatcher.configure(channels)

    async def process(self, deliveries: Sequence[Delivery]) -> list[DeadLetter]:
        """Take `deliveries`; gives back what nobody will ever have.

        Waits as long as the search server or the outbox's store is away; what is in the outbox is delivered meanwhile. After a
        crash a receiver may get an alert twice, under the same webhook-id.
        """
        letters: list[DeadLetter] = []
        for delivery in deliveries:
            try:
                alert = Alert.model_validate_json(delivery.value)
            except ValidationError as error:
                letters.append(_letter("notify.unreadable", str(error.errors(include_url=False)[0]["msg"]), delivery))
                continue
            if alert.resent_at is not None:
                # It comes from the index, and nobody waits to hear that it was taken.
                letters += await self._dispatcher.enqueue(alert, delivery.origin)
                continue
            if self._explain is not None:
                alert = await self._explain.explained(alert)
            undeliverable, refused = await asyncio.gather(self._dispatcher.enqueue(alert, delivery.origin), self._keep(alert))
            letters += undeliverable
            if refused is not None:
                letters.append(_letter(refused.reason, str(refused), delivery))
            if self._explain is not None:
                self._beside(self._complete(alert), f"explain alert {alert.id}")
            if self._settle is None:
                await self._done(alert)
            else:
                # Beside what comes next: later alerts are not held up.
                self._beside(self._done_later(alert, self._settle), f"settle alert {alert.id}")
        return letters

    async def close(self) -> None:
        """Leave what is not settled or delivered: both outboxes keep it for the next start. May be called twice."""
        await end_tasks(*self._settling)
        await self._dispatcher.close()

    def _beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._settling.add(task)
        task.add_done_callback(self._settled)

    async def _complete(self, alert: Alert) -> None:
        """The words that were not to be had in time come into the index, if they are had at all; no receiver is told again."""
        assert self._explain is not None
        whole = await self._explain.completed(alert)
        if whole is None:
            return
        try:
            await self._sink.write_explanations(whole)
        except (TransientError, PermanentError) as error:
            log.warning("an alert stays without its words in the index", alert=alert.id, error=str(error))

    async def _done(self, alert: Alert) -> None:
        await until_it_works(functools.partial(self._delivered, alert), stage="notify", metrics=self._metrics)

    async def _done_later(self, alert: Alert, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._keep(alert)
        await self._done(alert)

    def _settled(self, task: asyncio.Task[None]) -> None:
        self._settling.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error(
                "an alert is not done with: it stays in the outbox and is sent again at the next start",
                task=task.get_name(),
                exc_info=error,
            )

    async def _keep(self, alert: Alert) -> PermanentError | None:
        """Write to the index of alerts; None when it has it, else why it never will."""
        try:
            await until_it_works(lambda: self._sink.write_alert(alert), stage="notify", metrics=self._metrics)
        except PermanentError as error:
            log.warning("the index refuses an alert", alert=alert.id, error=str(error))
            return error
        return None


def _letter(reason: str, detail: str, delivery: Delivery) -> DeadLetter:
    return DeadLetter(
        reason=reason, detail=detail, stage="notify", origin=delivery.origin, failed_at=datetime.now(UTC), original=delivery.value
    )
