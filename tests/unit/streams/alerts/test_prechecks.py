"""What is done to save time never changes what is found: with and without it, the same notices and decisions."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streams.alerts import counting, tracker, votes
from streams.alerts.engine import Engine
from streams.alerts.frame import Frame
from streams.alerts.recent import Recent
from streams.alerts.rules.model import Rule
from streams.alerts.rules.ruleset import RuleSet
from streams.alerts.sighting import Sighting
from streams.alerts.tracker import Tracker

START = 29_000_000 // 1440 * 1440
DAYS = 3
LATENESS = 150
RULES: tuple[dict[str, Any], ...] = (
    {
        "name": "share",
        "detector": {"type": "share", "baseline": timedelta(days=2), "max_p_value": 0.05, "min_share": 0.4},
        "evidence": {"documents": 4, "negative": 2},
        "cool_down": timedelta(hours=4),
    },
    {
        "name": "surge",
        "signal": "documents",
        "detector": {"type": "seasonal", "baseline": timedelta(days=3), "max_p_value": 0.01, "min_factor": 1.5},
        "evidence": {"documents": 2},
        "cool_down": timedelta(hours=2),
    },
    {
        "name": "worse",
        "signal": "negative",
        "hop": timedelta(minutes=20),
        "detector": {"type": "seasonal", "baseline": timedelta(days=3), "max_p_value": 0.02, "min_factor": 1.2},
        "evidence": {"documents": 2},
    },
    {
        "name": "silent",
        "signal": "documents",
        "window": timedelta(hours=5),
        "evidence": {"documents": 0, "sources": 0, "languages": 0},
        "detector": {"type": "absence", "baseline": timedelta(days=3), "max_p_value": 0.02, "min_expected": 3.0},
    },
)


def rules() -> RuleSet:
    shared = {
        "group_by": ("entity",),
        "window": timedelta(hours=3),
        "hop": timedelta(hours=1),
        "allowed_lateness": timedelta(minutes=LATENESS),
        "counting": {"copy_weight": 0.25, "per_author": 2, "per_source": 5},
    }
    return RuleSet(tuple(Rule.model_validate({**shared, **fields}) for fields in RULES), {}, "test", "")


def stream(seed: int) -> list[Sighting]:
    """Days of three keys with their own pace, a burst, a silence and floods; as they arrive, some of them late."""
    choose = random.Random(seed)
    made: list[Sighting] = []
    for name in ("bank", "grid", "port"):
        pace = choose.uniform(0.5, 2.5)
        burst, dark = choose.uniform(1, DAYS) * 1440, choose.uniform(1, DAYS) * 1440
        minute = 0.0
        while minute < DAYS * 1440:
            inside = burst <= minute < burst + 200
            minute += choose.expovariate(pace * (6.0 if inside else 1.0) / 60.0)
            if dark <= minute < dark + 720 and choose.random() < 0.95:
                continue
            number = len(made)
            negative = choose.random() < (0.8 if inside else 0.3)
            copy = number > 0 and choose.random() < 0.1
            made.append(
                Sighting(
                    id=f"d{number}",
                    original=f"d{max(0, number - choose.randrange(1, 5))}" if copy else f"d{number}",
                    minute=START + int(minute),
                    received=START + int(minute),
                    scored=choose.random() < 0.95,
                    negative=negative,
                    score=-0.7 if negative else 0.3,
                    source=choose.choice(("wire", "paper", "blog", "daily")),
                    author=choose.choice(("", "", "", "ann", "bob")),
                    language="en",
                    entities=(name,),
                    names=(name,),
                    title=f"Headline {number}",
                )
            )
    return sorted(made, key=lambda item: item.minute + (choose.uniform(0, LATENESS) if choose.random() < 0.1 else 0.0))


def heard(items: list[Sighting], size: int) -> list[Any]:
    engine = Engine(rules())
    results = [engine.observe(items[first : first + size]) for first in range(0, len(items), size)]
    results.append(engine.advance(START + (DAYS + 1) * 1440))
    return [
        (
            [(turn.kind, turn.episode, turn.judgement.assessment) for turn in result.turns],
            [(alert.id, alert.revision, alert.reason) for alert in result.alerts],
            [decision.model_dump_json() for decision in result.decisions],
        )
        for result in results
    ]


def without(patch: pytest.MonkeyPatch) -> None:
    """No window is put aside by its unweighted sums or by what could be foreseen; every vote is weighed the long way, and who
    said something is always asked."""
    patch.setattr(Tracker, "pass_over", lambda *_: False)
    patch.setattr(Tracker, "rules_out", lambda *_: False)
    patch.setattr(Tracker, "_all_count", lambda *_: False)
    patch.setattr(Tracker, "_nothing_doubtful", lambda *_: False)
    patch.setattr(Recent, "covers", lambda *_: False)
    patch.setattr(Frame, "hears_voices", property(lambda _: True, lambda *_: None), raising=False)
    patch.setattr(counting, "_nothing_to_weigh", lambda *_: False)


def crowd(patch: pytest.MonkeyPatch) -> None:
    """Eight documents fill an hour."""
    patch.setattr(votes, "MAX_VOTES", 8)
    patch.setattr(votes, "_SLACK", 2)
    patch.setattr(tracker, "_FULL", 8 * votes.SIZE)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), size=st.sampled_from([20, 200]), crowded=st.booleans())
@example(seed=115, size=20, crowded=False)
def test_what_saves_time_changes_nothing_that_is_heard(seed: int, size: int, crowded: bool) -> None:
    items = stream(seed)
    with pytest.MonkeyPatch.context() as patch:
        if crowded:
            crowd(patch)
        quick = heard(items, size)
        without(patch)
        assert heard(items, size) == quick
    assert any(turns for turns, _, _ in quick) or any(decisions for _, _, decisions in quick)
