"""Feeds the broker from the journal: in order, in batches, each document once per life of the broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from streams.cancellation import end_tasks, heed_cancellation
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
        on_failure: hears why it feeds no more, of itself: a fault that waiting does not mend.
        in_flight: rows that may be on their way at once; the rest waits on the disk.
    """

    def __init__(self, journal: Journal, settings: Settings, *, on_failure: Callable[[BaseException], None], in_flight: int = 4000) -> None:
        self._journal = journal
        self._settings = settings
        self._on_failure = on_failure
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
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Feed no more; what was not acknowledged yet is fed again by :meth:`rewind`. May be called twice."""
        if self._task is not None:
            await end_tasks(self._task)
        self._task = None

    def hold(self) -> None:
        """Take nothing new from the journal; what is under way goes on."""
        self._holding = True

    def rewind(self) -> None:
        """The broker has forgotten everything: begin anew."""
        self._cursor = 0
        self._again.clear()

    def feed_again(self, rows: Iterable[int]) -> None:
        """Feed these rows once more, before all others. Those beyond the cursor may come a second time with it."""
        self._again.extend(rows)

    def in_flight(self) -> int:
        """Rows that were fed and have not ended. Asks the journal."""
        return max(0, self._journal.backlog(self._cursor) - len(self._again))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)

    async def _run(self) -> None:
        while True:
            heed_cancellation()
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
                    async with asyncio.timeout(1.0):
                        await producer.stop()

    async def _pump(self, producer: AIOKafkaProducer) -> None:
        while True:
            heed_cancellation()
            full = self._holding or await asyncio.to_thread(self.in_flight) >= self._limit
            if full or not (await self._repeat(producer) or await self._advance(producer)):
                await asyncio.sleep(_IDLE_SECONDS)

    async def _repeat(self, producer: AIOKafkaProducer) -> bool:
        """Feed what is to be fed again; says whether there was anything."""
        wanted = self._again[:_BATCH]
        if not wanted:
            return False
        found = await asyncio.to_thread(self._journal.messages, wanted)
        await self._send(producer, [(seq, body) for seq, body in found if body is not None])
        del self._again[: len(found)]  # not before: what failed on the way is still to be fed
        return True

    async def _advance(self, producer: AIOKafkaProducer) -> bool:
        """Feed what comes after the cursor; says whether there was anything."""
        rows = await asyncio.to_thread(self._journal.pending, self._cursor, _BATCH)
        if not rows:
            return False
        await self._send(producer, rows)
        self._cursor = rows[-1][0]
        return True

    async def _send(self, producer: AIOKafkaProducer, rows: list[tuple[int, bytes]]) -> None:
        """Send `rows` and wait for all acknowledgements. Raises KafkaError: all of them are to be sent again."""
        topic = self._settings.topics.raw
        sent: list[tuple[int, bytes, asyncio.Future[object]]] = []
        failure: BaseException | None = None
        for seq, body in rows:
            try:
                sent.append((seq, body, await producer.send(topic, value=body, headers=[(ORIGIN_HEADER, journal_origin(seq).encode())])))
            except MessageSizeTooLargeError:
                await self._too_large(seq, body)
            except KafkaError as error:
                failure = error
                break
        answers = await asyncio.gather(*(future for _, _, future in sent), return_exceptions=True)
        for (seq, body, _), answer in zip(sent, answers, strict=True):
            if isinstance(answer, MessageSizeTooLargeError):
                await self._too_large(seq, body)
            elif isinstance(answer, BaseException):
                failure = failure or answer
        if failure is not None:
            raise failure

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
