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

__all__ = ["NotifyStage"]

log = structlog.get_logger(__name__)


class NotifyStage:
    """Delivers alerts.

    Args:
        webhook: the receivers.
        sink: the index of alerts.
        attempts: tries of a webhook until its alert is given up and dead-lettered.
        delivered: called with each alert when both are done with it.
        metrics: counts deliveries.
    """

    def __init__(
        self,
        webhook: WebhookSink,
        sink: SearchSink,
        *,
        attempts: int,
        delivered: Callable[[Alert], Awaitable[None]],
        metrics: Metrics,
    ) -> None:
        self._webhook = webhook
        self._sink = sink
        self._attempts = attempts
        self._delivered = delivered
        self._metrics = metrics

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
            # Waited out here: repeating the batch would call the webhooks again.
            await until_it_works(functools.partial(self._delivered, alert), stage="notify", metrics=self._metrics)
        return letters

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
