"""kill -9 of the search server in the middle of bulks: after a restart and a repeat every document is there once."""

from __future__ import annotations

import asyncio
import itertools

import httpx
import pytest

from streams.documents import Outcome
from streams.errors import TransientError
from streams.settings import SearchSettings
from streams.sinks.search import IndexReport, SearchSink

DOCUMENTS = 4000
BATCH = 250


async def _index_all(sink: SearchSink, batches, done) -> list[IndexReport]:
    """As the agent does: a batch is repeated until it is through."""
    reports = []
    for batch in batches:
        for attempt in itertools.count():
            try:
                reports.append(await sink.index(batch))
                break
            except TransientError:
                assert attempt < 300, "the server did not come back"
                await asyncio.sleep(0.2)
        done.append(len(batch))
    return reports


@pytest.mark.timeout(180)
async def test_a_killed_server_loses_and_doubles_nothing(mortal_server, make_document) -> None:
    documents = [make_document(number) for number in range(DOCUMENTS)]
    batches = [documents[start : start + BATCH] for start in range(0, DOCUMENTS, BATCH)]
    sink = SearchSink(SearchSettings(url=mortal_server.url, index_prefix="killed", timeout=10))
    await sink.open()
    if mortal_server.kind == "embedded":
        # It writes its file about once a second. One that dies before the first time forgets the templates, which is another test.
        await asyncio.sleep(2.5)
    done: list[int] = []
    task = asyncio.create_task(_index_all(sink, batches, done))
    while len(done) < 4:
        await asyncio.sleep(0.001)
    await asyncio.to_thread(mortal_server.kill)
    assert not task.done(), "all was indexed before the kill"
    await asyncio.to_thread(mortal_server.start)
    first = await task
    if mortal_server.kind == "real":
        # What Elasticsearch acknowledged is in its transaction log.
        assert await sink.count() == DOCUMENTS
    # The embedded server writes its file once a second: what it acknowledged last must be delivered again, as the journal does.
    second = await _index_all(sink, batches, [])
    for reports in (first, second):
        outcomes = [outcome for report in reports for outcome in report.outcomes.values()]
        assert outcomes == [Outcome.INDEXED] * DOCUMENTS
        assert not any(report.rejected for report in reports)
    assert await sink.count() == DOCUMENTS
    ids = [id for id, _, _ in await sink.recent(2 * DOCUMENTS)]
    assert sorted(ids) == sorted(document.id for document in documents)
    await sink.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mortal_server", ["embedded"], indirect=True)  # Elasticsearch does not forget what it acknowledged
async def test_a_server_that_comes_back_empty_is_prepared_again(mortal_server, make_document) -> None:
    settings = SearchSettings(url=mortal_server.url, index_prefix="forgotten", timeout=10)
    sink = SearchSink(settings)
    await sink.open()
    mortal_server.kill()
    mortal_server.forget()  # as if it had not yet written its file, which it does once a second
    with pytest.raises(TransientError, match="ConnectionError"):
        await sink.index([make_document(1)])
    mortal_server.start()
    assert httpx.get(f"{settings.url}/_index_template/forgotten-documents").status_code == 404
    report = await sink.index([make_document(1)])
    assert report.outcomes == {"journal-0-1": Outcome.INDEXED}
    mapping = httpx.get(f"{settings.url}/forgotten-documents-2026.03/_mapping").json()
    assert mapping["forgotten-documents-2026.03"]["mappings"]["properties"]["language"]["properties"]["code"]["type"] == "keyword"
    await sink.close()


@pytest.mark.timeout(120)
async def test_a_server_that_is_away(mortal_server, make_document) -> None:
    settings = SearchSettings(url=mortal_server.url, index_prefix="away", timeout=5)
    sink = SearchSink(settings)
    await sink.open()
    mortal_server.kill()
    for call in (sink.index([make_document(1)]), sink.count(), sink.latest(1), sink.recent(1), sink.alerts(1)):
        with pytest.raises(TransientError, match=r"127\.0\.0\.1"):
            await call
    await sink.close()
    with pytest.raises(TransientError) as caught:
        await SearchSink(settings).open()
    assert "bellwether doctor" in caught.value.mend
