"""Topics on real brokers: made once, compared afterwards, described with their lag."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from streams.errors import BellwetherError, SettingsError, TransientError
from streams.settings import KafkaSettings, Settings, TopicSettings
from streams.topics import describe, ensure_topics, group_members

BROKERS = [pytest.param("tansu"), pytest.param("kafka", marks=pytest.mark.real)]


def settings(address: str, prefix: str, **topics: object) -> Settings:
    return Settings(
        kafka=KafkaSettings(bootstrap_servers=address, group=f"{prefix}group"),
        topics=TopicSettings(prefix=prefix, **topics),
    )


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


def test_missing_topics_are_made_once_and_as_asked(broker: str) -> None:
    ours = settings(broker, "once.", partitions=3)
    first = ensure_topics(ours)
    assert first.created == (
        "once.documents.raw",
        "once.documents.scored",
        "once.documents.dead",
        "once.alerts",
        "once.alerts.control",
        "once.watch-state",
    )
    assert first.warnings == ()
    second = ensure_topics(ours)
    assert (second.created, second.existing, second.warnings) == ((), first.created, ())
    shapes = {info.name: len(info.partitions) for info in describe(ours)}
    assert shapes == dict.fromkeys(first.created[:4], 3) | {"once.alerts.control": 1, "once.watch-state": 1}
    admin = KafkaAdminClient(bootstrap_servers=broker)
    try:
        names = ["once.watch-state", "once.documents.raw"]
        shown = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names], config_filter="all")["topic"]
    finally:
        admin.close()
    assert shown["once.watch-state"]["cleanup.policy"]["value"] == "compact"
    assert shown["once.documents.raw"]["max.message.bytes"]["value"] == "16777216"


def test_existing_topics_are_left_and_their_differences_told(broker: str) -> None:
    small = settings(broker, "less.", partitions=2, max_message_bytes=1_000_000)
    ensure_topics(small)
    found = ensure_topics(settings(broker, "less.", partitions=6))
    assert found.created == ()
    assert any("less.documents.raw has 2 partitions" in line and "asks for 6" in line for line in found.warnings)
    assert any("less.alerts takes messages of at most 1000000 bytes" in line for line in found.warnings)
    assert not any("less.watch-state has" in line for line in found.warnings)
    assert len(describe(small)[0].partitions) == 2


def test_a_changelog_of_the_wrong_shape_is_told(broker: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker)
    try:
        admin.create_topics({"odd.watch-state": {"num_partitions": 4, "replication_factor": 1, "configs": {"cleanup.policy": "delete"}}})
    finally:
        admin.close()
    warnings = "\n".join(ensure_topics(settings(broker, "odd.")).warnings)
    assert "odd.watch-state has 4 partitions" in warnings
    assert "cleanup.policy=delete" in warnings


def test_two_processes_may_make_them_at_once(broker: str) -> None:
    ours = settings(broker, "race.")
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(ensure_topics(ours))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == 4
    assert sorted(name for report in reports for name in report.created) == sorted(info.name for info in describe(ours))


async def test_lag_and_members_of_the_group(broker: str) -> None:
    ours = settings(broker, "lag.", partitions=2)
    await asyncio.to_thread(ensure_topics, ours)
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    for number in range(10):
        await producer.send_and_wait(ours.topics.raw, b"x", partition=number % 2)
    await producer.stop()
    before = (await asyncio.to_thread(describe, ours))[0]
    assert (before.messages, before.lag) == (10, None)
    assert await asyncio.to_thread(group_members, ours, ours.kafka.group) == []
    consumer = AIOKafkaConsumer(
        ours.topics.raw, bootstrap_servers=broker, group_id=ours.kafka.group, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        read = 0
        while read < 6:
            batches = await consumer.getmany(timeout_ms=1000, max_records=6 - read)
            read += sum(map(len, batches.values()))
        await consumer.commit()
        members = await asyncio.to_thread(group_members, ours, ours.kafka.group)
        assert len(members) == 1
        assert members[0].id.startswith("aiokafka")
    finally:
        await consumer.stop()
    after = (await asyncio.to_thread(describe, ours))[0]
    assert after.lag == 4
    assert sum(partition.behind for partition in after.partitions) == 4


@pytest.mark.real
def test_a_configuration_that_the_broker_refuses_is_left_out_with_a_warning(kafka: str) -> None:
    report = ensure_topics(settings(kafka, "refused.", max_message_bytes=3_000_000_000))
    assert len(report.created) == 6
    assert len(report.warnings) == 6
    assert "max.message.bytes=3000000000" in report.warnings[0]


@pytest.mark.real
def test_more_copies_than_brokers_is_an_error_with_its_mend(kafka: str) -> None:
    with pytest.raises(SettingsError, match="BELLWETHER_TOPICS__REPLICATION"):
        ensure_topics(settings(kafka, "copies.", replication=3))


def test_topics_that_do_not_exist_are_described_as_such(broker: str) -> None:
    infos = describe(settings(broker, "absent."))
    assert [info.exists for info in infos] == [False] * 6
    assert [info.lag for info in infos] == [None] * 6
    assert [info.exists for info in describe(settings(broker, "absent."))] == [False] * 6, "asking must not create them"


def test_a_broker_that_is_not_there_is_told_with_the_mend() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound but not listening: nobody else gets the port
        nowhere = f"127.0.0.1:{held.getsockname()[1]}"
        unreachable = Settings(kafka=KafkaSettings(bootstrap_servers=nowhere, request_timeout=1))
        threads = threading.active_count()
        start = time.monotonic()
        for call in (ensure_topics, describe, lambda s: group_members(s, "g")):
            with pytest.raises(TransientError, match=nowhere) as caught:
                call(unreachable)
            assert "BELLWETHER_KAFKA__BOOTSTRAP_SERVERS" in caught.value.mend
        assert time.monotonic() - start < 15
        assert threading.active_count() <= threads, "a failed client leaves no thread behind"


def test_a_plain_server_asked_for_sasl_is_an_error_and_not_a_wait(tansu: str) -> None:
    secured = KafkaSettings(
        bootstrap_servers=tansu, security_protocol="SASL_PLAINTEXT", sasl_username="u", sasl_password="not-shown", request_timeout=2
    )
    with pytest.raises(BellwetherError) as caught:
        describe(Settings(kafka=secured))
    assert "not-shown" not in str(caught.value)
