"""The watch stage: feed the alert engine, keep its state, send out what it says.

Order matters for a crash at any point: first the state with the alerts in its outbox, then the alerts, then the ledger.
After a restart the outbox is sent again; the same alert keeps its id.

The engine knows event time only. When no document has come for a moment, the stage tells it how late it is: live streams by
the wall clock, so that silence is noticed; of old text that is replayed only the hop that was begun ends.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog
from pydantic import ValidationError

from streams.alerts.engine import Engine, EngineResult
from streams.alerts.evidence.passages import RecentPassages
from streams.alerts.life.commands import Command
from streams.alerts.rules.ruleset import RuleSet
from streams.alerts.sighting import sighting
from streams.documents import Alert, Decision, ScoredDocument, read_scored
from streams.errors import PermanentError, TransientError
from streams.ledger import Ledger
from streams.metrics import Metrics
from streams.sinks.search import SearchSink
from streams.stages.contract import Delivery, Producer, Record
from streams.state import StateStore

__all__ = ["IDLE_SECONDS", "LIVE_MINUTES", "MAX_DECISIONS_WAITING", "START_SECONDS", "WatchStage", "alert_record"]

MAX_DECISIONS_WAITING = 10_000
"""Decisions held while the search server is away; the oldest are dropped beyond that, and counted."""

IDLE_SECONDS = 5.0
"""After so long without a document time is taken to have passed: those that are on their way would else seem late."""

START_SECONDS = 60.0
"""The same before the first document after a start: the broker may need a while."""

LIVE_MINUTES = 24 * 60
"""A stream whose newest document is older is a replay: the wall clock says nothing about it."""

log = structlog.get_logger(__name__)


def alert_record(topic: str, alert: Alert) -> Record:
    """The record of an alert, keyed by its fingerprint so that one key's alerts stay in order."""
    return Record(topic=topic, key=alert.fingerprint.encode(), value=alert.model_dump_json().encode())


class WatchStage:
    """Watches deliveries of the scored topic.

    Args:
        engine: the alert engine, restored by :meth:`open`.
        store: where its state survives.
        producer: takes the alerts.
        topic: name of the alerts topic.
        sink: takes decisions; a search server that is away delays them, never an alert.
        ledger: hears which documents the state holds.
        metrics: counts alerts.
        recent: remembers what the documents say, for those of an alert that are explained; None: nobody asks.
        clock: seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        engine: Engine,
        store: StateStore,
        producer: Producer,
        topic: str,
        sink: SearchSink,
        ledger: Ledger,
        metrics: Metrics,
        *,
        recent: RecentPassages | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._recent = recent
        self._store = store
        self._producer = producer
        self._topic = topic
        self._sink = sink
        self._ledger = ledger
        self._metrics = metrics
        self._decisions: deque[Decision] = deque()
        self._changes: dict[str, bytes | None] = {}
        self._saving = asyncio.Lock()
        self._turn = asyncio.Lock()
        self._clock = clock
        self._quiet_until: float | None = None
        self._unsent: list[Alert] = []

    async def open(self) -> None:
        """Restore the state. Raises TransientError when the store is away."""
        self._engine.restore(await self._store.load())
        self._quiet_until = self._clock() + START_SECONDS

    async def resend(self) -> None:
        """Send the alerts whose delivery nobody confirmed before the last stop. Raises TransientError."""
        waiting = self._engine.undelivered()
        if waiting:
            log.info("sending alerts again that were not confirmed", alerts=len(waiting))
            await self._producer.send([alert_record(self._topic, alert) for alert in waiting])

    async def process(self, deliveries: Sequence[Delivery]) -> None:
        """Count `deliveries`; alerts are with the broker and the state is durable when this returns.

        Unreadable deliveries are left to the index stage, which dead-letters them.

        Raises:
            TransientError: state or alerts could not be written; the same call may succeed later and counts nothing twice.
        """
        documents: list[ScoredDocument] = []
        for delivery in deliveries:
            with suppress(ValidationError):
                documents.append(read_scored(delivery.value))
        if self._recent is not None:
            for document in documents:
                self._recent.remember(document)
        async with self._turn:
            await self._tell(self._engine.observe([sighting(document) for document in documents]))
            await self._ledger.watched([document.origin for document in documents])
            self._metrics.watched.inc(len(documents))
            await self._write_decisions()
            self._quiet_until = self._clock() + IDLE_SECONDS

    async def tick(self) -> None:
        """To be called every few seconds: if no document has come for a moment, time has passed nevertheless.

        Raises:
            TransientError: state or alerts could not be written; the next call tries again.
        """
        now, newest = self._clock(), self._engine.newest
        if self._quiet_until is None or now < self._quiet_until or newest is None or self._turn.locked():
            return
        minute = int(now // 60)
        async with self._turn:
            await self._tell(self._engine.advance(minute if abs(minute - newest) <= LIVE_MINUTES else self._engine.next_end))
            await self._write_decisions()

    async def command(self, command: Command) -> None:
        """Do what a person asks: silence, unsilence, acknowledge. Durable when this returns; asking twice is harmless.

        Raises:
            TransientError: state or alerts could not be written; the same call may succeed later.
        """
        async with self._turn:
            await self._tell(self._engine.command(command))
            await self._write_decisions()

    async def reload(self, rules: RuleSet) -> None:
        """Go on with other rules.

        Raises:
            SettingsError: they make no sense; the former ones stay.
            TransientError: they are in force, but what ends with the former ones could not be written; the same call may succeed later.
        """
        async with self._turn:
            await self._tell(self._engine.reload(rules))
            await self._write_decisions()

    async def _tell(self, result: EngineResult) -> None:
        self._decisions.extend(result.decisions)
        for reason, count in result.ignored.items():
            self._metrics.ignored.labels(reason=reason).inc(count)
        self._unsent.extend(result.alerts)
        for alert in result.alerts:
            self._metrics.alerts.labels(rule=alert.rule, status=alert.status.value).inc()
            log.warning("alert", status=alert.status.value, key=str(alert.key), summary=alert.summary, id=alert.id)
        await self.flush()
        while self._unsent:
            await self._send(self._unsent[0])
            self._unsent.pop(0)

    async def _send(self, alert: Alert) -> None:
        """Send `alert`; where its topic takes only small messages, with as much of its evidence as that takes.

        Raises:
            TransientError: the broker is away.
        """
        for kept in (len(alert.evidence), 5, 0):
            shorter = alert if kept >= len(alert.evidence) else alert.model_copy(update={"evidence": alert.evidence[:kept]})
            try:
                await self._producer.send([alert_record(self._topic, shorter)])
            except PermanentError as error:
                log.warning("the alert is larger than its topic takes", id=alert.id, evidence=kept, error=str(error))
            else:
                return
        log.error("the topic takes no alert at all: it stays in the outbox", id=alert.id, topic=self._topic)

    async def flush(self) -> None:
        """Make the engine's changes durable. Raises TransientError; the changes then wait for the next call."""
        # The notify agent flushes too. One at a time: an older value must not be written after a newer one.
        async with self._saving:
            for key, value in self._engine.changes().items():
                # What changed again moves to its new place: alerts are written before the votes that caused them.
                self._changes.pop(key, None)
                self._changes[key] = value
            if self._changes:
                await self._store.save(dict(self._changes))
                self._changes.clear()

    async def acknowledge(self, alert: Alert) -> None:
        """`alert` was delivered: it leaves the outbox. Raises TransientError."""
        self._engine.acknowledge(alert)
        await self.flush()

    async def _write_decisions(self) -> None:
        while len(self._decisions) > MAX_DECISIONS_WAITING:
            self._decisions.popleft()
            self._metrics.decisions_dropped.inc()
        if not self._decisions:
            return
        batch = list(self._decisions)
        try:
            await self._sink.write_decisions(batch)
        except TransientError as error:
            log.warning("decisions wait: the search server is away", waiting=len(batch), error=str(error))
            return
        for _ in batch:
            self._decisions.popleft()
