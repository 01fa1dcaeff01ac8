"""The score stage: read, clean, identify the language, find near-copies and entities, score.

A near-copy takes the score of the document that it repeats: it is scored once, and both say the same. Where the model is not to be
relied on the document goes on unscored, with the reason and with what the model answered.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from streams.documents import (
    Abstention,
    DeadLetter,
    ScoredDocument,
    Sentiment,
    Timings,
    Topic,
    Unscored,
    parse_raw,
)
from streams.enrich.enricher import Arrival, Enriched, Enricher, Failed, Filtered
from streams.errors import PermanentError
from streams.metrics import Metrics
from streams.scoring.answers import Answerer
from streams.scoring.contract import Scorer
from streams.scoring.reliability import Reliability
from streams.stages.contract import Delivery

if TYPE_CHECKING:
    from streams.scoring.cascade import Cascade

__all__ = ["REMEMBERED_SCORES", "ScoreStage"]

REMEMBERED_SCORES = 20_000
"""Scores kept for near-copies that come later."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What is said of a text: `sentiment` or why there is none, the answers that are not given, and the stage of a cascade that said it."""

    sentiment: Sentiment | None = None
    topic: Topic | None = None
    unscored: Unscored | None = None
    abstained: tuple[Abstention, ...] = ()
    stage: str | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    enriched: list[Enriched]
    letters: list[DeadLetter]
    received_at: datetime
    enrich_ms: float


class ScoreStage:
    """Turns deliveries of the raw topic into scored documents and dead letters.

    Args:
        enricher: what is found out without the model; used by one thread only, in the order of the calls.
        scorer: the model, open.
        metrics: counts what happens.
        reliability: which of the model's answers are given; None: all, as they are.
        cascade: cheap stages before the model, opened before the first call; None: there are none.
    """

    def __init__(
        self, enricher: Enricher, scorer: Scorer, metrics: Metrics, reliability: Reliability | None = None, cascade: Cascade | None = None
    ) -> None:
        self._enricher = enricher
        self._scorer = scorer
        self._answerer = Answerer(scorer, reliability or Reliability(None, "off"), cascade)
        self._metrics = metrics
        # One thread: the enricher remembers what it has seen, and batches must reach it in order.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="enrich")
        self._opinions: OrderedDict[str, Opinion] = OrderedDict()
        self._under_way: dict[str, asyncio.Future[Opinion | None]] = {}

    async def process(self, deliveries: Sequence[Delivery]) -> list[ScoredDocument | DeadLetter]:
        """One result for each delivery.

        Raises:
            TransientError: the scorer is away; the same call may succeed later.
        """
        loop = asyncio.get_running_loop()
        prepared = await loop.run_in_executor(self._thread, self._prepare, deliveries)
        started = time.perf_counter()
        opinions = await self._opinions_of(prepared.enriched)
        score_ms = (time.perf_counter() - started) * 1000
        now = datetime.now(UTC)
        timings = Timings(
            received_at=prepared.received_at, scored_at=now, enrich_ms=round(prepared.enrich_ms, 2), score_ms=round(score_ms, 2)
        )
        model_id = self._scorer.model_id
        scored = [_document(item, opinions[item.origin], model_id, timings) for item in prepared.enriched]
        self._count(deliveries, scored, now)
        return [*scored, *prepared.letters]

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _prepare(self, deliveries: Sequence[Delivery]) -> _Prepared:
        started = time.perf_counter()
        received_at = datetime.now(UTC)
        arrivals: list[Arrival] = []
        letters: list[DeadLetter] = []
        originals = {delivery.origin: delivery.value for delivery in deliveries}

        def bury(origin: str, reason: str, detail: str) -> None:
            letters.append(
                DeadLetter(reason=reason, detail=detail, stage="score", origin=origin, failed_at=received_at, original=originals[origin])
            )

        for delivery in deliveries:
            try:
                arrivals.append(Arrival(raw=parse_raw(delivery.value), origin=delivery.origin))
            except PermanentError as error:
                bury(delivery.origin, error.reason, error.message)
        enriched: list[Enriched] = []
        for result in self._enricher.enrich(arrivals):
            match result:
                case Enriched():
                    enriched.append(result)
                case Filtered() | Failed():
                    bury(result.origin, result.reason, result.detail)
        return _Prepared(enriched, letters, received_at, (time.perf_counter() - started) * 1000)

    async def _opinions_of(self, items: Sequence[Enriched]) -> dict[str, Opinion]:
        """The opinion on each item, by origin. A story and its copies have one opinion, that of whichever is scored first.

        Mostly that is the original; a copy that comes while the original is under way, in this batch or an earlier one, waits.
        """
        found: dict[str, Opinion] = {}
        waiting: list[tuple[Enriched, asyncio.Future[Opinion | None]]] = []
        to_score: list[Enriched] = []
        mine: dict[str, asyncio.Future[Opinion | None]] = {}
        for item in items:
            story = item.duplicate_of or item.id
            known = self._opinions.get(story)
            original = self._under_way.get(story)
            if item.unscored is not None:
                found[item.origin] = Opinion(unscored=item.unscored)
            elif known is not None:
                found[item.origin] = known
            elif original is not None:
                waiting.append((item, original))
            else:
                to_score.append(item)
                mine[story] = self._under_way[story] = asyncio.get_running_loop().create_future()
        try:
            found |= await self._score(to_score)
            for item in to_score:
                story = item.duplicate_of or item.id
                self._remember(story, found[item.origin])
                mine[story].set_result(found[item.origin])
        finally:
            for key, future in mine.items():
                if not future.done():
                    future.set_result(None)
                del self._under_way[key]
        orphans = []
        for item, original in waiting:
            opinion = await asyncio.shield(original)  # our cancellation is not the others'
            if opinion is None:
                orphans.append(item)
            else:
                found[item.origin] = opinion
        if orphans:
            found |= await self._opinions_of(orphans)
        return found

    async def _score(self, items: Sequence[Enriched]) -> dict[str, Opinion]:
        if not items:
            return {}
        answers = await self._answerer.answers([item.model_text for item in items], [item.language.code for item in items])
        labels, stages = self._scorer.topics, answers.stages or repeat(None, len(items))
        sentiments = np.clip(answers.sentiment.astype(np.float64), 0.0, 1.0).round(6).tolist()
        topics = np.clip(answers.topic.astype(np.float64), 0.0, 1.0).round(4).tolist()
        found = zip(items, sentiments, topics, answers.withheld, stages, strict=True)
        return {item.origin: _opinion(tone, themes, labels, withheld, stage) for item, tone, themes, withheld, stage in found}

    def _remember(self, key: str, opinion: Opinion) -> None:
        self._opinions[key] = opinion
        while len(self._opinions) > REMEMBERED_SCORES:
            self._opinions.popitem(last=False)

    def _count(self, deliveries: Sequence[Delivery], scored: Sequence[ScoredDocument], now: datetime) -> None:
        self._metrics.received.inc(len(deliveries))
        for document in scored:
            self._metrics.languages.labels(language=document.language.code).inc()
            label = document.sentiment.label.value if document.sentiment else "unscored"
            self._metrics.sentiments.labels(label=label).inc()
            if document.model_stage is not None:
                self._metrics.model_stages.labels(model_stage=document.model_stage).inc()
            if document.duplicate_of:
                self._metrics.near_copies.inc()
        if scored:
            self._metrics.event_lag.set((now - max(document.published_at for document in scored)).total_seconds())


def _opinion(
    sentiment: list[float], topics: list[float], labels: tuple[str, ...], abstained: tuple[Abstention, ...], stage: str | None
) -> Opinion:
    negative, neutral, positive = sentiment
    probabilities = dict(zip(labels, topics, strict=True))
    topic = Topic(label=max(probabilities, key=probabilities.__getitem__), probabilities=probabilities) if probabilities else None
    doubts = {one.head: one for one in abstained}
    if "topic" in doubts:
        topic = None
    if (doubt := doubts.get("sentiment")) is not None:
        return Opinion(None, topic, Unscored(reason=doubt.reason, detail=doubt.detail), abstained, stage)
    return Opinion(Sentiment(negative=negative, neutral=neutral, positive=positive), topic, None, abstained, stage)


def _document(item: Enriched, opinion: Opinion, model_id: str, timings: Timings) -> ScoredDocument:
    raw = item.raw
    return ScoredDocument(
        id=item.id,
        source=raw.source,
        source_id=raw.id,
        url=raw.url,
        title=item.title,
        text=item.text,
        author=raw.author,
        published_at=raw.published_at,
        fetched_at=raw.fetched_at,
        tags=raw.tags,
        language=item.language,
        sentiment=opinion.sentiment,
        topic=opinion.topic,
        unscored=opinion.unscored,
        abstained=opinion.abstained,
        duplicate_of=item.duplicate_of,
        entities=item.entities,
        model_id=model_id,
        model_stage=opinion.stage,
        timings=timings,
        origin=item.origin,
    )
