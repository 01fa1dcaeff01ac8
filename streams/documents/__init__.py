"""The wire models: what travels on the topics and rests in the index. The only schema of the service.

A document is identified by what it is, not by when it came: :func:`document_id` gives the same id to the same document
wherever and however often it is delivered. An *origin* names one delivery (a record of the raw topic, or a row of the
journal); two deliveries of one document share the id and differ in the origin.
"""

from __future__ import annotations

from streams.documents.alerts import (
    Alert,
    AlertStatus,
    Baseline,
    Check,
    Decision,
    DecisionOutcome,
    Evidence,
    Explanation,
    Key,
    Measure,
    Member,
    Observation,
    Point,
    Series,
    Term,
    WordEffect,
)
from streams.documents.letters import DeadLetter
from streams.documents.raw import EARLIEST, MAX_BYTES, RawDocument, document_id, parse_raw
from streams.documents.scored import (
    Abstention,
    EntityMention,
    Language,
    Origin,
    Outcome,
    ScoredDocument,
    Sentiment,
    SentimentLabel,
    Timings,
    Topic,
    Unscored,
    read_scored,
)

__all__ = [
    "EARLIEST",
    "MAX_BYTES",
    "Abstention",
    "Alert",
    "AlertStatus",
    "Baseline",
    "Check",
    "DeadLetter",
    "Decision",
    "DecisionOutcome",
    "EntityMention",
    "Evidence",
    "Explanation",
    "Key",
    "Language",
    "Measure",
    "Member",
    "Observation",
    "Origin",
    "Outcome",
    "Point",
    "RawDocument",
    "ScoredDocument",
    "Sentiment",
    "SentimentLabel",
    "Series",
    "Term",
    "Timings",
    "Topic",
    "Unscored",
    "WordEffect",
    "document_id",
    "parse_raw",
    "read_scored",
]
