"""Documents, alerts, and a local HTTP server that answers as it is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from streams.documents import (
    Alert,
    AlertStatus,
    Baseline,
    EntityMention,
    Evidence,
    Key,
    Language,
    Observation,
    ScoredDocument,
    Sentiment,
    Timings,
    Topic,
    document_id,
)

MOMENT = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)


@pytest.fixture
def make_document() -> Callable[..., ScoredDocument]:
    def make(number: int = 1, **changes: object) -> ScoredDocument:
        fields: dict[str, object] = {
            "id": document_id("wire", source_id=str(number), url=None, parts=()),
            "source": "wire",
            "source_id": str(number),
            "url": f"https://news.example/{number}",
            "title": f"Headline {number}",
            "text": "The text.",
            "author": "A. Writer",
            "published_at": MOMENT,
            "fetched_at": MOMENT + timedelta(seconds=30),
            "tags": ("banks", "europe"),
            "language": Language(code="de", confidence=0.97),
            "sentiment": Sentiment(negative=0.7, neutral=0.2, positive=0.1),
            "topic": Topic(label="economy", probabilities={"economy": 0.8, "arts, culture": 0.2}),
            "duplicate_of": "f" * 32,
            "entities": (EntityMention(id="aurelia", name="Aurelia Bank", matched="Aurelia"),),
            "model_id": "test-1",
            "timings": Timings(received_at=MOMENT, scored_at=MOMENT, enrich_ms=0.5, score_ms=3.25),
            "origin": f"journal-0-{number}",
        }
        return ScoredDocument.model_validate(fields | changes)

    return make


@pytest.fixture
def alert() -> Alert:
    counts = {"start": MOMENT, "end": MOMENT + timedelta(hours=3), "documents": 20, "negative": 16, "share": 0.8}
    evidence = Evidence(id="0" * 32, title="奥雷利亚银行", url=None, source="wire", language="zh", published_at=MOMENT, score=-0.9)
    return Alert(
        id="a1",
        fingerprint="00ff00ff00ff00ff",
        rule="negative-share",
        status=AlertStatus.FIRING,
        severity="critical",
        key=Key(kind="entity", value="aurelia", name="Aurelia Bank"),
        starts_at=MOMENT,
        observed=Observation.model_validate(counts),
        baseline=Baseline.model_validate(counts | {"expected_share": 0.2}),
        p_value=1e-9,
        evidence=(evidence,),
        languages={"zh": 1},
        sources={"wire": 1},
        summary="Opinion about Aurelia Bank turned — 16 of 20",
    )


Answer = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


@dataclass
class LocalServer:
    """Keeps what it was asked, and answers by `answer`."""

    url: str = ""
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    answer: Answer | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append((request.method, request.path_qs, {name.lower(): value for name, value in request.headers.items()}, body))
        assert self.answer is not None
        return await self.answer(request, body)


@pytest.fixture
async def local_server() -> AsyncIterator[LocalServer]:
    server = LocalServer()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


def product(body: Any, status: int = 200, **headers: str) -> web.Response:
    """An answer of something that says it is Elasticsearch."""
    return web.Response(
        body=json.dumps(body).encode(),
        status=status,
        headers={"X-Elastic-Product": "Elasticsearch", "content-type": "application/json", **headers},
    )


@dataclass
class ScriptedSearch:
    """Plays Elasticsearch where a fault cannot be had from a real one. `bulk` answers bulk requests, the rest is well."""

    server: LocalServer
    bulk: Callable[[list[dict[str, Any]]], web.Response]
    bulks: list[int] = field(default_factory=list)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.path == "/":
            return product({"cluster_name": "scripted", "version": {"number": "8.99.0"}})
        if request.path == "/_bulk":
            lines = [json.loads(line) for line in body.splitlines()]
            actions = [line["create"] for line in lines[::2]]
            self.bulks.append(len(actions))
            return self.bulk(actions)
        if request.path == "/_analyze":
            return product({"tokens": []})
        if request.path.startswith("/_index_template/") and request.method == "GET":
            return product({"error": {"type": "resource_not_found_exception"}}, 404)
        if request.path.endswith("/_mapping"):
            return product({})
        return product({"acknowledged": True})


@pytest.fixture
def scripted_search(local_server: LocalServer) -> ScriptedSearch:
    def unscripted(actions: list[dict[str, Any]]) -> web.Response:
        return product({"items": [{"create": {"status": 201}} for _ in actions]})

    search = ScriptedSearch(local_server, unscripted)
    local_server.answer = search.answer
    return search


@pytest.fixture
def elastic() -> Callable[..., web.Response]:
    """Build an answer: `elastic(body, status)`."""
    return product
