"""Wire models as they rest in the index, and back.

A document's shape in the index is not its shape on the wire (see `mapping`), and it is written by the thousand a second: so it
is built field by field. Alerts and decisions keep the wire's shape, which pydantic writes and reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from streams.documents import Alert, Decision, ScoredDocument

__all__ = ["alert_from", "alert_source", "decision_from", "decision_source", "document_source", "explained_source"]


def document_source(document: ScoredDocument, ingested: str, analyzers: Mapping[str, str]) -> dict[str, Any]:
    """The ``_source`` of a document.

    Args:
        document: the document.
        ingested: time of the bulk request, ISO 8601 with zone.
        analyzers: languages that have a field of their own in the index.
    """
    timings = document.timings
    language = document.language
    event: dict[str, Any] = {"id": document.id, "ingested": ingested}
    source: dict[str, Any] = {"name": document.source}
    record: dict[str, Any] = {
        "@timestamp": document.published_at.isoformat(),
        "event": event,
        "source": source,
        "title": document.title,
        "text": document.text,
        "language": {"code": language.code, "confidence": language.confidence},
        "model_id": document.model_id,
        "timings": {
            "received_at": timings.received_at.isoformat(),
            "scored_at": timings.scored_at.isoformat(),
            "enrich_ms": timings.enrich_ms,
            "score_ms": timings.score_ms,
        },
        "origin": document.origin,
    }
    if document.model_stage is not None:
        record["model_stage"] = document.model_stage
    if document.fetched_at is not None:
        event["created"] = document.fetched_at.isoformat()
    if document.source_id is not None:
        source["id"] = document.source_id
    if document.url is not None:
        record["url"] = _url(document.url)
    if document.author is not None:
        record["author"] = document.author
    if document.tags:
        record["tags"] = document.tags
    if document.sentiment is not None:
        sentiment = document.sentiment
        record["sentiment"] = {
            "label": sentiment.label.value,
            "score": sentiment.score,
            "negative": sentiment.negative,
            "neutral": sentiment.neutral,
            "positive": sentiment.positive,
        }
    if document.topic is not None:
        probabilities = document.topic.probabilities
        record["topic"] = {
            "label": document.topic.label,
            "probability": probabilities.get(document.topic.label),
            "probabilities": probabilities,
        }
    if document.unscored is not None:
        record["unscored"] = {"reason": document.unscored.reason, "detail": document.unscored.detail}
    if document.abstained:
        record["abstained"] = [one.model_dump(exclude_none=True) for one in document.abstained]
    if document.duplicate_of is not None:
        record["duplicate_of"] = document.duplicate_of
    if document.entities:
        record["entities"] = [{"id": entity.id, "name": entity.name, "matched": entity.matched} for entity in document.entities]
    if language.code in analyzers:
        record["localized"] = {language.code: f"{document.title}\n{document.text}"}
    return record


def _url(address: str) -> dict[str, str]:
    try:
        domain = urlsplit(address).hostname
    except ValueError:  # a bracket without its partner: kept as it is, without a domain
        domain = None
    return {"full": address, "domain": domain} if domain else {"full": address}


def alert_source(alert: Alert) -> dict[str, Any]:
    """The ``_source`` of an alert: the wire form, and when it began as ``@timestamp``."""
    return {"@timestamp": alert.starts_at.isoformat(), **alert.model_dump(mode="json")}


def alert_from(source: Mapping[str, Any]) -> Alert:
    """Read what :func:`alert_source` wrote. Raises pydantic's ValidationError when something else stands there."""
    return Alert.model_validate({name: value for name, value in source.items() if name in Alert.model_fields})


def explained_source(source: Mapping[str, Any], alert: Alert) -> dict[str, Any] | None:
    """What :func:`alert_source` wrote, with the explanations of `alert` for those of its documents that have no words yet.

    None where there are none to add. The alert may have gone on since: its other documents and all else stay as they are.
    """
    found = {item.id: item.explanation for item in alert.evidence if item.explanation is not None and item.explanation.reason is None}
    evidence = [dict(item) for item in source.get("evidence", ())]
    changed = False
    for item in evidence:
        told = item.get("explanation")
        if item.get("id") in found and (told is None or told.get("reason") is not None):
            item["explanation"] = found[item["id"]].model_dump(mode="json")
            changed = True
    return {**source, "evidence": evidence} if changed else None


def decision_source(decision: Decision) -> dict[str, Any]:
    """The ``_source`` of a decision: the wire form, and its event time as ``@timestamp``."""
    return {"@timestamp": decision.at.isoformat(), **decision.model_dump(mode="json")}


def decision_from(source: Mapping[str, Any]) -> Decision:
    """Read what :func:`decision_source` wrote. Raises pydantic's ValidationError when something else stands there."""
    return Decision.model_validate({name: value for name, value in source.items() if name in Decision.model_fields})
