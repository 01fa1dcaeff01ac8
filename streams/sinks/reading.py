"""What is read from the index: for the live view, the near-duplicate memory, the audit and the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from elasticsearch import ApiError, AsyncElasticsearch, TransportError, UnsupportedProductError

from streams.alerts.evidence.passages import Passage
from streams.documents import Alert
from streams.errors import BellwetherError, TransientError
from streams.settings import SearchSettings
from streams.sinks.connection import as_error
from streams.sinks.mapping import Names
from streams.sinks.record import alert_from

__all__ = ["FAULTS", "IndexReader", "Totals"]

FAULTS = (ApiError, TransportError, UnsupportedProductError)
"""What the client raises."""

_PAGE = 5000
_TITLE_CHARACTERS = 160
"""Hits of one page. The embedded server reads everything it has for every page, so few and large ones; Elasticsearch gives 10,000."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Documents in the index: all, near-copies, by language and by sentiment (the most frequent first)."""

    documents: int
    near_copies: int
    languages: dict[str, int]
    sentiments: dict[str, int]


class IndexReader:
    """The reading half of the search sink, and the connection that both halves use.

    Args:
        settings: address, credentials, prefix of the indices.
    """

    def __init__(self, settings: SearchSettings) -> None:
        self._settings = settings
        self._names = Names(settings.index_prefix)
        self._client: AsyncElasticsearch | None = None
        self._lost = False

    async def origins(self, documents: Sequence[tuple[str, datetime]]) -> dict[str, str]:
        """The delivery that put each document into the index, by id; documents that are not there are left out.

        Args:
            documents: id and publication date, which tells the index.

        Raises:
            TransientError: the server is away, busy or closed to us.
        """
        return {id: str(source.get("origin", "")) for id, source in (await self._fields(documents, ["origin"])).items()}

    async def passages(self, documents: Sequence[tuple[str, datetime]]) -> dict[str, Passage]:
        """What the scores of documents rest on, by id (read in real time); documents that are not there are left out.

        Args:
            documents: id and publication date, which tells the index.

        Raises:
            TransientError: the server is away, busy or closed to us.
        """
        found = await self._fields(documents, ["title", "text", "model_id", "sentiment.label"])
        return {
            id: Passage.of(
                str(source.get("title", "")),
                str(source.get("text", "")),
                str(source.get("model_id", "")),
                scored=bool(source.get("sentiment")),
            )
            for id, source in found.items()
        }

    async def _fields(self, documents: Sequence[tuple[str, datetime]], fields: list[str]) -> dict[str, dict[str, Any]]:
        """These fields of the documents that are there, by id."""
        if not documents:
            return {}
        wanted = [{"_index": self._names.of_date(date), "_id": id, "_source": fields} for id, date in documents]
        try:
            answer = (await self._open_client().mget(docs=wanted)).body
        except FAULTS as error:
            raise self._transient(error, "mget") from error
        return {hit["_id"]: hit["_source"] for hit in answer["docs"] if hit.get("found")}

    async def recent(self, limit: int) -> list[tuple[str, str, str]]:
        """Id, title and text of the documents indexed last, the newest last; near-copies are left out (their first is in).

        Raises:
            TransientError: the server is away, busy or closed to us.
        """
        found: list[tuple[str, str, str]] = []
        after: list[Any] | None = None
        await self._refresh(self._names.documents)
        while len(found) < limit:
            size = min(_PAGE, limit - len(found))
            hits = await self._search(
                self._names.documents,
                size=size,
                query={"bool": {"must_not": [{"exists": {"field": "duplicate_of"}}]}},
                sort=[_descending("event.ingested", "date"), _descending("event.id", "keyword")],
                source=["title", "text"],
                search_after=after,
            )
            found += [(str(hit["_id"]), str(hit["_source"].get("title", "")), str(hit["_source"].get("text", ""))) for hit in hits]
            if len(hits) < size:
                break
            after = hits[-1]["sort"]
        found.reverse()
        return found

    async def latest(self, limit: int) -> list[dict[str, Any]]:
        """The documents indexed last, the newest first, as far as the index was refreshed (once a second).

        Keys: ``id``, ``published_at`` (ISO 8601), ``source``, ``language``, ``sentiment`` (label or None), ``score`` (or
        None), ``topic`` (label or None), ``title`` (the begin of the text where there is none), ``duplicate_of`` (id or None).

        Raises:
            TransientError: the server is away, busy or closed to us.
        """
        hits = await self._search(
            self._names.documents,
            size=limit,
            sort=[_descending("event.ingested", "date"), _descending("event.id", "keyword")],
            source=["@timestamp", "source", "language", "sentiment", "topic.label", "title", "text", "duplicate_of"],
        )
        return [_shown(str(hit["_id"]), hit["_source"]) for hit in hits]

    async def alerts(self, limit: int) -> list[Alert]:
        """Alerts, the one that began last first. Raises TransientError."""
        await self._refresh(self._names.alerts)
        hits = await self._search(self._names.alerts, size=limit, sort=[_descending("@timestamp", "date"), _descending("id", "keyword")])
        return [alert_from(hit["_source"]) for hit in hits]

    async def count(self) -> int:
        """How many documents the index holds, now (it is refreshed first). Raises TransientError."""
        await self._refresh(self._names.documents)
        try:
            answer = await self._open_client().count(index=self._names.documents, ignore_unavailable=True, allow_no_indices=True)
        except FAULTS as error:
            raise self._transient(error, "counting") from error
        return int(answer.body["count"])

    async def totals(self) -> Totals:
        """What the index holds in all (refreshed first). Raises TransientError."""
        await self._refresh(self._names.documents)
        try:
            answer = await self._open_client().search(
                index=self._names.documents,
                size=0,
                track_total_hits=True,
                aggs={
                    "languages": {"terms": {"field": "language.code", "size": 300}},
                    "sentiments": {"terms": {"field": "sentiment.label", "size": 3}},
                    "near_copies": {"filter": {"exists": {"field": "duplicate_of"}}},
                },
                ignore_unavailable=True,
                allow_no_indices=True,
            )
        except FAULTS as error:
            raise self._transient(error, "counting") from error
        # Without any index there are no aggregations in the answer at all.
        found = answer.body.get("aggregations", {})
        return Totals(
            documents=int(answer.body["hits"]["total"]["value"]),
            near_copies=int(found.get("near_copies", {}).get("doc_count", 0)),
            languages=_buckets(found, "languages"),
            sentiments=_buckets(found, "sentiments"),
        )

    async def close(self) -> None:
        """Let go of the connections. May be called twice."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _open_client(self) -> AsyncElasticsearch:
        if self._client is None:
            raise BellwetherError("search: the sink is not open")
        return self._client

    def _transient(self, error: ApiError | TransportError | UnsupportedProductError, doing: str) -> TransientError:
        """Once the sink was open, nothing that the server says is a reason to give documents up: rights come back too."""
        self._lost = self._lost or isinstance(error, TransportError)
        fault = as_error(error, self._settings.url, doing)
        return fault if isinstance(fault, TransientError) else TransientError(fault.message, mend=fault.mend)

    async def _refresh(self, index: str) -> None:
        try:
            await self._open_client().indices.refresh(index=index, ignore_unavailable=True, allow_no_indices=True)
        except FAULTS as error:
            raise self._transient(error, "refresh") from error

    async def _search(
        self,
        index: str,
        *,
        size: int,
        sort: list[dict[str, Any]],
        query: dict[str, Any] | None = None,
        source: list[str] | None = None,
        search_after: list[Any] | None = None,
    ) -> list[dict[str, Any]]:
        try:
            answer = await self._open_client().search(
                index=index,
                size=size,
                sort=sort,
                query=query,
                source=True if source is None else {"includes": source},
                search_after=search_after,
                track_total_hits=False,
                ignore_unavailable=True,
                allow_no_indices=True,
            )
        except FAULTS as error:
            raise self._transient(error, "search") from error
        hits: list[dict[str, Any]] = answer.body["hits"]["hits"]
        return hits


def _buckets(aggregations: dict[str, Any], name: str) -> dict[str, int]:
    return {str(bucket["key"]): int(bucket["doc_count"]) for bucket in aggregations.get(name, {}).get("buckets", [])}


def _descending(name: str, kind: str) -> dict[str, Any]:
    return {name: {"order": "desc", "unmapped_type": kind}}


def _shown(id: str, source: dict[str, Any]) -> dict[str, Any]:
    sentiment = source.get("sentiment") or {}
    return {
        "id": id,
        "published_at": source.get("@timestamp"),
        "source": (source.get("source") or {}).get("name"),
        "language": (source.get("language") or {}).get("code"),
        "sentiment": sentiment.get("label"),
        "score": sentiment.get("score"),
        "topic": (source.get("topic") or {}).get("label"),
        "title": source.get("title") or str(source.get("text", ""))[:_TITLE_CHARACTERS],
        "duplicate_of": source.get("duplicate_of"),
    }
