"""How documents, alerts and decisions rest in the index: names of the indices, and their templates as Python data.

Field names follow the Elastic Common Schema where it has a name for the thing (``@timestamp``, ``event.id``,
``event.created``, ``event.ingested``, ``url.full``, ``url.domain``, ``tags``), and our wire models elsewhere
(``title``, ``text``, ``sentiment``, ``topic`` …). ``message`` is not used: it means a log line there. A source's name and its
id of the document are ``source.name`` and ``source.id``, because ``source`` is an object in that schema.

``dynamic`` is false everywhere: a field that we do not know is kept in ``_source`` and never mapped, so nothing foreign can
blow the mapping up, and a newer worker beside an older index is no reason to refuse a document, as ``strict`` would.

Entities are plain objects and not nested: one Lucene document each, and a terms aggregation on ``entities.id`` as every
dashboard writes it. Topic probabilities are kept and not indexed: their keys are the model's labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from streams.documents import Decision, ScoredDocument

__all__ = ["VERSION", "Names", "Template", "alerts_template", "decisions_template", "documents_template"]

VERSION = 3
"""Version of the templates. A worker leaves templates of a newer version alone."""

_DATE: dict[str, Any] = {"type": "date"}
_FLOAT: dict[str, Any] = {"type": "float"}
_DOUBLE: dict[str, Any] = {"type": "double"}
_INTEGER: dict[str, Any] = {"type": "integer"}
_KEYWORD: dict[str, Any] = {"type": "keyword", "ignore_above": 2048}
_TEXT: dict[str, Any] = {"type": "text"}
_KEPT: dict[str, Any] = {"type": "object", "enabled": False}


def _object(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"properties": fields}


@dataclass(frozen=True, slots=True)
class Names:
    """Names of the indices under a prefix.

    The index of a document is the month of its publication (UTC). So the same document always meets the same index, and
    `create` refuses a second copy however late it comes. A data stream, or an alias that rolls over, would write it to
    whatever index is newest: there the id is new again, and a redelivery after a rollover would be indexed twice.
    Retention is the deletion of old months, and needs nothing that only some servers have.
    """

    prefix: str

    @property
    def documents(self) -> str:
        """Pattern by which documents are read."""
        return f"{self.prefix}-documents-*"

    @property
    def decisions(self) -> str:
        """Pattern by which decisions are read."""
        return f"{self.prefix}-decisions-*"

    @property
    def alerts(self) -> str:
        """The index of alerts; they are few, so it is one."""
        return f"{self.prefix}-alerts"

    def of_document(self, document: ScoredDocument) -> str:
        """The index in which this document belongs."""
        return self.of_date(document.published_at)

    def of_date(self, published_at: datetime) -> str:
        """The index of documents published then."""
        return f"{self.prefix}-documents-{_month(published_at)}"

    def of_decision(self, decision: Decision) -> str:
        """The index in which this decision belongs: the month of its event time."""
        return f"{self.prefix}-decisions-{_month(decision.at)}"


def _month(instant: datetime) -> str:
    utc = instant.astimezone(UTC)
    return f"{utc.year:04d}.{utc.month:02d}"


def _documents(analyzers: Mapping[str, str]) -> dict[str, Any]:
    mapping: dict[str, Any] = {
        "dynamic": False,
        "properties": {
            "@timestamp": _DATE,
            "event": _object(id=_KEYWORD, created=_DATE, ingested=_DATE),
            "source": _object(name=_KEYWORD, id=_KEYWORD),
            "url": _object(full=_KEYWORD, domain=_KEYWORD),
            "title": _TEXT,
            "text": _TEXT,
            "author": _KEYWORD,
            "tags": _KEYWORD,
            "language": _object(code=_KEYWORD, confidence=_FLOAT),
            "sentiment": _object(label=_KEYWORD, score=_FLOAT, negative=_FLOAT, neutral=_FLOAT, positive=_FLOAT),
            "topic": _object(label=_KEYWORD, probability=_FLOAT, probabilities=_KEPT),
            "unscored": _object(reason=_KEYWORD, detail=_KEYWORD),
            "abstained": _object(head=_KEYWORD, reason=_KEYWORD, detail=_KEYWORD, confidence=_FLOAT, threshold=_FLOAT, probabilities=_KEPT),
            "duplicate_of": _KEYWORD,
            "entities": _object(id=_KEYWORD, name=_KEYWORD, matched=_KEYWORD),
            "model_id": _KEYWORD,
            "model_stage": _KEYWORD,
            "timings": _object(received_at=_DATE, scored_at=_DATE, enrich_ms=_FLOAT, score_ms=_FLOAT),
            "origin": _KEYWORD,
        },
    }
    if analyzers:
        # Title and text once more, under the document's own language only: `localized.de` is stemmed as German. A sub-field of
        # every language on every text would analyse it thirty times. It can be derived, so it is not stored.
        mapping["_source"] = {"excludes": ["localized"]}
        mapping["properties"]["localized"] = _object(
            **{language: {"type": "text", "analyzer": name} for language, name in sorted(analyzers.items())}
        )
    return mapping


_WATCHED = _object(kind=_KEYWORD, value=_KEYWORD, name=_KEYWORD)
_COUNTS = _object(start=_DATE, end=_DATE, documents=_INTEGER, negative=_INTEGER, share=_FLOAT)
_BASELINE = _object(start=_DATE, end=_DATE, documents=_INTEGER, negative=_INTEGER, share=_FLOAT, expected_share=_FLOAT)

_MEASURE = _object(
    signal=_KEYWORD,
    detector=_KEYWORD,
    value=_DOUBLE,
    expected=_DOUBLE,
    low=_DOUBLE,
    high=_DOUBLE,
    score=_FLOAT,
    p_value=_DOUBLE,
    baseline_minutes=_INTEGER,
    baseline_documents=_DOUBLE,
    explanation=_TEXT,
)

_ALERTS: dict[str, Any] = {
    "dynamic": False,
    "properties": {
        "@timestamp": _DATE,
        "id": _KEYWORD,
        "fingerprint": _KEYWORD,
        "rule": _KEYWORD,
        "status": _KEYWORD,
        "severity": _KEYWORD,
        "key": _WATCHED,
        "starts_at": _DATE,
        "observed": _COUNTS,
        "baseline": _BASELINE,
        "p_value": _DOUBLE,
        "evidence": _object(
            id=_KEYWORD,
            language=_KEYWORD,
            source=_KEYWORD,
            published_at=_DATE,
            score=_FLOAT,
            explanation=_object(
                words=_object(text=_KEYWORD, effect=_FLOAT, together=_INTEGER),
                turning=_KEYWORD,
                turned=_KEYWORD,
                score=_FLOAT,
                without=_FLOAT,
                model_id=_KEYWORD,
                reason=_KEYWORD,
            ),
        ),
        "languages": _KEPT,
        "sources": _KEPT,
        "summary": _TEXT,
        "ends_at": _DATE,
        "resent_at": _DATE,
        "revision": _INTEGER,
        "reason": _KEYWORD,
        "measure": _MEASURE,
        "independent_sources": _INTEGER,
        "independent_languages": _INTEGER,
        "flags": _KEYWORD,
        "terms": _object(term=_KEYWORD, documents=_INTEGER, before=_INTEGER, lift=_FLOAT),
        "topics": _KEPT,
        "series": _KEPT,
        "channels": _KEYWORD,
        "members": _object(id=_KEYWORD, fingerprint=_KEYWORD, rule=_KEYWORD, key=_WATCHED, severity=_KEYWORD, summary=_TEXT),
    },
}

_DECISIONS: dict[str, Any] = {
    "dynamic": False,
    "properties": {
        "@timestamp": _DATE,
        "id": _KEYWORD,
        "rule": _KEYWORD,
        "key": _WATCHED,
        "at": _DATE,
        "outcome": _KEYWORD,
        "observed": _COUNTS,
        "baseline": _BASELINE,
        "p_value": _DOUBLE,
        "explanation": _TEXT,
        "alert_id": _KEYWORD,
        "measure": _MEASURE,
        "checks": _KEPT,
    },
}


@dataclass(frozen=True, slots=True)
class Template:
    """An index template: its name, the pattern of its indices, and the body that ``PUT _index_template`` takes."""

    name: str
    pattern: str
    mapping: dict[str, Any]

    @property
    def body(self) -> dict[str, Any]:
        """Keyword arguments of the client's `put_index_template`."""
        return {
            "index_patterns": [self.pattern],
            # Above Elasticsearch's own templates (100), which would turn an index named logs-… into a data stream.
            "priority": 200,
            "version": VERSION,
            "meta": {"managed_by": "bellwether"},
            "template": {"settings": {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-1"}}, "mappings": self.mapping},
        }


def documents_template(names: Names, analyzers: Mapping[str, str]) -> Template:
    """Template of the documents.

    Args:
        names: names of the indices.
        analyzers: language to analyzer, as the server has them; empty: no language has a field of its own.
    """
    return Template(f"{names.prefix}-documents", names.documents, _documents(analyzers))


def alerts_template(names: Names) -> Template:
    """Template of the alerts."""
    return Template(f"{names.prefix}-alerts", names.alerts, _ALERTS)


def decisions_template(names: Names) -> Template:
    """Template of the decisions."""
    return Template(f"{names.prefix}-decisions", names.decisions, _DECISIONS)
