"""A scored document as the alert engine sees it: small, flat, immutable."""

from __future__ import annotations

from typing import NamedTuple

from streams.documents import ScoredDocument, SentimentLabel

__all__ = ["Sighting", "sighting"]


class Sighting(NamedTuple):
    """One document.

    `minute` is its event time and `received` the moment at which the service received it: minutes since 1970-01-01 UTC,
    rounded down. `original` is the id of its family of near-copies (its own id where it is the first). `scored` tells
    whether it has a sentiment; `negative` and `score` (positive - negative, in [-1, 1]) mean something only then.
    `entities` are ids, `names` what each is called, in the same order; `tags` are case-folded, `tag_names` as written.
    Unknown texts are empty, never None.
    """

    id: str
    original: str
    minute: int
    received: int
    scored: bool
    negative: bool
    score: float
    source: str
    author: str = ""
    language: str = "und"
    topic: str = ""
    entities: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    tag_names: tuple[str, ...] = ()
    title: str = ""
    text: str = ""
    url: str = ""

    @property
    def copy(self) -> bool:
        """A near-copy of another document."""
        return self.original != self.id


def sighting(document: ScoredDocument) -> Sighting:
    """The sighting of `document`."""
    sentiment = document.sentiment
    return Sighting(
        id=document.id,
        original=document.duplicate_of or document.id,
        minute=int(document.published_at.timestamp() // 60),
        received=int(document.timings.received_at.timestamp() // 60),
        scored=sentiment is not None,
        negative=sentiment is not None and sentiment.label is SentimentLabel.NEGATIVE,
        score=sentiment.score if sentiment is not None else 0.0,
        source=document.source,
        author=document.author or "",
        language=document.language.code,
        topic=document.topic.label if document.topic is not None else "",
        entities=tuple(entity.id for entity in document.entities),
        names=tuple(entity.name for entity in document.entities),
        tags=tuple(tag.casefold() for tag in document.tags),
        tag_names=document.tags,
        title=document.title,
        text=document.text,
        url=document.url or "",
    )
