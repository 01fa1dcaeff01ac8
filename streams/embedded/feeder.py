"""Feeds the broker from the journal: in order, in batches, each document once per life of the broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from streams.documents import MAX_BYTES, DeadLetter
from streams.embedded.adapters import journal_origin
from streams.embedded.journal import Journal
from streams.errors import TransientError
from streams.kafka import aiokafka_options
from streams.settings import Settings

__all__ = ["ORIGIN_HEADER", "Feeder"]

ORIGIN_HEADER: Final = "bellwether-origin"
"""Header that names the row of the journal."""

_log = structlog.get_logger(__name__)

_BATCH: Final = 500
_IDLE_SECONDS: Final = 0.05
_RETRY_SECONDS: Final = 0.5


class Feeder:
    """Pumps rows of the journal whose way has not ended into the raw topic.

    The cursor is kept in memory: a row that is merely slow is not fed again. A new broker knows nothing, so :meth:`rewind`
    begins anew with everything that has not ended. A row may reach the topic twice when an acknowledgement is lost;
    deterministic ids make that harmless.

    Args:
        journal: where the rows come from.
        settings: broker and topic.
        in_flight: rows that may be on their way at once; the rest waits on the disk.
    """

    def __init__(self, journal: Journal, settings: Settings, *, in_flight: int = 4000) -> None:
        self._journal = journal
        self._settings = settings
        self._limit = in_flight
        self._cursor = 0
        self._again: list[int] = []
        self._task: asyncio.Task[None] | None = None
        self._holding = False

    @property
    def cursor(self) -> int:
        """The last row that was fed."""
        return self._cursor

    def start(self) -> None:
        """Feed from now on, in the background."""
        self._holding = False
        self._task = asyncio.create_task(self._run(), name="feeder")

    async def stop(self) -> None:
        """Feed no more; what was not acknowledged yet is fed again by :meth:`rewind`. May be called twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    def hold(self) -> None:
        """Take nothing new from the journal; what is under way goes on."""
        self._holding = True

    def rewind(self) -> None:
        """The broker has forgotten everything: begin anew."""
        self._cursor = 0
        self._again.clear()

    def feed_again(self, rows: Iterable[int]) -> None:
        """Feed these rows once more, before all others; those beyond the cursor come by themselves."""
        self._again.extend(row for row in rows if row <= self._cursor)

    def in_flight(self) -> int:
        """Rows that were fed and have not ended. Asks the journal."""
        return self._journal.backlog(self._cursor) - len(self._again)

    async def _run(self) -> None:
        while True:
            options = aiokafka_options(self._settings.kafka)
            # In front of the broker's own limit there is only ours: what exceeds it is dead-lettered, see _too_large.
            size = self._settings.topics.max_message_bytes
            producer = AIOKafkaProducer(**options, acks="all", linger_ms=2, max_batch_size=262_144, max_request_size=size)
            try:
                await producer.start()
                await self._pump(producer)
            except (KafkaError, TransientError, OSError) as error:
                _log.warning("feeding is interrupted", error=str(error) or repr(error))
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
                with contextlib.suppress(TimeoutError, KafkaError, OSError):
                    await asyncio.wait_for(producer.stop(), 1.0)

    async def _pump(self, producer: AIOKafkaProducer) -> None:
        while True:
            rows = [] if self._holding or await asyncio.to_thread(self.in_flight) >= self._limit else await self._next()
            if not rows:
                await asyncio.sleep(_IDLE_SECONDS)
                continue
            await self._send(producer, rows)

    async def _next(self) -> list[tuple[int, bytes]]:
        if self._again:
            wanted, self._again = self._again[:_BATCH], self._again[_BATCH:]
            return await asyncio.to_thread(self._journal.messages, wanted)
        return await asyncio.to_thread(self._journal.pending, self._cursor, _BATCH)

    async def _send(self, producer: AIOKafkaProducer, rows: list[tuple[int, bytes]]) -> None:
        """Send `rows` and wait for all acknowledgements. Raises KafkaError; the cursor then stands before the first that failed."""
        topic = self._settings.topics.raw
        sent: list[tuple[int, bytes, asyncio.Future[object]]] = []
        before = self._cursor
        failed: tuple[int, KafkaError] | None = None
        for seq, body in rows:
            try:
                sent.append((seq, body, await producer.send(topic, value=body, headers=[(ORIGIN_HEADER, journal_origin(seq).encode())])))
            except MessageSizeTooLargeError:
                await self._too_large(seq, body)
            except KafkaError as error:
                failed = seq, error
                break
        answers = await asyncio.gather(*(future for _, _, future in sent), return_exceptions=True)
        for (seq, body, _), answer in zip(sent, answers, strict=True):
            if isinstance(answer, MessageSizeTooLargeError):
                await self._too_large(seq, body)
            elif isinstance(answer, KafkaError) and (failed is None or seq < failed[0]):
                failed = seq, answer
            elif isinstance(answer, BaseException) and not isinstance(answer, KafkaError):
                raise answer
        if failed is None:
            self._cursor = max(before, rows[-1][0])
            return
        again = [seq for seq, _ in rows if failed[0] <= seq <= before]
        self._again[:0] = again
        self._cursor = max(before, failed[0] - 1)
        raise failed[1]

    async def _too_large(self, seq: int, body: bytes) -> None:
        letter = DeadLetter(
            reason="document.too_large",
            detail=f"{len(body)} bytes; a message has at most {self._settings.topics.max_message_bytes}",
            stage="source",
            origin=journal_origin(seq),
            failed_at=datetime.now(UTC),
            original=body[:MAX_BYTES],
            truncated_from=len(body),
        )
        await asyncio.to_thread(self._journal.bury, [letter])
