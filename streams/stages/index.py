"""The index stage: scored documents into the search index, each exactly once; what the index refuses becomes a dead letter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import ValidationError

from streams.documents import DeadLetter, Outcome, ScoredDocument, read_scored
from streams.ledger import Ledger
from streams.metrics import Metrics
from streams.sinks.search import SearchSink
from streams.stages.contract import Delivery

__all__ = ["IndexStage"]


class IndexStage:
    """Writes deliveries of the scored topic to the index.

    Args:
        sink: the index, open.
        ledger: hears the outcome of every document once it is safe.
        metrics: counts outcomes.
    """

    def __init__(self, sink: SearchSink, ledger: Ledger, metrics: Metrics) -> None:
        self._sink = sink
        self._ledger = ledger
        self._metrics = metrics

    async def process(self, deliveries: Sequence[Delivery]) -> list[DeadLetter]:
        """Index `deliveries`; gives back those that never can be.

        Raises:
            TransientError: the search server is away, or died before the ledger had heard what it took; the same call may
                succeed later and indexes nothing twice.
        """
        documents: list[ScoredDocument] = []
        letters: list[DeadLetter] = []
        now = datetime.now(UTC)
        originals: dict[str, bytes] = {}
        for delivery in deliveries:
            try:
                document = read_scored(delivery.value)
            except ValidationError as error:
                letters.append(_letter("index.unreadable", str(error.errors(include_url=False)[0]["msg"]), delivery, now))
                continue
            documents.append(document)
            originals[document.origin] = delivery.value
        since = await self._ledger.moment()
        report = await self._sink.index(documents)
        for document, reason, detail in report.rejected:
            letters.append(_letter(reason, detail, Delivery(originals[document.origin], document.origin), now))
        await self._ledger.finish(report.outcomes, since)
        for outcome in Outcome:
            count = sum(found is outcome for found in report.outcomes.values())
            if count:
                self._metrics.finished.labels(outcome=outcome.value).inc(count)
        return letters


def _letter(reason: str, detail: str, delivery: Delivery, now: datetime) -> DeadLetter:
    return DeadLetter(reason=reason, detail=detail, stage="index", origin=delivery.origin, failed_at=now, original=delivery.value)
