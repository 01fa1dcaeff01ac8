"""The notify stage: alerts to the webhooks and to the index."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import stamina
import structlog
from pydantic import ValidationError

from streams.documents import Alert, DeadLetter
from streams.errors import PermanentError, TransientError
from streams.metrics import Metrics
from streams.sinks.search import SearchSink
from streams.sinks.webhook import WebhookSink
from streams.stages.contract import Delivery
from streams.stages.delivery import until_it_works

__all__ = ["SETTLE_SECONDS", "NotifyStage"]

SETTLE_SECONDS = 3.0
"""The embedded search server has an alert on its disk within a second or two; a kill before that takes it back."""

log = structlog.get_logger(__name__)


class NotifyStage:
    """Delivers alerts.

    Args:
        webhook: the receivers.
        sink: the index of alerts.
        attempts: tries of a webhook until its alert is given up and dead-lettered.
        delivered: called with each alert when both are done with it.
        metrics: counts deliveries.
        settle: seconds after which an alert is written to the index once more, before it is done with: what the embedded
            search server has acknowledged may be lost until then. None: what is acknowledged is safe.
    """

    def __init__(
        self,
        webhook: WebhookSink,
        sink: SearchSink,
        *,
        attempts: int,
        delivered: Callable[[Alert], Awaitable[None]],
        metrics: Metrics,
        settle: float | None = None,
    ) -> None:
        self._webhook = webhook
        self._sink = sink
        self._attempts = attempts
        self._delivered = delivered
        self._metrics = metrics
        self._settle = settle
        self._settling: set[asyncio.Task[None]] = set()

    async def process(self, deliveries: Sequence[Delivery]) -> list[DeadLetter]:
        """Deliver `deliveries`; gives back those that no receiver took.

        Waits as long as the search server is away; the webhooks are called meanwhile, and once only. After a crash a
        receiver may get an alert twice, under the same webhook-id.
        """
        letters: list[DeadLetter] = []
        for delivery in deliveries:
            try:
                alert = Alert.model_validate_json(delivery.value)
            except ValidationError as error:
                letters.append(_letter("notify.unreadable", str(error.errors(include_url=False)[0]["msg"]), delivery))
                continue
            for refused in await asyncio.gather(self._call(alert), self._keep(alert)):
                if refused is not None:
                    letters.append(_letter(refused.reason, str(refused), delivery))
            if self._settle is None:
                await self._done(alert)
            else:
                # Beside what comes next: later alerts are not held up.
                task = asyncio.create_task(self._done_later(alert, self._settle), name=f"settle alert {alert.id}")
                self._settling.add(task)
                task.add_done_callback(self._settled)
        return letters

    async def close(self) -> None:
        """Leave what is not settled: it stays in the outbox, which is sent again at the next start. May be called twice."""
        for task in self._settling:
            task.cancel()
        await asyncio.gather(*self._settling, return_exceptions=True)

    async def _done(self, alert: Alert) -> None:
        # Waited out here: repeating the batch would call the webhooks again.
        await until_it_works(functools.partial(self._delivered, alert), stage="notify", metrics=self._metrics)

    async def _done_later(self, alert: Alert, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._keep(alert)
        await self._done(alert)

    def _settled(self, task: asyncio.Task[None]) -> None:
        self._settling.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("an alert stays in the outbox and is sent again at the next start", task=task.get_name(), exc_info=error)

    async def _keep(self, alert: Alert) -> PermanentError | None:
        """Write to the index of alerts; None when it has it, else why it never will."""
        try:
            await until_it_works(lambda: self._sink.write_alert(alert), stage="notify", metrics=self._metrics)
        except PermanentError as error:
            log.warning("the index refuses an alert", alert=alert.id, error=str(error))
            return error
        return None

    async def _call(self, alert: Alert) -> PermanentError | None:
        """Deliver to the webhooks; None when they have it, else why they never will."""

        def wait(error: Exception) -> bool | float:
            if not isinstance(error, TransientError):
                return False
            log.warning("webhook: trying again", alert=alert.id, error=str(error))
            return True if error.retry_after is None else error.retry_after

        try:
            async for attempt in stamina.retry_context(on=wait, attempts=self._attempts, timeout=None, wait_initial=0.5, wait_max=60.0):
                with attempt:
                    await self._webhook.deliver(alert)
        except TransientError as error:
            self._metrics.deliveries.labels(result="given_up").inc()
            log.warning("webhook: given up", alert=alert.id, attempts=self._attempts, error=str(error))
            return PermanentError(f"given up after {self._attempts} attempts: {error}", reason="webhook.given_up")
        except PermanentError as error:
            self._metrics.deliveries.labels(result="refused").inc()
            log.warning("webhook: refused", alert=alert.id, error=str(error))
            return error
        self._metrics.deliveries.labels(result="delivered").inc()
        return None


def _letter(reason: str, detail: str, delivery: Delivery) -> DeadLetter:
    return DeadLetter(
        reason=reason, detail=detail, stage="notify", origin=delivery.origin, failed_at=datetime.now(UTC), original=delivery.value
    )
