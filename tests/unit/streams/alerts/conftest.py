"""Scored documents and rules, made to order."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streams.alerts.rules.defaults import default_rules
from streams.alerts.rules.ruleset import RuleSet
from streams.alerts.sighting import Sighting, sighting
from streams.documents import EntityMention, Language, ScoredDocument, Sentiment, Timings, Unscored
from streams.settings import AlertSettings

START = datetime(2026, 3, 1, tzinfo=UTC)
MOODS = {"negative": (0.9, 0.06, 0.04), "neutral": (0.1, 0.8, 0.1), "positive": (0.04, 0.06, 0.9)}


def make_document(
    number: int | str,
    minute: float,
    mood: str | None = "neutral",
    *,
    entities: tuple[str, ...] = ("bank",),
    tags: tuple[str, ...] = (),
    source: str = "wire",
    language: str = "en",
    duplicate_of: int | str | None = None,
    received: float | None = None,
) -> ScoredDocument:
    """A document `minute` minutes after START."""
    at = START + timedelta(minutes=minute)
    seen = at if received is None else START + timedelta(minutes=received)
    negative, neutral, positive = MOODS[mood or "neutral"]
    return ScoredDocument(
        id=f"{number}",
        source=source,
        url=f"https://{source}.example/{number}",
        title=f"Headline {number}",
        text="Text.",
        published_at=at,
        tags=tags,
        language=Language(code=language, confidence=0.99),
        sentiment=Sentiment(negative=negative, neutral=neutral, positive=positive) if mood else None,
        unscored=None if mood else Unscored(reason="language.unknown"),
        duplicate_of=None if duplicate_of is None else f"{duplicate_of}",
        entities=tuple(EntityMention(id=name, name=name.title(), matched=name) for name in entities),
        model_id="test",
        timings=Timings(received_at=seen, scored_at=seen),
        origin=f"journal-0-{number}",
    )


def make_rules(**changed: object) -> RuleSet:
    """The rules that a service has without a rule file: negative share of entities, and of tags."""
    return default_rules(AlertSettings.model_validate(changed))


def make_sighting(*args: Any, **changed: Any) -> Sighting:
    """As `make_document`, for the engine."""
    return sighting(make_document(*args, **changed))


def make_crisis(seed: int = 1, *, days: int = 3, others: int = 8) -> list[ScoredDocument]:
    """In order of event time: ordinary days of many keys, then a crisis of ``bank`` that lasts four hours, then calm again."""
    rng = random.Random(seed)
    plan: list[tuple[float, str, tuple[str, ...], tuple[str, ...]]] = []
    names = ["bank", *(f"other{n}" for n in range(others))]
    for name in names:
        for _ in range(days * 14):
            mood = rng.choices(["negative", "neutral", "positive"], [0.2, 0.5, 0.3])[0]
            plan.append((rng.uniform(0, days * 1440), mood, (name,), ("banking",) if name in ("bank", "other1") else ("news",)))
    crisis = (days - 1) * 1440 + 600
    for _ in range(60):
        mood = rng.choices(["negative", "neutral", "positive"], [0.9, 0.06, 0.04])[0]
        plan.append((rng.uniform(crisis, crisis + 240), mood, ("bank",), ("banking",)))
    for _ in range(40):
        mood = rng.choices(["negative", "neutral", "positive"], [0.1, 0.5, 0.4])[0]
        plan.append((rng.uniform(crisis + 420, crisis + 700), mood, ("bank",), ("banking",)))
    plan.sort()
    languages = ("en", "de", "es", "zh", "ar")
    return [
        make_document(n, minute, mood, entities=entities, tags=tags, source=f"wire{n % 5}", language=languages[n % 5])
        for n, (minute, mood, entities, tags) in enumerate(plan)
    ]


@pytest.fixture
def document() -> Callable[..., ScoredDocument]:
    return make_document


@pytest.fixture
def seen() -> Callable[..., Sighting]:
    return make_sighting


@pytest.fixture
def rules() -> Callable[..., RuleSet]:
    return make_rules


@pytest.fixture
def crisis() -> Callable[..., list[Sighting]]:
    return lambda *args, **changed: [sighting(item) for item in make_crisis(*args, **changed)]
