"""Search servers: the embedded one, and the real Elasticsearch of ../shared/services where it and Java are present."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from servers.search import SearchServer

from streams.documents import EntityMention, Language, ScoredDocument, Sentiment, Timings, Topic, document_id
from streams.settings import SearchSettings
from streams.sinks.search import SearchSink

KINDS = [pytest.param("embedded"), pytest.param("real", marks=pytest.mark.real)]


@pytest.fixture(scope="session", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchServer]:
    started = SearchServer(request.param, tmp_path_factory.mktemp(request.param))
    yield started
    started.stop()


@pytest.fixture(params=KINDS)
def mortal_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SearchServer]:
    """A server of one test, to be killed."""
    started = SearchServer(request.param, tmp_path)
    yield started
    started.stop()


@pytest.fixture
def settings(server: SearchServer) -> SearchSettings:
    """Every test has indices of its own."""
    return SearchSettings(url=server.url, index_prefix=f"t{uuid.uuid4().hex[:12]}")


@pytest.fixture
async def sink(settings: SearchSettings) -> AsyncIterator[SearchSink]:
    opened = SearchSink(settings)
    await opened.open()
    yield opened
    await opened.close()


MakeDocument = Callable[..., ScoredDocument]


@pytest.fixture
def make_document() -> MakeDocument:
    def make(number: int, **changes: object) -> ScoredDocument:
        published = datetime(2026, 3, 31, 22, tzinfo=UTC) + timedelta(minutes=number)
        fields: dict[str, object] = {
            "id": document_id("wire", source_id=str(number), url=None, parts=()),
            "source": "wire",
            "source_id": str(number),
            "url": f"https://news.example/{number}",
            "title": f"Aurelia Bank reports its quarter {number}",
            "text": "The board was running through the books of the bank.",
            "published_at": published,
            "tags": ("banks",),
            "language": Language(code="en", confidence=0.97),
            "sentiment": Sentiment(negative=0.7, neutral=0.2, positive=0.1),
            "topic": Topic(label="economy", probabilities={"economy": 0.8, "arts, culture": 0.2}),
            "entities": (EntityMention(id="aurelia", name="Aurelia Bank", matched="Aurelia"),),
            "model_id": "test-1",
            "timings": Timings(received_at=published, scored_at=published, enrich_ms=0.5, score_ms=3.25),
            "origin": f"journal-0-{number}",
        }
        return ScoredDocument.model_validate(fields | changes)

    return make
