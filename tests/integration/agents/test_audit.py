"""The audit against real servers: it finds what is missing, names it, and counts every other end right."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import Any

import pytest

from streams.audit import audit_topics
from streams.documents import parse_raw
from streams.errors import BellwetherError, TransientError
from streams.topics import describe


def _delete(way: Any, document: bytes) -> None:
    """Take a document out of the index."""
    id = parse_raw(document).document_id
    base = f"{way.settings.search.url}/{way.settings.search.index_prefix}-documents-2026.03"
    answer = urllib.request.urlopen(urllib.request.Request(f"{base}/_doc/{id}", method="DELETE"), timeout=10).read()
    assert json.loads(answer)["result"] == "deleted"


async def test_every_end_is_counted_and_what_has_none_is_named(way: Any, until: Any) -> None:
    enrich = way.settings.enrich.model_copy(update={"languages": ("en", "und")})
    settings = way.settings.model_copy(update={"enrich": enrich})
    german = json.dumps(
        {
            "source": "test",
            "id": "de",
            "title": "Die Bundesregierung berät über den Haushalt",
            "text": "Die Minister der Bundesregierung haben sich am Montag in Berlin über den Haushalt des kommenden Jahres verständigt.",
            "published_at": "2026-03-01T12:00:00Z",
            "language_hint": "de",
        }
    ).encode()
    documents = way.documents(30)
    worker = way.worker(settings=settings)
    await worker.ready()
    await way.send(settings.topics.raw, [*documents, b"{", german, *documents[:4], b"\xff"])
    await until(lambda: way.indexed() == 30)
    await until(lambda: worker.metric("bellwether_documents_finished_total", outcome="duplicate") == 4)
    report = await way.audit(settings)
    assert report.balanced
    assert (report.produced, report.indexed, report.duplicates, report.dead, report.filtered, report.lost) == (37, 30, 4, 2, 1, 0)
    for number in (7, 11):
        _delete(way, documents[number])
    report = await way.audit(settings)
    assert not report.balanced
    assert (report.produced, report.indexed, report.duplicates, report.lost) == (37, 28, 4, 2)
    assert report.missing == ["documents.raw-0-7", "documents.raw-0-11"]
    # A document that was delivered twice and stands nowhere is missing twice.
    _delete(way, documents[0])
    report = await way.audit(settings)
    assert (report.lost, report.missing) == (4, ["documents.raw-0-0", "documents.raw-0-7", "documents.raw-0-11", "documents.raw-0-32"])
    await worker.stop()
    # What nobody has read yet is missing, too, whatever it is.
    await way.send(settings.topics.raw, [b"{", *way.documents(2, begin=100)])
    report = await way.audit(settings)
    assert (report.produced, report.lost) == (40, 7)


async def test_an_empty_topic_balances(way: Any) -> None:
    report = await way.audit()
    assert report.balanced
    assert report.to_json()["produced"] == 0


async def test_a_topic_that_is_missing_is_one_clear_error(way: Any) -> None:
    other = way.settings.model_copy(update={"topics": way.settings.topics.model_copy(update={"prefix": "nowhere."})})
    with pytest.raises(BellwetherError, match=r"has no topic nowhere\.documents\.raw") as missing:
        await audit_topics(other)
    assert "bellwether topics --create" in missing.value.mend
    assert all(not info.exists for info in await asyncio.to_thread(describe, other)), "asking makes none"


@pytest.mark.parametrize("server", ["broker", "search"])
async def test_a_server_that_is_away_is_one_clear_error(way: Any, server: str) -> None:
    getattr(way, server).end()
    with pytest.raises(TransientError) as away:
        await audit_topics(way.settings)
    assert away.value.mend
    assert "\n" not in str(away.value)
    place = way.settings.kafka.bootstrap_servers if server == "broker" else way.settings.search.url
    assert place in away.value.message
