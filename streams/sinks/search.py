"""The search sink: documents, alerts and decisions in Elasticsearch, each once however often it is delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from elasticsearch import ApiError, AsyncElasticsearch, ConflictError, TransportError, UnsupportedProductError

from streams.documents import Alert, AlertStatus, Decision, Outcome, ScoredDocument
from streams.errors import BellwetherError, TransientError
from streams.settings import SearchSettings
from streams.sinks.bulk import Created, NewRecord, create
from streams.sinks.capabilities import Capabilities
from streams.sinks.connection import as_error, connect, masked
from streams.sinks.mapping import Names
from streams.sinks.preparation import prepare
from streams.sinks.record import alert_from, alert_source, decision_source, document_source

__all__ = ["IndexReport", "SearchSink", "Totals"]

log = structlog.get_logger(__name__)

_PAGE = 5000
"""Hits of one page. The embedded server reads everything it has for every page, so few and large ones; Elasticsearch gives 10,000."""
_FAULTS = (ApiError, TransportError, UnsupportedProductError)


@dataclass(slots=True)
class IndexReport:
    """What became of a batch.

    Attributes:
        outcomes: origin of a delivery to INDEXED or DUPLICATE.
        rejected: documents that the server will never take: the document, the reason ``search.rejected``, and a detail.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    rejected: list[tuple[ScoredDocument, str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Totals:
    """Documents in the index: all, near-copies, by language and by sentiment (the most frequent first)."""

    documents: int
    near_copies: int
    languages: dict[str, int]
    sentiments: dict[str, int]


class SearchSink:
    """Writes to and reads from one Elasticsearch. Open it once; use it from one event loop.

    The sink does not retry: whoever calls it knows how long waiting is right.

    Args:
        settings: address, credentials, prefix of the indices.
    """

    def __init__(self, settings: SearchSettings) -> None:
        self._settings = settings
        self._names = Names(settings.index_prefix)
        self._client: AsyncElasticsearch | None = None
        self._capabilities: Capabilities | None = None
        self._lost = False

    @property
    def capabilities(self) -> Capabilities:
        """What the server can do, as it said when the sink was opened."""
        if self._capabilities is None:
            raise BellwetherError("search: the sink is not open")
        return self._capabilities

    async def open(self) -> None:
        """Connect, ask the server what it can do, and put the index templates; existing indices get fields they lack.

        Raises:
            TransientError: the server does not answer yet.
            BellwetherError: it refuses us, or is not Elasticsearch.
        """
        client = self._client or connect(self._settings)
        try:
            await self._prepare(client)
        except BaseException:
            if client is not self._client:
                await client.close()
            raise
        self._client = client

    async def _prepare(self, client: AsyncElasticsearch) -> None:
        self._capabilities = await prepare(client, self._names, self._settings.url)
        self._lost = False

    async def _ready(self) -> AsyncElasticsearch:
        """The client, for a writing. A server that was away may have lost its templates, or be another one: it is prepared again."""
        client = self._open_client()
        if self._lost:
            try:
                await self._prepare(client)
            except TransientError:
                raise
            except BellwetherError as error:
                raise TransientError(error.message, mend=error.mend) from error
        return client

    async def index(self, documents: Sequence[ScoredDocument]) -> IndexReport:
        """Index `documents`, each id once.

        A delivery whose document stands in the index already is INDEXED if that very delivery put it there (a repeat
        after a crash), else DUPLICATE. Of two deliveries of one document in a batch the first is tried.

        One id with publication dates of two months is two documents: it meets two indices.

        Raises:
            TransientError: the server is away, busy or closed to us; the same call may be made again, and indexes nothing twice.
        """
        report = IndexReport()
        pending = list(documents)
        while pending:
            client = await self._ready()
            pending = await self._index_first(client, pending, report)
        return report

    async def _index_first(
        self, client: AsyncElasticsearch, pending: Sequence[ScoredDocument], report: IndexReport
    ) -> list[ScoredDocument]:
        """Try the first delivery of each id; gives back those whose forerunner was refused, for they may fare better."""
        ingested = datetime.now(UTC).isoformat(timespec="milliseconds")
        analyzers = self.capabilities.localized
        first: dict[tuple[str, str], ScoredDocument] = {}
        keys: list[tuple[str, str]] = []
        for document in pending:
            key = (self._names.of_document(document), document.id)
            keys.append(key)
            first.setdefault(key, document)
        records = [NewRecord(index, id, document_source(document, ingested, analyzers)) for (index, id), document in first.items()]
        result = await self._create(client, records)
        leaders = list(first.items())
        stands = {leaders[position][0]: leaders[position][1].origin for position in result.created}
        stands |= await self._origins([leaders[position][0] for position in result.existing])
        refused = {leaders[position][0]: detail for position, detail in result.refused.items()}
        later: list[ScoredDocument] = []
        for key, document in zip(keys, pending, strict=True):
            if key in stands:
                report.outcomes[document.origin] = Outcome.INDEXED if stands[key] == document.origin else Outcome.DUPLICATE
            elif document is first[key]:
                report.rejected.append((document, "search.rejected", refused[key]))
            else:
                later.append(document)
        return later

    async def _create(self, client: AsyncElasticsearch, records: Sequence[NewRecord]) -> Created:
        try:
            return await create(client, records, self._settings.url)
        except TransientError as error:
            self._lost = self._lost or isinstance(error.__cause__, TransportError)
            raise

    async def _origins(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Origins of documents that stand in the index (read in real time, not as of the last refresh)."""
        if not keys:
            return {}
        wanted = [{"_index": index, "_id": id, "_source": ["origin"]} for index, id in keys]
        try:
            answer = (await self._open_client().mget(docs=wanted)).body
        except _FAULTS as error:
            raise self._transient(error, "mget") from error
        origins: dict[tuple[str, str], str] = {}
        for key, found in zip(keys, answer["docs"], strict=True):
            if not found.get("found"):
                raise TransientError(f"search: {masked(self._settings.url)}: {key[0]}/{key[1]} was there and is gone")
            # Somebody else's document has no origin: it is there, and we did not put it there.
            origins[key] = str(found.get("_source", {}).get("origin", ""))
        return origins

    async def origins(self, documents: Sequence[tuple[str, datetime]]) -> dict[str, str]:
        """The delivery that put each document into the index, by id; documents that are not there are left out.

        Args:
            documents: id and publication date, which tells the index.

        Raises:
            TransientError: as `index`.
        """
        if not documents:
            return {}
        wanted = [{"_index": self._names.of_date(date), "_id": id, "_source": ["origin"]} for id, date in documents]
        try:
            answer = (await self._open_client().mget(docs=wanted)).body
        except _FAULTS as error:
            raise self._transient(error, "mget") from error
        return {found["_id"]: str(found["_source"].get("origin", "")) for found in answer["docs"] if found.get("found")}

    async def write_alert(self, alert: Alert) -> None:
        """Write an alert by its id. A firing one that is there already stays as it is; a resolved one changes the status.

        What caused the alert (evidence, counts, summary) stays that of the firing.

        Raises:
            TransientError: as `index`.
        """
        client = await self._ready()
        source = alert_source(alert)
        try:
            if alert.status is AlertStatus.RESOLVED:
                await client.update(
                    index=self._names.alerts, id=alert.id, doc={"status": alert.status.value}, upsert=source, retry_on_conflict=3
                )
            else:
                await client.create(index=self._names.alerts, id=alert.id, document=source)
        except ConflictError:
            log.debug("search: the alert is there already", alert=alert.id)
        except _FAULTS as error:
            raise self._transient(error, "writing an alert") from error

    async def write_decisions(self, decisions: Sequence[Decision]) -> None:
        """Write decisions by their ids; those that are there stay as they are. One that the server refuses is logged.

        Raises:
            TransientError: as `index`.
        """
        unique = {decision.id: decision for decision in decisions}
        records = [NewRecord(self._names.of_decision(decision), decision.id, decision_source(decision)) for decision in unique.values()]
        if not records:
            return
        result = await self._create(await self._ready(), records)
        for position, detail in result.refused.items():
            log.error("search: a decision was refused", decision=records[position].id, detail=detail)

    async def recent(self, limit: int) -> list[tuple[str, str, str]]:
        """Id, title and text of the documents indexed last, the newest last; near-copies are left out (their first is in).

        Raises:
            TransientError: as `index`.
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
        None), ``topic`` (label or None), ``title``, ``duplicate_of`` (id or None).

        Raises:
            TransientError: as `index`.
        """
        hits = await self._search(
            self._names.documents,
            size=limit,
            sort=[_descending("event.ingested", "date"), _descending("event.id", "keyword")],
            source=["@timestamp", "source", "language", "sentiment", "topic.label", "title", "duplicate_of"],
        )
        return [_shown(str(hit["_id"]), hit["_source"]) for hit in hits]

    async def alerts(self, limit: int) -> list[Alert]:
        """Alerts, the one that began last first. Raises TransientError as `index`."""
        await self._refresh(self._names.alerts)
        hits = await self._search(self._names.alerts, size=limit, sort=[_descending("@timestamp", "date"), _descending("id", "keyword")])
        return [alert_from(hit["_source"]) for hit in hits]

    async def count(self) -> int:
        """How many documents the index holds, now (it is refreshed first). Raises TransientError as `index`."""
        await self._refresh(self._names.documents)
        try:
            answer = await self._open_client().count(index=self._names.documents, ignore_unavailable=True, allow_no_indices=True)
        except _FAULTS as error:
            raise self._transient(error, "counting") from error
        return int(answer.body["count"])

    async def count_languages(self) -> dict[str, int]:
        """Documents by language, the most frequent first (refreshed first). Raises TransientError as `index`."""
        await self._refresh(self._names.documents)
        try:
            answer = await self._open_client().search(
                index=self._names.documents,
                size=0,
                aggs={"languages": {"terms": {"field": "language.code", "size": 300}}},
                ignore_unavailable=True,
                allow_no_indices=True,
            )
        except _FAULTS as error:
            raise self._transient(error, "counting languages") from error
        # Without any index there are no aggregations in the answer at all.
        buckets = answer.body.get("aggregations", {}).get("languages", {}).get("buckets", [])
        return {str(bucket["key"]): int(bucket["doc_count"]) for bucket in buckets}

    async def totals(self) -> Totals:
        """What the index holds in all (refreshed first). Raises TransientError as `index`."""
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
        except _FAULTS as error:
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
        except _FAULTS as error:
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
        except _FAULTS as error:
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
        "title": source.get("title", ""),
        "duplicate_of": source.get("duplicate_of"),
    }
