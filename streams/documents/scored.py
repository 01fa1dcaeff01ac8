"""A document with everything the service knows about it, where it came from, and how its way ended."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, computed_field, model_validator

from streams.documents.wire import Lenient, Probability, Wire

__all__ = [
    "Abstention",
    "EntityMention",
    "Language",
    "Origin",
    "Outcome",
    "ScoredDocument",
    "Sentiment",
    "SentimentLabel",
    "Timings",
    "Topic",
    "Unscored",
    "read_scored",
]


class Origin(Wire):
    """One delivery of a document: where its raw record stands.

    ``journal`` origins are rows of the embedded journal, the others records of a Kafka topic.
    """

    topic: str
    partition: Annotated[int, Field(ge=0)] = 0
    offset: Annotated[int, Field(ge=0)]

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Read the form that ``str`` gives. Raises ValueError when it is not of that form."""
        topic, partition, offset = text.rsplit("-", 2)
        return cls(topic=topic, partition=int(partition), offset=int(offset))


class Outcome(StrEnum):
    """How the way of one delivery ended. Every delivery ends in exactly one of them."""

    INDEXED = "indexed"
    DUPLICATE = "duplicate"
    DEAD = "dead"
    FILTERED = "filtered"


class SentimentLabel(StrEnum):
    """The three classes of sentiment, in the order of the model's output."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


class Sentiment(Lenient):
    """Calibrated probabilities of the three classes; `score` = positive - negative, in [-1, 1].

    Both are computed: on the wire they are for others to read, and ignored when we read it.
    """

    negative: Probability
    neutral: Probability
    positive: Probability

    @computed_field  # type: ignore[prop-decorator]
    @property
    def label(self) -> SentimentLabel:
        """The most probable class."""
        # Written out: this is asked several times for every document, and iterating an enumeration is slow.
        if self.negative >= self.neutral and self.negative >= self.positive:
            return SentimentLabel.NEGATIVE
        return SentimentLabel.NEUTRAL if self.neutral >= self.positive else SentimentLabel.POSITIVE

    @computed_field  # type: ignore[prop-decorator]
    @property
    def score(self) -> float:
        """positive - negative, in [-1, 1]."""
        return max(-1.0, min(1.0, round(self.positive - self.negative, 6)))


class Topic(Wire):
    """Most probable topic (IPTC Media Topics, top level) and the probability of every topic."""

    label: str
    probabilities: dict[str, Probability]


class Language(Wire):
    """ISO 639-1 code (639-3 where there is none), or ``und`` when the identifier is unsure."""

    code: str
    confidence: Probability


class EntityMention(Wire):
    """A known entity that the text names: its id and name, and the words by which it was recognised."""

    id: str
    name: str
    matched: str


class Unscored(Wire):
    """Why a document has no sentiment: machine-readable reason and a detail to read.

    ``text.no_words``: there is nothing to score. ``language.unknown``, ``language.not_vouched``, ``confidence.low``: the model answered,
    but is not to be relied on; the answer stands under `ScoredDocument.abstained`.
    """

    reason: str
    detail: str = ""


class Abstention(Wire):
    """An answer that the model gave and the service does not: why, how sure the model was, and all its probabilities.

    `head` is ``sentiment`` or ``topic``; `reason` as in `Unscored`; `threshold` is the confidence that was asked for in this language.
    """

    head: str
    reason: str
    detail: str = ""
    confidence: Probability
    threshold: Probability | None = None
    probabilities: dict[str, Probability]


class Timings(Wire):
    """When the document passed the score agent (UTC), and the milliseconds that its batch spent there."""

    received_at: AwareDatetime
    scored_at: AwareDatetime
    enrich_ms: float = 0.0
    score_ms: float = 0.0


class ScoredDocument(Wire):
    """A document with everything the service knows about it.

    `sentiment` is absent exactly when `unscored` says why; `topic` too where there is nothing to score. What the model answered and
    is not relied on for stands in `abstained`: that sentiment or topic is absent then. `duplicate_of` is the id of the first document
    of which this one is a near-copy; its score is then the first one's. `model_stage` is the stage of the model's cascade that answered,
    ``encoder`` the last one; it is absent without a cascade, and where no stage was asked.
    """

    id: str
    source: str
    source_id: str | None = None
    url: str | None = None
    title: str
    text: str
    author: str | None = None
    published_at: AwareDatetime
    fetched_at: AwareDatetime | None = None
    tags: tuple[str, ...] = ()
    language: Language
    sentiment: Sentiment | None = None
    topic: Topic | None = None
    unscored: Unscored | None = None
    abstained: tuple[Abstention, ...] = ()
    duplicate_of: str | None = None
    entities: tuple[EntityMention, ...] = ()
    model_id: str
    model_stage: str | None = None
    timings: Timings
    origin: str

    @model_validator(mode="after")
    def _scored_or_explained(self) -> Self:
        if (self.sentiment is None) == (self.unscored is None):
            raise ValueError("a document has either a sentiment or a reason why it has none")
        return self


_REMEMBERED_BYTES = 16_384
"""Larger messages are read twice: thousands of them must not be kept."""


@lru_cache(maxsize=4096)
def _remembered(message: bytes) -> ScoredDocument:
    return ScoredDocument.model_validate_json(message)


def read_scored(message: bytes) -> ScoredDocument:
    """Read one scored message. The index and the watch agent read the same ones: the second gets the first's result.

    Raises:
        pydantic.ValidationError: it is not a scored document.
    """
    return _remembered(message) if len(message) <= _REMEMBERED_BYTES else ScoredDocument.model_validate_json(message)
