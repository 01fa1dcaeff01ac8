"""A small history with one incident, and rules for it."""

from __future__ import annotations

import random

import pytest

from streams.alerts.backtest.incidents import Incident
from streams.alerts.rules.reading import RuleSet, parse_rules
from streams.alerts.sighting import Sighting

START = 29_000_160
"""Midnight of a day, minutes since 1970-01-01 UTC."""
DAY = 1440

RULES = """
rules:
  - name: shares
    window: 3h
    detector: {type: share, max_p_value: 1.0e-4, baseline: 7d}
    evidence: {documents: 8}
    counting: {per_author: 0}
"""


def document(number: int, minute: int, key: str, negative: bool) -> Sighting:
    return Sighting(
        id=f"{number:06}",
        original=f"{number:06}",
        minute=minute,
        received=minute,
        scored=True,
        negative=negative,
        score=-0.8 if negative else 0.3,
        source=f"s{number % 7}",
        language=("en", "de", "zh")[number % 3],
        entities=(key,),
        names=(key.upper(),),
        title=f"{key} {'fraud probe widens' if negative else 'opens an office'} {number}",
    )


@pytest.fixture(scope="session")
def incident() -> Incident:
    return Incident("bank", START + 11 * DAY, START + 11 * DAY + 600)


@pytest.fixture(scope="session")
def history(incident: Incident) -> list[Sighting]:
    """Fifteen days of two keys, 24 documents a day each, a quarter negative; in the bank's incident six times as many, nine tenths."""
    chance = random.Random(7)
    found = []
    for key in ("bank", "soap"):
        for minute in range(START, START + 15 * DAY, 10):
            hit = key == incident.key and incident.start <= minute < incident.end
            for _ in range(1 if hit else int(chance.random() < 1 / 6)):
                found.append((minute, key, chance.random() < (0.9 if hit else 0.25)))
    return [document(number, minute, key, negative) for number, (minute, key, negative) in enumerate(sorted(found))]


@pytest.fixture(scope="session")
def rules() -> RuleSet:
    return parse_rules(RULES, "rules.yaml")
