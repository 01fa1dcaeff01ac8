"""What the index knows of a rule and a key: decisions, alerts, and how much was heard. It only reads, and needs no right to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streams.documents import Alert, Decision, Key
from streams.errors import TransientError
from streams.settings import SearchSettings
from streams.sinks.connection import as_error, connect
from streams.sinks.mapping import Names
from streams.sinks.reading import FAULTS, IndexReader
from streams.sinks.record import alert_from, decision_from

__all__ = ["Heard", "Inquiry"]

_FIELDS = {"entity": "entities.id", "tag": "tags", "topic": "topic.label", "language": "language.code", "source": "source.name"}
_NEWEST_FIRST = [{"at": {"order": "desc", "unmapped_type": "date"}}, {"id": {"order": "desc", "unmapped_type": "keyword"}}]
_MANY = 1000


@dataclass(frozen=True, slots=True)
class Heard:
    """Documents of a key in a span of event time, near-copies included: all, those with a sentiment, the negative ones."""

    start: datetime
    end: datetime
    documents: int
    scored: int
    negative: int

    @property
    def share(self) -> float:
        """Negative share of the scored ones; 0 without any."""
        return self.negative / self.scored if self.scored else 0.0


class Inquiry(IndexReader):
    """Reads what was decided. Open it once; use it from one event loop.

    Args:
        settings: address, credentials, prefix of the indices.
    """

    def __init__(self, settings: SearchSettings) -> None:
        super().__init__(settings)
        self._indices = Names(settings.index_prefix)

    async def open(self) -> None:
        """Connect and see what was written so far.

        Raises:
            TransientError: the server does not answer.
            BellwetherError: it refuses us, or is not Elasticsearch.
        """
        client = connect(self._settings)
        try:
            await client.info()
        except FAULTS as error:
            await client.close()
            raise as_error(error, self._settings.url, "connecting") from error
        self._client = client
        for index in (self._indices.decisions, self._indices.alerts, self._indices.documents):
            await self._refresh(index)

    async def decisions(self, rule: str, key: Key, until: datetime | None, limit: int) -> list[Decision]:
        """Decisions of a rule about a key, the newest first, none later than `until`. Raises TransientError."""
        filters = [*_about(rule, key), *([{"range": {"at": {"lte": until.isoformat()}}}] if until is not None else [])]
        hits = await self._search(self._indices.decisions, size=limit, query={"bool": {"filter": filters}}, sort=_NEWEST_FIRST)
        return [decision_from(hit["_source"]) for hit in hits]

    async def alerts_about(self, rule: str, key: Key, until: datetime | None, limit: int) -> list[Alert]:
        """Alerts of a rule about a key, the one that began last first, none that began later than `until`. Raises TransientError."""
        filters = [*_about(rule, key), *([{"range": {"starts_at": {"lte": until.isoformat()}}}] if until is not None else [])]
        order = [{"starts_at": {"order": "desc", "unmapped_type": "date"}}, {"id": {"order": "desc", "unmapped_type": "keyword"}}]
        hits = await self._search(self._indices.alerts, size=limit, query={"bool": {"filter": filters}}, sort=order)
        return [alert_from(hit["_source"]) for hit in hits]

    async def rules(self) -> list[str]:
        """Names of the rules that ever decided or told anything. Raises TransientError."""
        found: set[str] = set()
        for index in (self._indices.decisions, self._indices.alerts):
            found |= {name for name, _ in await self._values(index, "rule", None)}
        return sorted(found)

    async def keys(self, rule: str) -> list[Key]:
        """Keys that the rule decided or told anything of, by kind and value. Raises TransientError."""
        parts = {name: {"terms": {"field": f"key.{name}", "size": 5}} for name in ("kind", "name")}
        found: dict[str, Key] = {}
        for index in (self._indices.decisions, self._indices.alerts):
            answer = await self._aggregate(
                index, {"term": {"rule": rule}}, {"values": {"terms": {"field": "key.value", "size": _MANY}, "aggs": parts}}
            )
            for bucket in answer.get("aggregations", {}).get("values", {}).get("buckets", []):
                names = [str(name["key"]) for name in bucket["name"]["buckets"]]
                for kind in bucket["kind"]["buckets"]:
                    value = str(bucket["key"])
                    key = Key(kind=str(kind["key"]), value=value, name=names[0] if names else value)
                    found.setdefault(str(key), key)
        return sorted(found.values(), key=str)

    async def values(self, dimension: str) -> list[str]:
        """Values of a dimension among all documents, the most frequent first. Raises TransientError."""
        return [value for value, _ in await self._values(self._indices.documents, _FIELDS[dimension], None)]

    async def heard(self, key: Key, start: datetime, end: datetime) -> Heard | None:
        """Documents of a key in [start, end); None where the index cannot be asked for such a key. Raises TransientError."""
        about = _of_documents(key)
        if about is None:
            return None
        span = {"range": {"@timestamp": {"gte": start.isoformat(), "lt": end.isoformat()}}}
        answer = await self._aggregate(
            self._indices.documents,
            {"bool": {"filter": [*about, span]}},
            {
                "scored": {"filter": {"exists": {"field": "sentiment.label"}}},
                "negative": {"filter": {"term": {"sentiment.label": "negative"}}},
            },
        )
        found = answer.get("aggregations", {})
        return Heard(
            start=start,
            end=end,
            documents=int(answer["hits"]["total"]["value"]),
            scored=int(found.get("scored", {}).get("doc_count", 0)),
            negative=int(found.get("negative", {}).get("doc_count", 0)),
        )

    async def last_heard(self, key: Key) -> datetime | None:
        """Event time of the newest document of a key; None where there is none. Raises TransientError."""
        about = _of_documents(key)
        if about is None:
            return None
        hits = await self._search(
            self._indices.documents,
            size=1,
            query={"bool": {"filter": about}},
            sort=[{"@timestamp": {"order": "desc", "unmapped_type": "date"}}],
            source=["@timestamp"],
        )
        return datetime.fromisoformat(hits[0]["_source"]["@timestamp"]) if hits else None

    async def _values(self, index: str, field: str, query: dict[str, Any] | None) -> list[tuple[str, int]]:
        answer = await self._aggregate(index, query, {"values": {"terms": {"field": field, "size": _MANY}}})
        buckets = answer.get("aggregations", {}).get("values", {}).get("buckets", [])
        return [(str(bucket["key"]), int(bucket["doc_count"])) for bucket in buckets]

    async def _aggregate(self, index: str, query: dict[str, Any] | None, aggregations: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = await self._open_client().search(
                index=index, size=0, query=query, aggs=aggregations, track_total_hits=True, ignore_unavailable=True, allow_no_indices=True
            )
        except FAULTS as error:
            fault = as_error(error, self._settings.url, "counting")
            raise TransientError(fault.message, mend=fault.mend) from error
        body: dict[str, Any] = answer.body
        return body


def _about(rule: str, key: Key) -> list[dict[str, Any]]:
    return [{"term": {"rule": rule}}, {"term": {"key.kind": key.kind}}, {"term": {"key.value": key.value}}]


def _of_documents(key: Key) -> Sequence[dict[str, Any]] | None:
    """The filters that choose a key's documents; None where its value does not tell them (a value with a bar of its own)."""
    if key.kind == "all":
        return []
    kinds, values = key.kind.split("+"), key.value.split("|")
    if len(kinds) != len(values) or not set(kinds) <= set(_FIELDS):
        return None
    # Keys hold tags without case; documents as they were written.
    return [
        {"term": {_FIELDS[kind]: {"value": value, "case_insensitive": kind == "tag"}}} for kind, value in zip(kinds, values, strict=True)
    ]
