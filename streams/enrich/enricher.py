"""Everything that is found out about a document before the model sees it, in one call for a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.documents import EntityMention, Language, RawDocument, Unscored
from streams.enrich.cleaning import clean, has_words, model_text
from streams.enrich.entities import DEFAULT_GAZETTEER, Gazetteer
from streams.enrich.language import UNKNOWN, LanguageIdentifier, canonical_code
from streams.enrich.near_duplicates import NearDuplicates
from streams.settings import EnrichSettings

__all__ = ["Arrival", "Enriched", "Enricher", "Failed", "Filtered", "Result"]

_ENTITY_REACH = 1000
"""Characters of the text in which entities are looked for, beside the title: a name in the fortieth paragraph is not what the
lead's sentiment is about."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A document that came in. `origin` is ``str(streams.documents.Origin)``."""

    raw: RawDocument
    origin: str


@dataclass(frozen=True, slots=True)
class Enriched:
    """A document with what is known about it before it is scored.

    `title` and `text` are clean and stored; `model_text` is what the model reads. `unscored` says why no model should.
    """

    raw: RawDocument
    origin: str
    id: str
    title: str
    text: str
    model_text: str
    language: Language
    entities: tuple[EntityMention, ...] = ()
    duplicate_of: str | None = None
    unscored: Unscored | None = None


@dataclass(frozen=True, slots=True)
class Filtered:
    """A document that the settings ask to leave out. `reason` begins with ``filtered.``."""

    raw: RawDocument
    origin: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A document that could not be enriched; it belongs on the dead-letter topic. `reason` is ``enrich.failed``."""

    raw: RawDocument
    origin: str
    reason: str
    detail: str


Result = Enriched | Filtered | Failed


class Enricher:
    """Cleans, identifies the language, recognises entities and near-copies. Synchronous; one thread.

    Args:
        settings: what to find out.

    Raises:
        BellwetherError: the gazetteer or the language model cannot be read.
    """

    def __init__(self, settings: EnrichSettings) -> None:
        self._keep = frozenset(canonical_code(code) for code in settings.languages)
        self._languages = LanguageIdentifier(settings.min_language_confidence, settings.languages)
        self._gazetteer = Gazetteer.load(settings.entities or DEFAULT_GAZETTEER)
        self._near = (
            NearDuplicates(threshold=settings.near_duplicate_threshold, window=settings.near_duplicate_window)
            if settings.near_duplicates
            else None
        )

    def enrich(self, arrivals: Sequence[Arrival]) -> list[Result]:
        """One result for each arrival, in the same order.

        A document that cannot be enriched becomes a :class:`Failed` and does not hurt the others. A document that is delivered
        again gets the answer it got the first time, as long as it is remembered.
        """
        results: list[Result] = []
        for arrival in arrivals:
            try:
                results.append(self._one(arrival))
            except Exception as error:  # noqa: BLE001 - whatever one document provokes must stay with that document
                results.append(Failed(arrival.raw, arrival.origin, "enrich.failed", f"{type(error).__name__}: {error}"[:500]))
        return results

    def remember(self, document_id: str, title: str, text: str) -> None:
        """Take an indexed document into the near-duplicate memory, oldest first, to go on after a restart.

        Args:
            document_id: the document's id.
            title: title as it is stored.
            text: text as it is stored.
        """
        if self._near is not None and has_words(f"{title} {text}"):
            self._near.check(document_id, title, text, names=self._names(self._entities(title, text)))

    def _one(self, arrival: Arrival) -> Result:
        raw = arrival.raw
        title, text = clean(raw.title), clean(raw.text)
        if not has_words(title) and not has_words(text):
            unscored = Unscored(reason="text.no_words", detail="no letters in the text beside addresses and mentions")
            language = Language(code=UNKNOWN, confidence=0.0)
            if self._keep:
                return self._filtered(arrival, language)
            return Enriched(raw, arrival.origin, raw.document_id, title, text, model_text(title, text), language, unscored=unscored)
        read = model_text(title, text)
        language = self._languages.identify(read, raw.language_hint)
        if self._keep and language.code not in self._keep:
            return self._filtered(arrival, language)
        entities = self._entities(title, text)
        identity = raw.document_id
        duplicate_of = None if self._near is None else self._near.check(identity, title, text, names=self._names(entities))
        return Enriched(raw, arrival.origin, identity, title, text, read, language, entities, duplicate_of)

    def _entities(self, title: str, text: str) -> tuple[EntityMention, ...]:
        return self._gazetteer.find(f"{title}\n{text[:_ENTITY_REACH]}" if title else text[:_ENTITY_REACH])

    @staticmethod
    def _names(entities: tuple[EntityMention, ...]) -> frozenset[str]:
        return frozenset(entity.id for entity in entities)

    def _filtered(self, arrival: Arrival, language: Language) -> Filtered:
        detail = f"language {language.code} ({language.confidence:.2f}) is not among {', '.join(sorted(self._keep))}"
        return Filtered(arrival.raw, arrival.origin, "filtered.language", detail)
