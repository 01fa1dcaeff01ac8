"""The Kafka intake on real brokers: durable when it returns, in order by source, nothing too large lost."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest
from aiokafka import AIOKafkaConsumer
from kafka.admin import KafkaAdminClient

from streams.documents import DeadLetter, Outcome
from streams.errors import TransientError
from streams.settings import KafkaSettings, Settings, TopicSettings
from streams.sources import oversize
from streams.sources.intake import KafkaIntake
from streams.topics import describe, ensure_topics

BROKERS = [pytest.param("tansu"), pytest.param("kafka", marks=pytest.mark.real)]


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


def settings(address: str, prefix: str, **topics: object) -> Settings:
    return Settings(kafka=KafkaSettings(bootstrap_servers=address, request_timeout=10), topics=TopicSettings(prefix=prefix, **topics))


def message(source: str, number: int) -> bytes:
    return json.dumps({"source": source, "id": str(number), "text": f"text {number}", "published_at": "2024-01-01T00:00:00Z"}).encode()


async def read(ours: Settings, topic: str, count: int) -> list:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=ours.kafka.bootstrap_servers, auto_offset_reset="earliest", max_partition_fetch_bytes=32_000_000
    )
    await consumer.start()
    records = []
    try:
        async with asyncio.timeout(30):
            while len(records) < count:
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    records += batch
    finally:
        await consumer.stop()
    return records


async def test_everything_put_is_on_the_topic_in_the_order_of_its_source(broker: str, request: pytest.FixtureRequest) -> None:
    ours = settings(broker, "order.", partitions=4)
    await asyncio.to_thread(ensure_topics, ours)
    intake = KafkaIntake(ours)
    sent = [message(f"source {number % 7}", number) for number in range(2000)]
    try:
        for start in range(0, len(sent), 300):
            await intake.put(sent[start : start + 300])
        if request.node.callspec.params["broker"] != "tansu":  # which names the end of a topic too low
            assert (await asyncio.to_thread(describe, ours))[0].messages == 2000, "durable when put returns"
    finally:
        await intake.close()
    records = await read(ours, ours.topics.raw, 2000)
    assert sorted(record.value for record in records) == sorted(sent)
    assert (intake.taken, intake.dead) == (2000, 0)
    assert len({record.partition for record in records}) > 1, "sources spread over partitions"
    by_source: dict[str, list[int]] = {}
    places: dict[str, set[int]] = {}
    for record in records:
        document = json.loads(record.value)
        by_source.setdefault(document["source"], []).append(int(document["id"]))
        places.setdefault(document["source"], set()).add(record.partition)
    assert all(numbers == sorted(numbers) for numbers in by_source.values())
    assert all(len(partitions) == 1 for partitions in places.values())


async def test_ten_megabytes_arrive_whole(broker: str) -> None:
    ours = settings(broker, "ten.")
    await asyncio.to_thread(ensure_topics, ours)
    intake = KafkaIntake(ours)
    big = b"\xff" + b"x" * 10_000_000
    try:
        await intake.put([message("a", 1), big, message("a", 2)])
    finally:
        await intake.close()
    values = [record.value for record in await read(ours, ours.topics.raw, 3)]
    assert sorted(map(len, values))[-1] == len(big)
    assert big in values
    assert (intake.taken, intake.dead) == (3, 0)


async def test_what_the_topic_does_not_take_goes_to_the_dead_letters(broker: str) -> None:
    ours = settings(broker, "large.", max_message_bytes=200_000)
    await asyncio.to_thread(ensure_topics, ours)
    intake = KafkaIntake(ours)
    big = b"B" * 300_000
    try:
        await intake.put([message("a", 1), big, message("a", 2)])
    finally:
        await intake.close()
    assert (intake.taken, intake.dead) == (2, 1)
    assert sorted(record.value for record in await read(ours, ours.topics.raw, 2)) == [message("a", 1), message("a", 2)]
    record = (await read(ours, ours.topics.dead, 1))[0]
    letter = DeadLetter.from_record(record.value, list(record.headers))
    assert (letter.stage, letter.reason, letter.truncated_from, letter.outcome) == ("source", oversize.REASON, 300_000, Outcome.DEAD)
    assert 100_000 < len(letter.original) < 200_000
    assert big.startswith(letter.original)


@pytest.mark.real
async def test_a_topic_that_takes_less_than_the_settings_say_loses_nothing(kafka: str) -> None:
    """The broker refuses whole batches of small messages as well as one large one; all but the large one must arrive."""
    ours = settings(kafka, "less.taken.", partitions=1)
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    try:
        shape = {"num_partitions": 1, "replication_factor": 1, "configs": {"max.message.bytes": "30000"}}
        await asyncio.to_thread(admin.create_topics, {ours.topics.raw: shape, ours.topics.dead: shape}, wait_for_metadata=True)
    finally:
        admin.close()
    intake = KafkaIntake(ours)
    small = [message("a", number) + b" " * 9_000 for number in range(12)]
    big = b"B" * 900_000
    try:
        await intake.put([*small[:6], big, *small[6:]])
        await intake.put([message("a", 99)])
    finally:
        await intake.close()
    values = [record.value for record in await read(ours, ours.topics.raw, 13)]
    assert sorted(values) == sorted([*small, message("a", 99)])
    assert (intake.taken, intake.dead) == (13, 1)
    record = (await read(ours, ours.topics.dead, 1))[0]
    letter = DeadLetter.from_record(record.value, list(record.headers))
    assert letter.truncated_from == 900_000
    assert 0 < len(letter.original) < 30_000


async def test_a_broker_that_is_not_there_is_transient_and_may_come_back() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        ours = settings(f"127.0.0.1:{held.getsockname()[1]}", "")
        intake = KafkaIntake(ours)
        for _ in range(2):
            with pytest.raises(TransientError, match="did not take 1 messages"):
                await intake.put([b"{}"])
        await intake.close()
        assert (intake.taken, intake.dead) == (0, 0)


async def test_nothing_to_put_needs_no_broker() -> None:
    intake = KafkaIntake(settings("127.0.0.1:1", ""))
    await intake.put([])
    await intake.close()
