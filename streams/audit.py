"""The audit: follow every record of the raw topic to its end, and name those that have none.

Each record is read again, its deterministic id computed anew, and looked up on the dead-letter topic and in the index. So
the promise is checked from what stands on disk, not from counters that restart with their process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from streams.documents import DeadLetter, Origin, Outcome, parse_raw
from streams.errors import BellwetherError, PermanentError, TransientError
from streams.kafka import aiokafka_options
from streams.sinks.search import SearchSink
from streams.topics import describe

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, ConsumerRecord

    from streams.settings import Settings

__all__ = ["MISSING_SHOWN", "AuditReport", "audit_topics"]

MISSING_SHOWN = 100
"""Origins that a report names one by one."""

_BATCH = 500
_POLL_MS = 1000


@dataclass(slots=True)
class AuditReport:
    """What became of every record of the raw topic. `missing` names the first hundred that ended nowhere."""

    produced: int = 0
    indexed: int = 0
    duplicates: int = 0
    dead: int = 0
    filtered: int = 0
    lost: int = 0
    missing: list[str] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        """produced = indexed + duplicates + dead-lettered + filtered."""
        return self.lost == 0 and self.produced == self.indexed + self.duplicates + self.dead + self.filtered

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "balanced": self.balanced}


async def audit_topics(settings: Settings) -> AuditReport:
    """Audit the configured Kafka and Elasticsearch.

    Records that arrive while it runs are left to the next audit; records still under way count as missing.

    Raises:
        TransientError: a server does not answer.
        BellwetherError: the cluster has no such topics.
    """
    # Asked before anything is read: a broker may create the topic that a consumer names, and an empty one balances.
    missing = [topic.name for topic in await asyncio.to_thread(describe, settings) if not topic.exists]
    for name in (settings.topics.raw, settings.topics.dead):
        if name in missing:
            raise BellwetherError(
                f"kafka: {settings.kafka.bootstrap_servers} has no topic {name}", mend="`bellwether topics --create` makes it"
            )
    sink = SearchSink(settings.search)
    try:
        await sink.open()
        buried = {origin: outcome async for origin, outcome in _letters(settings)}
        report = AuditReport()
        waiting: list[tuple[str, str, datetime]] = []
        async for record in _records(settings, settings.topics.raw):
            report.produced += 1
            origin = str(Origin(topic=record.topic, partition=record.partition, offset=record.offset))
            match buried.get(origin):
                case Outcome.FILTERED:
                    report.filtered += 1
                case Outcome.DEAD:
                    report.dead += 1
                case _:
                    try:
                        raw = parse_raw(record.value)
                    except PermanentError:
                        _miss(report, origin)
                    else:
                        waiting.append((origin, raw.document_id, raw.published_at))
            if len(waiting) >= _BATCH:
                await _look_up(sink, waiting, report)
                waiting = []
        await _look_up(sink, waiting, report)
        return report
    finally:
        await sink.close()


async def _look_up(sink: SearchSink, waiting: list[tuple[str, str, datetime]], report: AuditReport) -> None:
    stored = await sink.origins([(id, published_at) for _, id, published_at in waiting])
    for origin, id, _ in waiting:
        found = stored.get(id)
        if found is None:
            _miss(report, origin)
        elif found == origin:
            report.indexed += 1
        else:
            report.duplicates += 1


def _miss(report: AuditReport, origin: str) -> None:
    report.lost += 1
    if len(report.missing) < MISSING_SHOWN:
        report.missing.append(origin)


async def _letters(settings: Settings) -> AsyncIterator[tuple[str, Outcome]]:
    async for record in _records(settings, settings.topics.dead):
        try:
            letter = DeadLetter.from_record(record.value, list(record.headers))
        except ValidationError:
            continue  # somebody else's record: it says nothing about ours
        yield letter.origin, letter.outcome


async def _records(settings: Settings, topic: str) -> AsyncIterator[ConsumerRecord]:
    """Every record of `topic` up to the end at the time of the call."""
    from aiokafka import AIOKafkaConsumer
    from aiokafka.errors import KafkaError

    options = aiokafka_options(settings.kafka)
    # Without a group a consumer is given every partition of its topic.
    consumer: AIOKafkaConsumer = AIOKafkaConsumer(
        topic,
        group_id=None,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=settings.topics.max_message_bytes,
        **options,
    )
    try:
        await consumer.start()
        places = sorted(consumer.assignment())
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        left = {place for place in places if ends[place] > await consumer.position(place)}
        while left:
            for place, records in (await consumer.getmany(*left, timeout_ms=_POLL_MS)).items():
                for record in records:
                    if record.offset < ends[place]:
                        yield record
            left = {place for place in left if await consumer.position(place) < ends[place]}
    except KafkaError as error:
        raise TransientError(
            f"kafka: {settings.kafka.bootstrap_servers}: {error!r}", mend="`bellwether doctor` says what is wrong"
        ) from error
    finally:
        await consumer.stop()
