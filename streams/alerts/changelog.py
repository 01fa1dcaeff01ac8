"""The watch agent's state on a compacted Kafka topic.

Every entry is a record: its name the key, its bytes the value, a tombstone when it is deleted. All of them are written
to partition 0 by one producer, so that they stand in the order in which they were given, and a save that is cut off
leaves a beginning of it. ``streams.topics.ensure_topics`` makes the topic.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from streams.errors import BellwetherError, TransientError
from streams.kafka import aiokafka_options
from streams.settings import Settings

__all__ = ["ChangelogStateStore"]

_BARRIER = b"barrier"
_FETCH_MS = 500
_SILENCE = 30.0
_PERMANENT = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)


class ChangelogStateStore:
    """A `StateStore` on ``settings.topics.watch_state``.

    How far to read is not asked of the broker: `load` writes a barrier and reads until it meets it. So it sees every
    save that was confirmed before, also on brokers whose end offsets are not exact, and fails at once where it may not
    write.

    Args:
        settings: addresses, security and topic names.

    Raises:
        SettingsError: a certificate cannot be read, or SASL lacks its user or password.
    """

    def __init__(self, settings: Settings) -> None:
        self._options = aiokafka_options(settings.kafka)
        self._topic = settings.topics.watch_state
        self._max_bytes = settings.topics.max_message_bytes
        self._producer: AIOKafkaProducer | None = None
        self._turn = asyncio.Lock()

    async def load(self) -> dict[str, bytes]:
        """The newest value of every entry.

        Raises:
            TransientError: the broker is away or does not answer.
            BellwetherError: the broker refuses us.
        """
        token = uuid.uuid4().bytes
        await self._write([(_BARRIER, token)])
        consumer = AIOKafkaConsumer(
            **self._options, enable_auto_commit=False, auto_offset_reset="earliest", max_partition_fetch_bytes=self._max_bytes
        )
        try:
            await consumer.start()
            return await self._read(consumer, token)
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._fault("read", error) from error
        finally:
            await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer, token: bytes) -> dict[str, bytes]:
        partition = TopicPartition(self._topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        state: dict[str, bytes] = {}
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while loop.time() - heard < _SILENCE:
            for record in (await consumer.getmany(partition, timeout_ms=_FETCH_MS)).get(partition, []):
                heard = loop.time()
                if record.key == _BARRIER:
                    if record.value == token:
                        return state
                elif record.value is None:
                    state.pop(record.key.decode(), None)
                else:
                    state[record.key.decode()] = bytes(record.value)
        raise TransientError(f"{self._topic}: the broker has sent nothing for {_SILENCE:g} s, and the end is not reached")

    async def save(self, changes: Mapping[str, bytes | None]) -> None:
        """Write `changes` in their order; None deletes. All replicas in sync have them when this returns.

        Raises:
            TransientError: not wholly written; the same call may succeed later.
            BellwetherError: the broker refuses us, or an entry is larger than it takes.
        """
        if changes:
            await self._write([(name.encode(), value) for name, value in changes.items()])

    async def _write(self, records: list[tuple[bytes, bytes | None]]) -> None:
        async with self._turn:
            try:
                producer = await self._open()
                confirmed = [await producer.send(self._topic, key=key, value=value, partition=0) for key, value in records]
                failed = [fault for fault in await asyncio.gather(*confirmed, return_exceptions=True) if isinstance(fault, BaseException)]
                if failed:
                    raise failed[0]
            except (KafkaError, OSError, TimeoutError) as error:
                await self._drop()  # begin anew, so that nothing of a failed save is written after a later one
                raise self._fault("write", error) from error

    async def _open(self) -> AIOKafkaProducer:
        if self._producer is None:
            # Not idempotent: aiokafka's idempotent producer retries for ever, so that neither a save nor a stop would end while
            # the broker is away. It has one request in flight for a partition, so a batch that is written twice is written twice
            # before the next one, and the newest value of an entry still wins.
            producer = AIOKafkaProducer(**self._options, acks="all", max_request_size=self._max_bytes)
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    def _fault(self, verb: str, error: Exception) -> BellwetherError:
        what = f"{self._topic}: cannot {verb}: {error}"
        if isinstance(error, _PERMANENT):
            return BellwetherError(what, mend="check the topic's rights and max.message.bytes; `bellwether doctor` tells more")
        return TransientError(what, mend="check that the brokers run; `bellwether doctor` tells more")

    async def close(self) -> None:
        """Let go of the connection. May be called twice."""
        async with self._turn:
            await self._drop()
