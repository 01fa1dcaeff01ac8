"""The search sink: documents, alerts and decisions in Elasticsearch, each once however often it is delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from elasticsearch import ApiError, AsyncElasticsearch, ConflictError, NotFoundError, TransportError

from streams.documents import Alert, AlertStatus, Decision, Outcome, ScoredDocument
from streams.errors import BellwetherError, PermanentError, TransientError
from streams.settings import SearchSettings
from streams.sinks.bulk import Created, NewRecord, create, refusal
from streams.sinks.capabilities import EMBEDDED, Capabilities
from streams.sinks.connection import connect, masked
from streams.sinks.preparation import prepare
from streams.sinks.reading import FAULTS, IndexReader, Totals
from streams.sinks.record import alert_source, decision_source, document_source, explained_source
from streams.sinks.retention import MAX_DECISIONS, MAX_DECISIONS_EMBEDDED, TRIM_SHARE, bound_decisions

__all__ = ["IndexReport", "SearchSink", "Totals"]

log = structlog.get_logger(__name__)

_ATTEMPTS = 5
"""How often an alert is written anew because somebody else was faster."""


@dataclass(slots=True)
class IndexReport:
    """What became of a batch.

    Attributes:
        outcomes: origin of a delivery to INDEXED or DUPLICATE.
        rejected: documents that the server will never take: the document, the reason ``search.rejected``, and a detail.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    rejected: list[tuple[ScoredDocument, str, str]] = field(default_factory=list)


class SearchSink(IndexReader):
    """Writes to and reads from one Elasticsearch. Open it once; use it from one event loop.

    The sink does not retry: whoever calls it knows how long waiting is right.

    Args:
        settings: address, credentials, prefix of the indices.
    """

    def __init__(self, settings: SearchSettings) -> None:
        super().__init__(settings)
        self._capabilities: Capabilities | None = None
        self._untrimmed = 0
        self._trimmed = False

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
        except FAULTS as error:
            raise self._transient(error, "mget") from error
        origins: dict[tuple[str, str], str] = {}
        for key, found in zip(keys, answer["docs"], strict=True):
            if not found.get("found"):
                raise TransientError(f"search: {masked(self._settings.url)}: {key[0]}/{key[1]} was there and is gone")
            # Somebody else's document has no origin: it is there, and we did not put it there.
            origins[key] = str(found.get("_source", {}).get("origin", ""))
        return origins

    async def write_explanations(self, alert: Alert) -> None:
        """Give the alert of this id the words of its documents that it has none of yet; nothing else of it changes.

        Raises:
            TransientError: as `index`. One try: what somebody else writes at the same moment wins.
        """
        client = await self._ready()
        try:
            found = (await client.get(index=self._names.alerts, id=alert.id)).body
            source = explained_source(found["_source"], alert) if found.get("found") else None
            if source is not None:
                place = {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}
                await client.index(index=self._names.alerts, id=alert.id, document=source, **place)
        except (NotFoundError, ConflictError):
            log.info("search: the alert has gone on, its words are not added", alert=alert.id)
        except FAULTS as error:
            raise self._transient(error, "explaining an alert") from error

    async def write_alert(self, alert: Alert) -> None:
        """Write an alert by its id; the notice of its last revision stands, whatever the order in which they come.

        A later firing (amended, escalated) replaces the alert. A resolved one changes its status, end, reason and revision:
        what caused the alert (evidence, counts, summary) stays that of the firing.

        Raises:
            TransientError: as `index`.
            PermanentError: the server will never take this alert; reason ``search.rejected``.
        """
        client = await self._ready()
        for _ in range(_ATTEMPTS):
            try:
                if await self._write_revision(client, alert):
                    return
            except FAULTS as error:
                reason = (
                    refusal(error.status_code, error.body.get("error"))
                    if isinstance(error, ApiError) and isinstance(error.body, dict)
                    else None
                )
                if reason is not None:
                    raise PermanentError(f"search: {masked(self._settings.url)}: {reason}", reason="search.rejected") from error
                raise self._transient(error, "writing an alert") from error
        raise TransientError(f"search: {masked(self._settings.url)}: others write the alert {alert.id} at the same time")

    async def _write_revision(self, client: AsyncElasticsearch, alert: Alert) -> bool:
        """Try to write `alert` over what stands there; False if somebody else was faster."""
        try:
            found = (await client.get(index=self._names.alerts, id=alert.id)).body
        except NotFoundError:
            found = {}
        try:
            if not found.get("found"):
                await client.create(index=self._names.alerts, id=alert.id, document=alert_source(alert))
                return True
            stands = found["_source"]
            if _order(alert.revision, alert.status.value) <= _order(int(stands.get("revision") or 0), str(stands.get("status"))):
                log.debug("search: the alert is there already", alert=alert.id, revision=alert.revision)
                return True
            source = alert_source(alert)
            if alert.status is AlertStatus.RESOLVED:
                source = {**stands, **{name: source[name] for name in ("status", "ends_at", "revision", "reason")}}
            await client.index(
                index=self._names.alerts,
                id=alert.id,
                document=source,
                if_seq_no=found["_seq_no"],
                if_primary_term=found["_primary_term"],
            )
        except ConflictError:
            return False
        return True

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
        await self._bound_decisions(len(result.created))

    async def _bound_decisions(self, written: int) -> None:
        """Delete old decisions now and then. That it fails is no reason to hold decisions back: it is tried again."""
        self._untrimmed += written
        limit = MAX_DECISIONS_EMBEDDED if self.capabilities.product == EMBEDDED else MAX_DECISIONS
        if self._trimmed and self._untrimmed < limit // TRIM_SHARE:
            return
        try:
            deleted = await bound_decisions(self._open_client(), self._names, limit)
        except FAULTS as error:
            log.warning("search: old decisions could not be deleted", error=str(self._transient(error, "deleting old decisions")))
            return
        self._untrimmed, self._trimmed = 0, True
        if deleted:
            log.info("search: old decisions deleted", decisions=deleted)


def _order(revision: int, status: str) -> tuple[int, bool]:
    """Notices of one alert in their order: by revision, and a resolution after a firing."""
    return revision, status == AlertStatus.RESOLVED.value
