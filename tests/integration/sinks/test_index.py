"""Documents in a real index: once each, whatever is redelivered."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from streams.alerts.evidence.passages import Passage
from streams.documents import Outcome, Unscored
from streams.settings import SearchSettings
from streams.sinks.search import SearchSink


async def test_a_batch_is_indexed_in_the_months_of_publication(sink, make_document, settings) -> None:
    documents = [make_document(number) for number in range(240)]  # 22:00 on 31 March UTC and the four hours after
    report = await sink.index(documents)
    assert report.outcomes == {document.origin: Outcome.INDEXED for document in documents}
    assert report.rejected == []
    assert await sink.count() == 240
    counts = {
        month: httpx.get(f"{settings.url}/{settings.index_prefix}-documents-{month}/_count").json()["count"]
        for month in ("2026.03", "2026.04")
    }
    assert counts == {"2026.03": 120, "2026.04": 120}


async def test_the_month_is_that_of_utc(sink, make_document, settings) -> None:
    late = datetime.fromisoformat("2026-05-01T01:30:00+05:00")
    await sink.index([make_document(1, published_at=late)])
    assert await sink.count() == 1
    assert httpx.get(f"{settings.url}/{settings.index_prefix}-documents-2026.04/_count").json()["count"] == 1


async def test_a_repeated_delivery_is_indexed_and_not_a_duplicate(sink, make_document) -> None:
    documents = [make_document(number) for number in range(50)]
    first = await sink.index(documents)
    second = await sink.index(documents)
    assert second.outcomes == first.outcomes
    assert set(second.outcomes.values()) == {Outcome.INDEXED}
    assert await sink.count() == 50


async def test_another_delivery_of_the_same_document_is_a_duplicate(sink, make_document) -> None:
    await sink.index([make_document(1)])
    report = await sink.index([make_document(1, origin="journal-0-900"), make_document(2)])
    assert report.outcomes == {"journal-0-900": Outcome.DUPLICATE, "journal-0-2": Outcome.INDEXED}
    assert await sink.count() == 2


async def test_within_a_batch_the_first_is_indexed_and_the_others_are_duplicates(sink, make_document) -> None:
    batch = [make_document(7), make_document(7, origin="journal-0-8"), make_document(7, origin="journal-0-9"), make_document(3)]
    expected = {
        "journal-0-7": Outcome.INDEXED,
        "journal-0-8": Outcome.DUPLICATE,
        "journal-0-9": Outcome.DUPLICATE,
        "journal-0-3": Outcome.INDEXED,
    }
    assert (await sink.index(batch)).outcomes == expected
    # Redelivered in any order, each keeps its outcome.
    assert (await sink.index(batch[::-1])).outcomes == expected
    assert await sink.count() == 2


async def test_nothing_to_index(sink) -> None:
    report = await sink.index([])
    assert report.outcomes == {}
    assert report.rejected == []


async def test_two_sinks_at_once_index_each_document_once(sink, settings, make_document) -> None:
    other = SearchSink(settings)
    await other.open()
    ours = [make_document(number) for number in range(400)]
    theirs = [make_document(number, origin=f"documents.raw-1-{number}") for number in range(400)]
    reports = await asyncio.gather(sink.index(ours), other.index(theirs))
    await other.close()
    outcomes = [outcome for report in reports for outcome in report.outcomes.values()]
    assert outcomes.count(Outcome.INDEXED) == 400
    assert outcomes.count(Outcome.DUPLICATE) == 400
    assert await sink.count() == 400


async def test_what_the_mapping_refuses_is_rejected_and_the_rest_indexed(sink, settings, make_document) -> None:
    own = {"mappings": {"properties": {"title": {"type": "integer"}}}}
    assert httpx.put(f"{settings.url}/{settings.index_prefix}-documents-2020.01", json=own).status_code == 200
    bad = make_document(1, published_at=datetime(2020, 1, 5, tzinfo=UTC))
    same_id = make_document(1, published_at=datetime(2020, 1, 6, tzinfo=UTC), origin="journal-0-77", title="42")
    report = await sink.index([make_document(2), bad, make_document(3), same_id])
    assert [(document.origin, reason) for document, reason, _ in report.rejected] == [("journal-0-1", "search.rejected")]
    assert "document_parsing_exception" in report.rejected[0][2]
    # The second delivery of the rejected id is no duplicate of anything: it was tried, and its title is a number.
    assert report.outcomes == {"journal-0-2": Outcome.INDEXED, "journal-0-3": Outcome.INDEXED, "journal-0-77": Outcome.INDEXED}
    assert await sink.count() == 3


async def test_foreign_fields_do_not_grow_the_mapping(sink, settings, make_document) -> None:
    await sink.index([make_document(1)])
    index = f"{settings.url}/{settings.index_prefix}-documents-2026.03"
    before = httpx.get(f"{index}/_mapping").json()
    foreign = {"@timestamp": "2026-03-31T00:00:00Z", **{f"foreign_{number}": {"deep": number} for number in range(2000)}}
    assert httpx.put(f"{index}/_create/foreign", json=foreign).status_code == 201
    assert httpx.get(f"{index}/_mapping").json() == before


async def test_an_older_index_gets_the_fields_it_lacks(settings, make_document) -> None:
    old = {"mappings": {"dynamic": False, "properties": {"@timestamp": {"type": "date"}, "title": {"type": "text"}}}}
    index = f"{settings.url}/{settings.index_prefix}-documents-2026.03"
    assert httpx.put(index, json=old).status_code == 200
    sink = SearchSink(settings)
    await sink.open()
    await sink.index([make_document(1)])
    assert (await sink.totals()).languages == {"en": 1}
    await sink.close()


async def test_an_unscored_document_of_an_unknown_language(sink, make_document) -> None:
    document = make_document(
        1, language={"code": "und", "confidence": 0.0}, sentiment=None, topic=None, unscored=Unscored(reason="language.unknown", detail="x")
    )
    await sink.index([document])
    assert await sink.count() == 1
    (shown,) = await sink.latest(1)
    assert (shown["language"], shown["sentiment"], shown["score"], shown["topic"]) == ("und", None, None, None)


async def test_text_is_searched_in_its_own_language(sink, server, settings, make_document) -> None:
    await sink.index([make_document(1), make_document(2, text="Die Häuser wurden verkauft", language={"code": "de", "confidence": 0.9})])
    await sink.count()

    def ids(field: str, words: str) -> list[str]:
        body = {"query": {"match": {field: words}}}
        hits = httpx.post(f"{settings.url}/{settings.index_prefix}-documents-*/_search", json=body).json()["hits"]["hits"]
        return [hit["_id"] for hit in hits]

    if server.kind == "embedded":  # it would keep the second text in the stored document, see Capabilities.localized
        assert ids("localized.de", "Haus") == []
        assert ids("text", "Häuser") == [make_document(2).id]
        return
    assert ids("localized.en", "runs books") == [make_document(1).id]
    assert ids("localized.de", "Haus") == [make_document(2).id]
    assert ids("text", "Haus") == []


@pytest.mark.parametrize("size", [1, 513, 1500])
async def test_the_last_documents_are_given_newest_last(sink, make_document, size: int) -> None:
    for start in range(0, 600, 200):
        documents = [make_document(number) for number in range(start, start + 200)]
        await sink.index([*documents, make_document(10_000 + start, duplicate_of=documents[0].id)])
        await asyncio.sleep(0.01)  # batches differ in their time by a millisecond at least
    found = await sink.recent(size)
    assert len(found) == min(size, 600)
    newest = {make_document(number).id for number in range(400, 600)}
    assert {id for id, _, _ in found[-200:]} <= newest
    assert not any(title.endswith("10400") for _, title, _ in found)
    if size == 1500:
        assert len({id for id, _, _ in found}) == 600
        assert found[0][1].startswith("Aurelia Bank reports its quarter")
        assert found[0][2] == "The board was running through the books of the bank."


async def test_pages_of_the_last_documents_neither_overlap_nor_leave_gaps(sink, make_document, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.sinks.reading._PAGE", 7)
    documents = [make_document(number) for number in range(50)]
    await sink.index(documents)
    assert sorted(id for id, _, _ in await sink.recent(100)) == sorted(document.id for document in documents)
    assert len(await sink.recent(20)) == 20


async def test_the_latest_for_the_live_view(sink, make_document) -> None:
    await sink.index([make_document(1)])
    await asyncio.sleep(0.01)
    await sink.index([make_document(2, language={"code": "fr", "confidence": 0.9})])
    await sink.count()
    first, second = await sink.latest(5)
    assert first["id"] == make_document(2).id
    assert second == {
        "id": make_document(1).id,
        "published_at": "2026-03-31T22:01:00+00:00",
        "source": "wire",
        "language": "en",
        "sentiment": "negative",
        "score": -0.6,
        "topic": "economy",
        "title": "Aurelia Bank reports its quarter 1",
        "duplicate_of": None,
    }
    assert (await sink.totals()).languages == {"en": 1, "fr": 1}


async def test_reading_before_anything_was_written(sink) -> None:
    assert await sink.count() == 0
    assert await sink.recent(10) == []
    assert await sink.latest(10) == []
    assert await sink.alerts(10) == []
    assert (await sink.totals()).languages == {}


async def test_a_large_document_and_many_of_them_pass(sink, make_document) -> None:
    large = [make_document(number, text="słowo " * 150_000) for number in range(12)]  # a megabyte each: several requests
    report = await sink.index(large)
    assert list(report.outcomes.values()) == [Outcome.INDEXED] * 12
    assert await sink.count() == 12


async def test_dates_from_all_that_is_allowed(sink, make_document) -> None:
    dates = [datetime(1990, 1, 1, tzinfo=UTC), datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1)]
    report = await sink.index([make_document(number, published_at=date) for number, date in enumerate(dates)])
    assert report.rejected == []
    assert await sink.count() == 3


async def test_opening_twice_changes_nothing(settings: SearchSettings) -> None:
    sink = SearchSink(settings)
    await sink.open()
    before = httpx.get(f"{settings.url}/_index_template/{settings.index_prefix}-documents").json()
    await sink.open()
    assert httpx.get(f"{settings.url}/_index_template/{settings.index_prefix}-documents").json() == before
    await sink.close()
    await sink.close()


async def test_totals_and_origins(sink, make_document) -> None:
    first = make_document(1)
    copy = make_document(2, duplicate_of=first.id, sentiment=first.sentiment)
    unknown = make_document(3, language={"code": "und", "confidence": 0.0}, sentiment=None, topic=None, unscored=Unscored(reason="x"))
    await sink.index([first, copy, unknown])
    totals = await sink.totals()
    assert (totals.documents, totals.near_copies) == (3, 1)
    assert totals.languages == {"en": 2, "und": 1}
    assert totals.sentiments == {"negative": 2}
    missing = make_document(4)
    asked = [(document.id, document.published_at) for document in (first, copy, missing)]
    assert await sink.origins(asked) == {first.id: "journal-0-1", copy.id: "journal-0-2"}
    assert await sink.origins([]) == {}


async def test_what_scores_rest_on_is_read_at_once(sink, make_document) -> None:
    first, second, absent = make_document(1), make_document(2, sentiment=None, unscored=Unscored(reason="confidence.low")), make_document(3)
    await sink.index([first, second])
    # As an alert names them: to the minute.
    wanted = [(one.id, one.published_at.replace(second=0, microsecond=0)) for one in (first, second, absent)]
    found = await sink.passages(wanted)
    assert found == {
        first.id: Passage(first.title, first.text, "test-1", scored=True),
        second.id: Passage(second.title, second.text, "test-1", scored=False),
    }
    assert await sink.passages([]) == {}
