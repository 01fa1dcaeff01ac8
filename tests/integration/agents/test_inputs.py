"""Whatever stands on the topics, every record ends somewhere and the agents go on: one worker, real broker, real search server."""

from __future__ import annotations

from typing import Any

from streams.documents import DeadLetter

ORIGIN = "bellwether-origin"


async def _letters(way: Any, count: int) -> list[DeadLetter]:
    records = await way.read(way.settings.topics.dead, count)
    return [DeadLetter.from_record(record.value, list(record.headers)) for record in records]


async def test_foreign_records_on_every_topic_end_as_letters_and_the_documents_go_through(way: Any, until: Any) -> None:
    worker = way.worker()
    await worker.ready()
    topics = way.settings.topics
    await way.send(topics.raw, way.documents(5))
    every = (topics.raw, topics.scored, topics.alerts, topics.control)
    odd: list[bytes | None] = [None, b"", b"{", b"\xff\xfe", b"[1]", b"null", b"\0" * 10]
    for topic in every:
        await way.send(topic, odd, key=b"a key")
        await way.send(topic, odd, key=b"", headers=[("traceparent", b"\xff\x00"), (ORIGIN, b"\xff\xfe not an origin")])
    # Somebody replays a dead letter with all its headers: the record stands for itself.
    await way.send(topics.raw, [b"{ again"], headers=[(ORIGIN, b"documents.raw-0-5"), ("bellwether-reason", b"document.not_json")])
    await way.send(topics.raw, way.documents(5, begin=5), headers=[(ORIGIN, b"journal-0-1")])
    await until(lambda: way.indexed() == 10)
    await until(lambda: worker.metric("bellwether_dead_letters_total") == 1 + len(every) * 2 * len(odd))
    letters = await _letters(way, 1 + len(every) * 2 * len(odd))
    assert {letter.stage for letter in letters} == {"score", "index", "notify", "watch"}
    assert len({letter.origin for letter in letters}) == len(letters), "each record is known by its own place"
    report = await way.audit()
    assert (report.produced, report.indexed, report.dead, report.lost) == (10 + 2 * len(odd) + 1, 10, 2 * len(odd) + 1, 0)
    for topic in every:
        await until(lambda topic=topic: _read_whole(way, topic))
    await worker.stop()


async def _read_whole(way: Any, topic: str) -> bool:
    return bool((await way.topic(topic)).lag == 0)


async def test_a_document_that_the_scored_topic_does_not_take_is_buried_alone(way: Any, until: Any) -> None:
    """The broker's limit is our own `max_message_bytes`: a raw document just below it is larger when it is scored."""
    small = way.settings.topics.model_copy(update={"max_message_bytes": 60_000})
    settings = way.settings.model_copy(update={"topics": small})
    worker = way.worker(settings=settings)
    await worker.ready()
    large = way.documents(1, begin=500)[0].replace(b'"text": "', b'"text": "' + b"story " * 9_900)
    assert len(large) < 60_000
    await way.send(small.raw, [*way.documents(20), large, *way.documents(20, begin=20)])
    await until(lambda: way.indexed() == 40)
    [letter] = await _letters(way, 1)
    assert letter.reason == "broker.too_large"
    assert letter.stage == "score"
    assert letter.origin == "documents.raw-0-20"
    assert letter.truncated_from is not None
    assert len(letter.original) < letter.truncated_from
    report = await way.audit(settings)
    assert (report.indexed, report.dead, report.lost) == (40, 1, 0)
    await worker.stop()
