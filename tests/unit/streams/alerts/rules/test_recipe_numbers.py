"""The numbers of the recipes: their detectors hold in such a case, and not on the days that only look like it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from streams.alerts.detectors.registry import build
from streams.alerts.rules.reading import read_rules
from streams.alerts.tally import Buckets, Tally, View

DOCS = Path(__file__).resolve().parents[5] / "docs"
NOW = 29_000_040  # a full hour


class Day(NamedTuple):
    """Documents an hour and negative ones among them in the past, with a daily rhythm; then what the window holds."""

    usual: float
    usual_negative: float
    documents: int
    negative: int
    sources: int
    languages: int = 1


def spread(start: int, step: int, documents: np.ndarray, negative: np.ndarray) -> Buckets:
    return Buckets(start, step, documents, documents.copy(), negative, -negative * 0.8)


def view(path: Path, day: Day) -> View:
    rule = read_rules(path).rules[0]
    hop, size = rule.hop_minutes, rule.window_minutes // rule.hop_minutes
    start = NOW - rule.window_minutes
    first = start // 60 * 60 - rule.baseline_minutes
    hours = np.arange(first // 60, start // 60)
    rng = np.random.default_rng(5)
    rate = day.usual * (1 + 0.5 * np.sin(hours * 2 * math.pi / 24))
    documents = rng.poisson(rate).astype(float)
    negative = rng.binomial(documents.astype(int), day.usual_negative / day.usual if day.usual else 0.0).astype(float)
    lookback = build(rule).lookback
    recent_documents = np.full(size * lookback, 0.0)
    recent_negative = recent_documents.copy()
    recent_documents[-size:] = day.documents / size
    recent_negative[-size:] = day.negative / size
    return View(
        end=NOW,
        size=size,
        window=Tally(day.documents, day.documents, day.negative, -0.8 * day.negative),
        recent=spread(NOW - hop * size * lookback, hop, recent_documents, recent_negative),
        hours=spread(first, 60, documents, negative),
        known_since=first,
        world=Tally(10_000, 10_000, 3000, -500),
        sources=day.sources,
        languages=day.languages,
        negative_sources=min(day.sources, day.negative),
        negative_languages=day.languages,
    )


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("bank-run", Day(0.02, 0.01, 10, 9, sources=6)),
        ("bank-run", Day(1, 0.5, 30, 25, sources=12)),
        ("product-recall", Day(0.05, 0.02, 8, 2, sources=4)),
        ("product-recall", Day(0.005, 0.002, 6, 1, sources=3)),
        ("product-recall", Day(0.5, 0.2, 20, 12, sources=9)),
        ("earnings-shock", Day(2, 0.6, 40, 32, sources=15)),
        ("earnings-shock", Day(0.2, 0.05, 14, 12, sources=6)),
        ("short-seller-report", Day(0.02, 0.02, 7, 7, sources=4)),
        ("short-seller-report", Day(0.5, 0.3, 12, 11, sources=6)),
        ("currency-panic", Day(4, 2, 90, 75, sources=30, languages=6)),
        ("currency-panic", Day(0.3, 0.1, 18, 14, sources=8, languages=2)),
        ("silent-feed", Day(12, 3, 0, 0, sources=0, languages=0)),
        ("silent-feed", Day(60, 20, 3, 0, sources=1)),
    ],
)
def test_the_case_is_noticed_with_the_evidence_that_the_rule_asks_for(name: str, day: Day) -> None:
    path = DOCS / "rules" / f"{name}.yaml"
    rule = read_rules(path).rules[0]
    seen = view(path, day)
    assert day.documents >= rule.evidence.documents
    assert day.negative >= rule.evidence.negative
    assert day.sources >= rule.evidence.sources
    assert build(rule).possible(seen.window)
    found = build(rule).assess(seen)
    assert found.holds, found.explanation


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("bank-run", Day(6, 3, 12, 7, sources=6)),  # a bank that is always in the news
        ("bank-run", Day(0.02, 0.01, 10, 9, sources=2)),  # a rumour that two sources repeat
        ("product-recall", Day(4, 2, 30, 15, sources=9)),  # a maker of whom recalls are daily news
        ("earnings-shock", Day(2, 0.6, 40, 12, sources=15)),  # a leap in volume, a mixed tone: an ordinary quarter
        ("earnings-shock", Day(6, 1.8, 12, 9, sources=5)),  # a quiet day with a bad tone
        ("short-seller-report", Day(10, 6, 12, 9, sources=6)),
        ("currency-panic", Day(4, 2, 90, 40, sources=30, languages=6)),  # much is written, and as much of it calm
        ("currency-panic", Day(4, 2, 90, 75, sources=30, languages=1)),  # at home only
        ("currency-panic", Day(8, 5, 30, 22, sources=12, languages=3)),  # a headline of every day
        ("silent-feed", Day(0.5, 0.1, 0, 0, sources=0, languages=0)),  # a source that says little
        ("silent-feed", Day(12, 3, 25, 5, sources=1)),
    ],
)
def test_a_day_that_only_looks_like_it_is_not(name: str, day: Day) -> None:
    path = DOCS / "rules" / f"{name}.yaml"
    found = build(read_rules(path).rules[0]).assess(view(path, day))
    assert not found.holds, found.explanation
