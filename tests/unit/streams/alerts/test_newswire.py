"""The sample newswire, with the sentiments that its author meant, and with a model that errs."""

from __future__ import annotations

import random
from functools import cache

import pytest

from streams.alerts.engine import Engine
from streams.alerts.rules.defaults import default_rules
from streams.alerts.sighting import sighting
from streams.documents import Alert, EntityMention, Language, RawDocument, ScoredDocument, Sentiment, Timings, Topic, parse_raw
from streams.errors import PermanentError
from streams.newswire import documents, entities, truths
from streams.settings import AlertSettings

MOODS = {"negative": (0.9, 0.06, 0.04), "neutral": (0.1, 0.8, 0.1), "positive": (0.04, 0.06, 0.9)}
CRISIS = "entity:caldrava-bank"


@cache
def readable() -> tuple[RawDocument, ...]:
    found = []
    for message in documents():
        try:
            found.append(parse_raw(message))
        except PermanentError:
            continue
    return tuple(found)


def scored(seed: int, wrong: float) -> list[ScoredDocument]:
    """Every item with its true sentiment, of which the part `wrong` is replaced by another class; copies err with their original."""
    rng = random.Random(seed)
    known, names = truths(), {entity.id: entity.name for entity in entities()}
    ids = {raw.url: raw.document_id for raw in readable()}
    moods: dict[str, str] = {}
    found = []
    for number, raw in enumerate(readable()):
        assert raw.url is not None
        truth = known[raw.url]
        root = truth.near_copy_of or raw.url
        if root not in moods:
            mood = known[root].sentiment
            moods[root] = rng.choice([name for name in MOODS if name != mood]) if rng.random() < wrong else mood
        negative, neutral, positive = MOODS[moods[root]]
        found.append(
            ScoredDocument(
                id=raw.document_id,
                source=raw.source,
                url=raw.url,
                title=raw.title,
                text=raw.text,
                published_at=raw.published_at,
                tags=raw.tags,
                language=Language(code=truth.language, confidence=1.0),
                sentiment=Sentiment(negative=negative, neutral=neutral, positive=positive),
                topic=Topic(label="economy", probabilities={"economy": 1.0}),
                duplicate_of=ids[truth.near_copy_of] if truth.near_copy_of else None,
                entities=tuple(EntityMention(id=name, name=names[name], matched=name) for name in truth.entities),
                model_id="truth",
                timings=Timings(received_at=raw.published_at, scored_at=raw.published_at),
                origin=f"journal-0-{number}",
            )
        )
    return found


def told(items: list[ScoredDocument], size: int | None = None) -> list[Alert]:
    """All alerts, those too that are told when the last hop is over."""
    engine = Engine(default_rules(AlertSettings()))
    size = size or len(items)
    alerts: list[Alert] = []
    for first in range(0, len(items), size):
        alerts += engine.observe([sighting(item) for item in items[first : first + size]]).alerts
    return [*alerts, *engine.advance(engine.next_end).alerts]


def firing(items: list[ScoredDocument], size: int | None = None) -> list[str]:
    return [str(alert.key) for alert in told(items, size) if alert.reason == "fired"]


def test_the_truth_raises_the_alert_of_the_crisis_and_nothing_else():
    alerts = told(scored(0, 0.0))
    alert = alerts[0]
    assert {str(item.key) for item in alerts} == {CRISIS}
    assert [item.reason for item in alerts] == ["fired", "silent"]
    crisis = {raw.document_id for raw in readable() if raw.url and truths()[raw.url].crisis}
    assert {item.id for item in alert.evidence} <= crisis
    assert len(alert.languages) >= 5
    assert len(alert.sources) >= 5


@pytest.mark.parametrize("seed", range(20))
def test_a_model_that_errs_in_every_seventh_document_raises_the_same(seed):
    assert firing(scored(seed, 0.15)) == [CRISIS]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_cut_into_batches_it_raises_the_same(size):
    assert firing(scored(3, 0.15), size) == [CRISIS]


@pytest.mark.parametrize("seed", range(10))
def test_partitions_that_run_ahead_of_each_other_raise_the_same(seed):
    """Four partitions, each in order, read in uneven steps: documents come up to half a day late."""
    rng = random.Random(seed)
    items = scored(seed, 0.1)
    lag = {part: rng.uniform(0, 12 * 3600) for part in range(4)}
    skewed = sorted(enumerate(items), key=lambda pair: pair[1].published_at.timestamp() + lag[pair[0] % 4])
    assert firing([item for _, item in skewed]) == [CRISIS]
