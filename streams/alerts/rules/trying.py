"""Holding a rule against a document that somebody thought of, before anything is deployed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from streams.alerts.rules.explaining import Finding, explain
from streams.alerts.rules.matching import Matcher
from streams.alerts.rules.model import Rule
from streams.alerts.sighting import Sighting, sighting
from streams.documents import Key, ScoredDocument
from streams.enrich.entities import Gazetteer
from streams.enrich.language import LanguageIdentifier
from streams.errors import BellwetherError

__all__ = ["Attempt", "Recogniser", "Trial", "attempts_of_file", "try_rule"]

_MEND = 'one JSON object a line, for example {"title": "…", "text": "…", "source": "wire", "tags": ["banks"], "language": "de"}'


@dataclass(frozen=True, slots=True)
class Attempt:
    """A document as somebody describes it. `entities` and `language` of None are recognised in the text."""

    text: str
    title: str = ""
    entities: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()
    language: str | None = None
    topic: str = ""
    source: str = "test"
    author: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a rule makes of a document: every condition with its answer, and the keys that it counts for."""

    sighting: Sighting
    finding: Finding
    keys: tuple[Key, ...]
    why_not: str


class Recogniser:
    """Finds entities and language as the score agent does.

    Args:
        gazetteer: file of known entities.

    Raises:
        BellwetherError: it cannot be read.
    """

    def __init__(self, gazetteer: Path) -> None:
        self._gazetteer = Gazetteer.load(gazetteer)
        self._languages: LanguageIdentifier | None = None

    def sighting(self, attempt: Attempt | ScoredDocument) -> Sighting:
        """`attempt` as the engine would see it; what is not given is recognised, except the topic, which takes the model."""
        if isinstance(attempt, ScoredDocument):
            return sighting(attempt)
        if attempt.entities is None:
            found = self._gazetteer.find(f"{attempt.title}\n{attempt.text}")
            ids, names = tuple(mention.id for mention in found), tuple(mention.name for mention in found)
        else:
            ids = names = attempt.entities
        return Sighting(
            id="test",
            original="test",
            minute=0,
            received=0,
            scored=True,
            negative=True,
            score=-1.0,
            source=attempt.source,
            author=attempt.author,
            language=attempt.language or self._language(f"{attempt.title}\n{attempt.text}"),
            topic=attempt.topic,
            entities=ids,
            names=names,
            tags=tuple(tag.casefold() for tag in attempt.tags),
            tag_names=attempt.tags,
            title=attempt.title,
            text=attempt.text,
        )

    def _language(self, text: str) -> str:
        if self._languages is None:
            self._languages = LanguageIdentifier()
        return self._languages.identify(text).code


def try_rule(rule: Rule, seen: Sighting) -> Trial:
    """Hold `seen` against `rule`, enabled or not."""
    finding = explain(rule.watch, seen)
    keys = tuple(key for _, key in Matcher([rule.model_copy(update={"enabled": True})]).match(seen))
    why_not = ""
    if not finding.matched:
        why_not = "it is not what the rule watches"
    elif not keys:
        why_not = f"it has no {' × '.join(rule.group_by)} that the rule groups by"
    return Trial(seen, finding, keys, why_not)


def attempts_of_file(path: Path) -> Iterator[Attempt | ScoredDocument]:
    """The documents of a file of JSON lines, plain or gzip; empty lines are left out.

    Raises:
        BellwetherError: it cannot be read, or a line is no document; names the line.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _read(line, f"{path}:{number}")
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise BellwetherError(f"{path}: cannot be read: {error}", mend="name a file of JSON lines, UTF-8, plain or gzip") from error


def _read(line: str, place: str) -> Attempt | ScoredDocument:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise BellwetherError(f"{place}: is not JSON: {error}", mend=_MEND) from error
    if not isinstance(found, dict) or not isinstance(found.get("text", found.get("title")), str):
        raise BellwetherError(f"{place}: is no document", mend=_MEND)
    if "model_id" in found:
        try:
            return ScoredDocument.model_validate(found)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise BellwetherError(f"{place}: is no scored document: {where}: {first['msg']}", mend=_MEND) from error
    return Attempt(
        text=_text(found, "text"),
        title=_text(found, "title"),
        entities=_texts(found["entities"]) if isinstance(found.get("entities"), list) else None,
        tags=_texts(found.get("tags")),
        language=_text(found, "language") or _text(found, "language_hint") or None,
        topic=_text(found, "topic"),
        source=_text(found, "source") or "test",
        author=_text(found, "author"),
    )


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else ()
