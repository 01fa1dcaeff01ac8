"""The official images of Kafka and Elasticsearch, where a Docker engine runs: topics, intake, index, audit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from streams.audit import audit_topics
from streams.documents import Origin, ScoredDocument, Unscored, parse_raw
from streams.documents.scored import Language, Timings
from streams.settings import Settings, load_settings
from streams.sinks.search import SearchSink
from streams.sources.intake import KafkaIntake
from streams.topics import describe, ensure_topics

pytestmark = [pytest.mark.real, pytest.mark.slow]


def _engine() -> str | None:
    """Why no container can be started here; None when one can."""
    docker = pytest.importorskip("docker", reason="testcontainers is not installed")
    try:
        docker.from_env(timeout=5).ping()
    except docker.errors.DockerException as error:
        return f"no Docker engine answers ({type(error).__name__})"
    return None


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """Settings that point at fresh containers."""
    reason = _engine()
    if reason is not None:
        pytest.skip(reason)
    from testcontainers.elasticsearch import ElasticSearchContainer
    from testcontainers.kafka import KafkaContainer

    kafka = KafkaContainer("confluentinc/cp-kafka:7.6.0").with_kraft()
    search = ElasticSearchContainer("docker.elastic.co/elasticsearch/elasticsearch:8.15.3", mem_limit="2g")
    with kafka, search:
        host, port = search.get_container_host_ip(), search.get_exposed_port(9200)
        yield load_settings(
            kafka={"bootstrap_servers": kafka.get_bootstrap_server()}, search={"url": f"http://{host}:{port}"}, topics={"partitions": 3}
        )


async def test_from_intake_to_audit(settings: Settings) -> None:
    created = ensure_topics(settings)
    assert settings.topics.raw in {*created.created, *created.existing}
    messages = [
        json.dumps({"source": "wire", "id": str(number), "text": f"text {number}", "published_at": "2026-03-02T00:00:00Z"}).encode()
        for number in range(50)
    ]
    intake = KafkaIntake(settings)
    try:
        await intake.put(messages)
    finally:
        await intake.close()
    assert next(topic for topic in describe(settings) if topic.name == settings.topics.raw).messages == len(messages)
    before = await audit_topics(settings)
    assert (before.produced, before.lost) == (len(messages), len(messages))

    now = datetime.now(UTC)
    sink = SearchSink(settings.search)
    await sink.open()
    try:
        documents = []
        for number, message in enumerate(messages):
            raw = parse_raw(message)
            origin = Origin(topic=settings.topics.raw, partition=0, offset=number)
            documents.append(
                ScoredDocument(
                    id=raw.document_id,
                    source=raw.source,
                    title="",
                    text=raw.text,
                    published_at=raw.published_at,
                    language=Language(code="en", confidence=1.0),
                    unscored=Unscored(reason="text.no_words"),
                    model_id="none",
                    timings=Timings(received_at=now, scored_at=now),
                    origin=str(origin),
                )
            )
        await sink.index(documents)
        assert await sink.count() == len(messages)
    finally:
        await sink.close()
    after = await audit_topics(settings)
    assert after.balanced
    assert after.indexed + after.duplicates == len(messages)
