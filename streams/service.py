"""The parts of a worker, put together from the settings: what the agents call. Knows nothing of Faust."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from streams import __version__
from streams.errors import TransientError
from streams.keepers import keepers
from streams.metrics import Metrics
from streams.patience import until_it_works
from streams.stages.contract import Producer
from streams.stages.control import ControlStage
from streams.stages.explain import ExplainStage
from streams.stages.index import IndexStage
from streams.stages.notify import SETTLE_SECONDS, NotifyStage
from streams.stages.rules import RuleStage
from streams.stages.score import ScoreStage
from streams.stages.watch import WatchStage

if TYPE_CHECKING:
    from streams.scoring.explaining import Explainer
    from streams.settings import Settings

__all__ = ["WARM_UP_DOCUMENTS", "Service"]

WARM_UP_DOCUMENTS = 5_000
"""Newest documents read back from the index at start, so that near-copies are found across a restart."""

log = structlog.get_logger(__name__)


class Service:
    """Everything the configured agents need, opened and closed together.

    Args:
        settings: the effective settings.
        producer: takes records for the broker.
    """

    def __init__(self, settings: Settings, producer: Producer) -> None:
        from streams.alerts.engine import Engine
        from streams.alerts.evidence.passages import RecentPassages
        from streams.alerts.rules.configured import configured_rules
        from streams.delivery.building import build_dispatcher
        from streams.delivery.outbox import DELIVERY_STATE
        from streams.enrich.enricher import Enricher
        from streams.scoring.reliability import Reliability
        from streams.scoring.selection import build_cascade, build_scorer
        from streams.sinks.search import SearchSink
        from streams.state import SharedStateStore

        self.settings = settings
        self.metrics = Metrics()
        self.sink = SearchSink(settings.search)
        self.ledger, self._store = keepers(settings)
        self._producer = producer
        self._closing = contextlib.AsyncExitStack()
        agents = settings.worker.agents
        shared = SharedStateStore(self._store, DELIVERY_STATE)
        self.score: ScoreStage | None = None
        self.index: IndexStage | None = None
        self.watch: WatchStage | None = None
        self.notify: NotifyStage | None = None
        self.control: ControlStage | None = None
        self.rules: RuleStage | None = None
        self._explain: ExplainStage | None = None
        if "score" in agents:
            self._enricher = Enricher(settings.enrich)
            self._scorer = build_scorer(settings)
            self._cascade = build_cascade(settings.scoring)
            reliability = Reliability.of_settings(settings.scoring)
            self.score = ScoreStage(self._enricher, self._scorer, self.metrics, reliability, self._cascade)
        if "index" in agents:
            self.index = IndexStage(self.sink, self.ledger, self.metrics)
        if "watch" in agents:
            rules = configured_rules(settings.alerts)
            recent = RecentPassages()
            count, seconds = settings.alerts.explain, settings.alerts.explain_timeout
            if count and settings.scoring.backend != "noop":
                self._explain = ExplainStage(self._explainer, recent, self.sink, self.metrics, documents=count, seconds=seconds)
            self.watch = WatchStage(
                Engine(rules),
                shared.rest,
                producer,
                settings.topics.alerts,
                self.sink,
                self.ledger,
                self.metrics,
                recent=recent if self._explain is not None else None,
            )
        if "notify" in agents:
            assert self.watch is not None, "settings keep watch and notify together"
            self.notify = NotifyStage(
                build_dispatcher(settings, shared.part, self.metrics, rules.channels),
                self.sink,
                delivered=self.watch.acknowledge,
                metrics=self.metrics,
                settle=SETTLE_SECONDS if settings.journal is not None else None,
                explain=self._explain,
            )
            self.control = ControlStage(self.watch.command)
            if settings.alerts.rules is not None:
                self.rules = RuleStage(settings.alerts.rules, rules, self.watch, self.notify, settings.webhook, self.metrics)

    async def open(self) -> None:
        """Connect everything; waits for servers that are not there yet.

        Raises:
            BellwetherError: a part will never come up as configured.
        """
        self._closing.push_async_callback(self.sink.close)
        self._closing.push_async_callback(self.ledger.close)
        self._closing.push_async_callback(self._store.close)
        await self._until("search", self.sink.open)
        model_id = "none"
        if self.score is not None:
            self._closing.push_async_callback(self._scorer.close)
            self._closing.callback(self.score.close)
            await self._until("score", self._scorer.open)
            model_id = self._scorer.model_id
            if self._cascade is not None:
                self._closing.push_async_callback(self._cascade.close)
                await self._cascade.open(model_id)
            await self._remember_recent()
        if self.watch is not None:
            await self._until("watch", self.watch.open)
        if self.notify is not None:
            if self._explain is not None:
                self._closing.push_async_callback(self._explain.close)
            self._closing.push_async_callback(self.notify.close)
            await self._until("notify", self.notify.open)
        self.metrics.build.labels(version=__version__, model=model_id).set(1)
        log.info(
            "ready",
            agents=list(self.settings.worker.agents),
            model=model_id,
            search=f"{self.sink.capabilities.product} {self.sink.capabilities.version}",
        )

    async def resend_alerts(self) -> None:
        """Send what the last run fired but did not see delivered; to be called when the broker is there."""
        if self.watch is not None:
            await self._until("watch", self.watch.resend)

    async def close(self) -> None:
        """Close everything that was opened. May be called twice."""
        await self._closing.aclose()

    def _explainer(self) -> Explainer:
        from streams.scoring.contract import Lender
        from streams.scoring.explaining import Explainer

        scorer = self._scorer if self.score is not None else None
        # One processor: alerts are rare, and the stream goes on meanwhile.
        return Explainer(self.settings.scoring.model, threads=1, lend=scorer.lend if isinstance(scorer, Lender) else None)

    async def _remember_recent(self) -> None:
        if not self.settings.enrich.near_duplicates:
            return
        try:
            recent = await self.sink.recent(WARM_UP_DOCUMENTS)
        except TransientError as error:
            log.warning("near-copies of documents from before this start will not be seen", error=str(error))
            return

        def remember() -> None:
            for key, title, text in recent:
                self._enricher.remember(key, title, text)

        await asyncio.to_thread(remember)

    async def _until(self, stage: str, action: object) -> None:
        assert callable(action)
        await until_it_works(action, stage=stage, metrics=self.metrics)
