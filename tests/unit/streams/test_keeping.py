"""The state in memory, the ledger of Kafka, and the metrics."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest

from streams.documents import Outcome
from streams.errors import TransientError
from streams.ledger import KafkaLedger, Ledger
from streams.metrics import Metrics
from streams.state import MemoryStateStore, SharedStateStore, StateStore

changes = st.dictionaries(st.sampled_from("abcd"), st.none() | st.binary(max_size=3))


@given(st.lists(changes, max_size=8))
async def test_the_store_holds_the_newest_value_of_each_key(saves: list[dict[str, bytes | None]]) -> None:
    store: StateStore = MemoryStateStore()
    model: dict[str, bytes | None] = {}
    for save in saves:
        await store.save(save)
        model.update(save)
    assert await store.load() == {key: value for key, value in model.items() if value is not None}


async def test_what_is_loaded_is_a_copy() -> None:
    store = MemoryStateStore()
    await store.save({"a": b"1"})
    (await store.load()).clear()
    assert await store.load() == {"a": b"1"}
    await store.close()
    assert await store.load() == {"a": b"1"}


class Counting(MemoryStateStore):
    """Counts how often it is read; is away at first."""

    def __init__(self) -> None:
        super().__init__()
        self.loads = 0

    async def load(self) -> dict[str, bytes]:
        self.loads += 1
        if self.loads == 1:
            raise TransientError("away")
        return await super().load()


@pytest.mark.parametrize("first", ["part", "rest"])
async def test_two_owners_of_a_store_see_their_own_and_read_it_once(first: str) -> None:
    store = Counting()
    await store.save({"delivery|a": b"1", "delivery-off|x": b"2", "outbox:b": b"3"})
    shared = SharedStateStore(store, "delivery")
    owners = [shared.part, shared.rest] if first == "part" else [shared.rest, shared.part]
    with pytest.raises(TransientError):
        await owners[0].load()
    loaded = [await owner.load() for owner in owners]
    assert sorted(loaded, key=len) == [{"outbox:b": b"3"}, {"delivery|a": b"1", "delivery-off|x": b"2"}]
    assert store.loads == 2
    await shared.part.save({"delivery|a": None})
    await shared.rest.save({"outbox:c": b"4"})
    await shared.part.close()
    assert await store.load() == {"delivery-off|x": b"2", "outbox:b": b"3", "outbox:c": b"4"}


async def test_kafkas_ledger_listens_and_keeps_nothing() -> None:
    ledger: Ledger = KafkaLedger()
    await ledger.finish({"documents.raw-0-1": Outcome.INDEXED}, await ledger.moment())
    await ledger.bury([])
    await ledger.watched(["documents.raw-0-1"])
    await ledger.close()
    assert vars(ledger) == {}


def test_metrics_are_named_by_the_rules_of_prometheus() -> None:
    names = re.findall(r"^# TYPE (\S+) (\S+)", generate_latest(Metrics().registry).decode(), re.MULTILINE)
    assert len(names) > 10
    for name, kind in names:
        assert re.fullmatch(r"bellwether_[a-z_]+", name)
        if kind == "counter":
            assert name.endswith("_total")
        assert not re.search(r"_(ms|millis|minutes)(_|$)", name), "base units"


def test_several_workers_of_one_process_do_not_collide() -> None:
    one, two = Metrics(), Metrics()
    one.received.inc(3)
    assert one.registry.get_sample_value("bellwether_documents_received_total") == 3
    assert two.registry.get_sample_value("bellwether_documents_received_total") == 0


@pytest.mark.parametrize("name", [name for name in vars(Metrics()) if name != "registry"])
def test_every_metric_says_what_it_is(name: str) -> None:
    assert getattr(Metrics(), name)._documentation
