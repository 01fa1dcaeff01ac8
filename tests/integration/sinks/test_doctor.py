"""What the doctor says of servers that are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.broker import embedded_broker

from streams.doctor.kafka import check_kafka
from streams.doctor.search import check_search
from streams.settings import Settings
from streams.sinks.search import SearchSink
from streams.topics import ensure_topics


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    with embedded_broker(tmp_path) as address:
        yield address


async def test_search_before_and_after_the_first_start(server, settings) -> None:
    given = Settings(search=settings)
    before = {check.name: check for check in await check_search(given)}
    assert before["Elasticsearch"].status == "ok"
    assert "8.15.3" in before["Elasticsearch"].detail
    assert "not known before the first start" in before["search features"].detail
    sink = SearchSink(settings)
    await sink.open()
    await sink.close()
    after = {check.name: check for check in await check_search(given)}
    assert {check.status for check in after.values()} == {"ok"}
    assert "not known" not in after["search features"].detail
    lacks = after["search features"].detail.partition("without ")[2]
    assert "data streams (not needed: an index a month)" in lacks
    assert ("percentiles (averages only)" in lacks) is (server.kind == "embedded")
    assert "languages" in after["search analyzers"].detail


async def test_kafka_without_and_with_our_topics(broker: str) -> None:
    given = Settings.model_validate({"kafka": {"bootstrap_servers": broker}})
    kafka, topics = await check_kafka(given)
    assert kafka.status == "ok"
    assert "1 broker" in kafka.detail
    assert topics.status == "warn"
    assert "documents.raw" in topics.detail
    assert "bellwether topics" in topics.mend
    ensure_topics(given)
    kafka, topics = await check_kafka(given)
    assert (kafka.status, topics.status) == ("ok", "ok")
    assert "documents.raw 4p" in topics.detail
    larger = given.model_copy(update={"topics": given.topics.model_copy(update={"max_message_bytes": 100_000_000})})
    _, topics = await check_kafka(larger)
    assert topics.status == "warn"
    assert "max.message.bytes below 100000000" in topics.detail
