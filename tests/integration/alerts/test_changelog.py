"""The changelog on real brokers: what was saved is loaded, in the newest version, after any end of the process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from servers.broker import embedded_broker, kafka_cluster

from streams.alerts.changelog import ChangelogStateStore
from streams.embedded.ports import free_ports
from streams.errors import BellwetherError, TransientError
from streams.settings import KafkaSettings, Settings, TopicSettings
from streams.topics import ensure_topics

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def tansu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_broker(tmp_path_factory.mktemp("tansu")) as address:
        yield address


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with kafka_cluster(tmp_path_factory.mktemp("kafka") / "cluster") as cluster:
        yield cluster.bootstrap


def settings_for(address: str, seconds: float = 10, **topics: object) -> Settings:
    return Settings(
        kafka=KafkaSettings(bootstrap_servers=address, request_timeout=seconds),
        topics=TopicSettings(prefix=f"t{uuid.uuid4().hex}.", **topics),
    )


@pytest.fixture(params=[pytest.param("tansu"), pytest.param("kafka", marks=pytest.mark.real)])
def ours(request: pytest.FixtureRequest) -> Settings:
    settings = settings_for(request.getfixturevalue(request.param))
    ensure_topics(settings)
    return settings


async def loaded(settings: Settings) -> dict[str, bytes]:
    store = ChangelogStateStore(settings)
    try:
        return await store.load()
    finally:
        await store.close()


async def test_an_empty_topic_is_an_empty_state(ours):
    assert await loaded(ours) == {}
    assert await loaded(ours) == {}, "the barrier is not part of the state"


async def test_the_newest_value_of_every_entry_comes_back(ours):
    store = ChangelogStateStore(ours)
    assert await store.load() == {}
    await store.save({"a": b"1", "b": b"1", "gone": b"1", "名前|ключ": "значение".encode()})
    await store.save({"a": b"2", "gone": None, "never": None})
    await store.save({})
    await store.save({"gone twice": b"1", "b": b""})
    await store.save({"gone twice": None})
    await store.close()
    await store.close()
    assert await loaded(ours) == {"a": b"2", "b": b"", "名前|ключ": "значение".encode()}


async def test_thousands_of_entries_and_large_ones(ours):
    store = ChangelogStateStore(ours)
    many = {f"key{n}": f"{n}".encode() * 20 for n in range(3000)}
    large = {"large": os.urandom(1_500_000), "larger": os.urandom(3_000_000)}
    await store.save(many)
    await store.save(large)
    await store.save({f"key{n}": None for n in range(0, 3000, 2)})
    await store.close()
    expected = {name: value for name, value in many.items() if int(name[3:]) % 2}
    assert await loaded(ours) == expected | large


async def test_entries_stand_in_the_order_in_which_they_were_given(ours):
    store = ChangelogStateStore(ours)
    names = [f"entry{(n * 7919) % 1000}" for n in range(1000)]
    await store.save(dict.fromkeys(names, b"x"))
    await store.close()
    consumer = AIOKafkaConsumer(bootstrap_servers=ours.kafka.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partition = TopicPartition(ours.topics.watch_state, 0)
        consumer.assign([partition])
        seen: list[str] = []
        while len(seen) < len(names):
            records = (await asyncio.wait_for(consumer.getmany(partition, timeout_ms=1000), 20)).get(partition, [])
            seen += [record.key.decode() for record in records]
    finally:
        await consumer.stop()
    assert seen == names


async def test_saves_at_the_same_time_are_all_kept(ours):
    store = ChangelogStateStore(ours)
    await asyncio.gather(*(store.save({f"{n}": b"x", "last": f"{n}".encode()}) for n in range(50)))
    await store.close()
    state = await loaded(ours)
    assert {name for name in state if name != "last"} == {f"{n}" for n in range(50)}


WRITER = """
import asyncio, sys
from streams.alerts.changelog import ChangelogStateStore
from streams.settings import Settings
async def main():
    store = ChangelogStateStore(Settings.model_validate_json(sys.argv[1]))
    n = 0
    while True:
        await store.save({f"k{i}": str(n).encode() for i in range(20)})
        print(n, flush=True)
        n += 1
asyncio.run(main())
"""


async def test_what_was_confirmed_survives_a_kill_of_the_writer(ours):
    argument = json.dumps({"kafka": {"bootstrap_servers": ours.kafka.bootstrap_servers}, "topics": {"prefix": ours.topics.prefix}})
    writer = subprocess.Popen([sys.executable, "-c", WRITER, argument], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= 20:
                break
    finally:
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read() if writer.stdout else ""
        writer.wait()
    confirmed = max([20, *(int(line) for line in rest.split())])
    state = await loaded(ours)
    values = [int(state[f"k{i}"]) for i in range(20)]
    assert min(values) >= confirmed
    assert values == sorted(values, reverse=True), "a save that was cut off is a beginning of it"
    assert max(values) - min(values) <= 1


async def test_a_broker_that_is_away_is_a_transient_fault():
    settings = Settings(kafka=KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_ports(1)[0]}", request_timeout=2))
    store = ChangelogStateStore(settings)
    with pytest.raises(TransientError) as caught:
        await store.load()
    assert "watch-state" in str(caught.value)
    with pytest.raises(TransientError):
        await store.save({"a": b"1"})
    await store.close()


async def test_an_entry_that_the_topic_does_not_take_says_so(tansu):
    settings = settings_for(tansu, max_message_bytes=100_000)
    ensure_topics(settings)
    store = ChangelogStateStore(settings)
    with pytest.raises(BellwetherError) as caught:
        await store.save({"a": b"x" * 200_000})
    assert not isinstance(caught.value, TransientError)
    assert "max.message.bytes" in caught.value.mend
    await store.save({"a": b"1"})
    await store.close()
    assert await loaded(settings) == {"a": b"1"}


@pytest.mark.slow
@pytest.mark.real
async def test_a_broker_that_is_killed_and_comes_back_has_everything(tmp_path):
    with kafka_cluster(tmp_path / "cluster") as cluster:
        settings = settings_for(cluster.bootstrap, seconds=4)
        ensure_topics(settings)
        store = ChangelogStateStore(settings)
        await store.save({"a": b"1", "b": b"1"})
        cluster.kill(0)
        with pytest.raises(TransientError):
            await asyncio.wait_for(store.save({"a": b"2"}), 60)
        await asyncio.wait_for(store.close(), 20)
        cluster.revive(0)
        async with asyncio.timeout(120):
            while True:
                with contextlib.suppress(TransientError):
                    await store.save({"a": b"2"})
                    break
                await asyncio.sleep(0.5)
        await store.close()
        assert await loaded(settings) == {"a": b"2", "b": b"1"}
