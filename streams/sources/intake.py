"""The intake of a real Kafka: raw messages become records of ``documents.raw``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    RecordListTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownError,
    UnsupportedVersionError,
)

from streams.errors import BellwetherError, TransientError
from streams.kafka import aiokafka_options
from streams.settings import Settings
from streams.sources import oversize

__all__ = ["KafkaIntake", "partition_key"]

_log = structlog.get_logger(__name__)
_SOURCE = re.compile(rb'"source"\s*:\s*"((?:[^"\\]|\\.){1,512})"')
_BATCH_BYTES = 262_144
_LINGER_MS = 5
_SMALLEST_LETTER = 16_384
_REFUSED = (AuthenticationFailedError, SaslAuthenticationFailed, ClusterAuthorizationFailedError, TopicAuthorizationFailedError)
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


def partition_key(message: bytes) -> bytes | None:
    """The key of a raw record: the name of its source.

    One source's documents stay in one partition, and so in their order: the watch agent counts by event time and gives
    up on documents that come much later than the newest, and of two near-copies the first is the one that is scored.
    The sources spread over the partitions. A single source that is too much for one worker is to be named in parts (by
    outlet or channel: ``--map source=channel``). A message without a readable source has no key and goes anywhere:
    it will be dead-lettered, in any order.
    """
    found = _SOURCE.search(message)
    return found[1] if found else None


class KafkaIntake:
    """Idempotent producer with acknowledgement by all in-sync copies. Use it from one event loop.

    Args:
        settings: connection and topics.
        topic: another topic than ``documents.raw``.
    """

    def __init__(self, settings: Settings, *, topic: str | None = None) -> None:
        self._settings = settings
        self._topic = topic or settings.topics.raw
        self._limit = settings.topics.max_message_bytes
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self.taken = 0
        """Messages that are durable on the topic."""
        self.dead = 0
        """Messages that were too large and are durable on the dead-letter topic."""

    @property
    def _place(self) -> str:
        return f"Kafka at {self._settings.kafka.bootstrap_servers}"

    async def put(self, messages: Sequence[bytes]) -> None:
        """Send the messages and wait for every acknowledgement.

        A message that the topic does not take for its size goes to the dead-letter topic, cut off, with the reason.

        Raises:
            TransientError: not every message was acknowledged; put all of them again.
            BellwetherError: the brokers refuse us for good (rights, credentials).
        """
        fitting = [message for message in messages if not oversize.too_large(message, self._limit)]
        refused = [message for message in messages if oversize.too_large(message, self._limit)]
        try:
            refused += await self._send(fitting)
            for message in refused:
                await self._bury(message)
        except _REFUSED as error:
            raise BellwetherError(
                f"{self._place} refuses us: {error}", mend="check kafka.security_protocol, user and password, and the user's rights"
            ) from error
        except KafkaError as error:
            # A producer that lost its place in the sequence, or its broker, is not to be trusted with the next batch.
            await self.close()
            raise TransientError(
                f"{self._place} did not take {len(messages)} messages for {self._topic}: {error}",
                mend="check that the brokers run and that `bellwether topics` shows the topic",
            ) from error
        self.taken += len(messages) - len(refused)
        self.dead += len(refused)

    async def close(self) -> None:
        """Disconnect. A later put connects again."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _send(self, messages: Sequence[bytes]) -> list[bytes]:
        """Send; gives back the messages that the broker finds too large."""
        if not messages:
            return []
        producer = await self._started()
        futures = [await producer.send(self._topic, message, key=partition_key(message)) for message in messages]
        await asyncio.wait(futures)
        large: list[bytes] = []
        failure: BaseException | None = None
        for message, future in zip(messages, futures, strict=True):
            error = future.exception()
            if isinstance(error, _TOO_LARGE):
                large.append(message)
            elif error is not None:
                failure = failure or error
        if failure is not None and not (large and isinstance(failure, OutOfOrderSequenceNumber)):
            raise failure
        if large or failure is not None:
            return await self._send_alone(messages, futures)
        return []

    async def _send_alone(self, messages: Sequence[bytes], futures: Sequence[asyncio.Future[object]]) -> list[bytes]:
        # The broker judges whole batches of records: what it refused as a batch may well fit one by one. The refusal
        # leaves a gap in the producer's sequence, hence a new producer after each.
        large = []
        for message, future in zip(messages, futures, strict=True):
            if future.exception() is None:
                continue
            await self.close()
            producer = await self._started()
            try:
                await producer.send_and_wait(self._topic, message, key=partition_key(message))
            except _TOO_LARGE:
                large.append(message)
        if large:
            await self.close()
        return large

    async def _bury(self, message: bytes) -> None:
        limit = self._limit
        while True:
            letter = oversize.letter(message, limit)
            producer = await self._started()
            try:
                await producer.send_and_wait(self._settings.topics.dead, letter.original, headers=letter.headers())
            except _TOO_LARGE:
                # The dead-letter topic takes less than the settings believe: keep less of the original.
                await self.close()
                limit = min(limit, len(message)) // 2
                if limit < _SMALLEST_LETTER:
                    raise
                continue
            _log.warning("source.too_large", bytes=len(message), kept=len(letter.original), topic=self._topic)
            return

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                self._producer = await self._start(idempotent=True)
            return self._producer

    async def _start(self, *, idempotent: bool) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **aiokafka_options(self._settings.kafka),
            acks="all",
            enable_idempotence=idempotent,
            linger_ms=_LINGER_MS,
            max_batch_size=_BATCH_BYTES,
            max_request_size=self._limit,
        )
        try:
            await producer.start()
        except (UnknownError, UnsupportedVersionError):
            await producer.stop()
            if not idempotent:
                raise
            # The embedded broker keeps no producer ids. A repetition after a lost acknowledgement shares its document id.
            _log.info("source.not_idempotent", broker=self._settings.kafka.bootstrap_servers)
            return await self._start(idempotent=False)
        except BaseException:
            await producer.stop()
            raise
        return producer
