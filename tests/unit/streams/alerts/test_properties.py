"""What holds for every stream: the order of arrival, the batches, a kill and a redelivery never change what is found."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from streams.alerts.engine import Engine
from streams.alerts.rules.model import Rule
from streams.alerts.rules.ruleset import RuleSet
from streams.alerts.sighting import Sighting

START = 29_000_000 // 1440 * 1440
LATENESS = 150
END = START + 2 * 1440

RULES: tuple[dict[str, Any], ...] = (
    {
        "name": "share",
        "group_by": ("entity",),
        "window": timedelta(hours=1),
        "detector": {"type": "share", "baseline": timedelta(hours=12), "max_p_value": 0.3, "min_share": 0.4},
        "evidence": {"documents": 3},
        "counting": {"copy_weight": 0.25, "per_author": 2, "per_source": 4},
        "cool_down": timedelta(hours=2),
    },
    {
        "name": "many",
        "group_by": ("entity",),
        "signal": "documents",
        "window": timedelta(minutes=30),
        "hop": timedelta(minutes=10),
        "detector": {"type": "threshold", "above": 4.0},
        "evidence": {"documents": 0},
        "counting": {"per_author": 3},
        "for": timedelta(minutes=20),
        "cool_down": timedelta(0),
    },
    {
        "name": "few",
        "group_by": (),
        "signal": "documents",
        "window": timedelta(hours=1),
        "hop": timedelta(minutes=20),
        "detector": {"type": "threshold", "below": 3.0},
        "evidence": {"documents": 0, "sources": 0, "languages": 0},
        "counting": {"per_author": 0},
        "cool_down": timedelta(hours=1),
    },
    {
        "name": "silence",
        "group_by": ("entity",),
        "signal": "documents",
        "window": timedelta(hours=1),
        "hop": timedelta(minutes=30),
        "detector": {"type": "absence", "baseline": timedelta(hours=24), "max_p_value": 0.2, "min_expected": 1.0},
        "cool_down": timedelta(hours=1),
    },
)


def rule_set(*names: str) -> RuleSet:
    chosen = [fields for fields in RULES if not names or fields["name"] in names]
    rules = tuple(Rule.model_validate({**fields, "allowed_lateness": timedelta(minutes=LATENESS)}) for fields in chosen)
    return RuleSet(rules, {}, "test", "")


def stream(seed: int, count: int) -> list[Sighting]:
    """Calm and bursts of two keys, near-copies before and after their originals, authors who flood; in order of event time."""
    choose = random.Random(seed)
    made: list[Sighting] = []
    bursts = [choose.uniform(0, 900) for _ in range(3)]
    for number in range(count):
        minute = START + int(choose.choice(bursts) + choose.expovariate(1 / 40) if choose.random() < 0.6 else choose.uniform(0, 1500))
        scored = choose.random() < 0.9
        negative = scored and choose.random() < 0.5
        copy = number > 0 and choose.random() < 0.3
        made.append(
            Sighting(
                id=f"d{number}",
                original=f"d{choose.randrange(number)}" if copy else f"d{number}",
                minute=minute,
                received=minute,
                scored=scored,
                negative=negative,
                score=(-0.7 if negative else 0.3) if scored else 0.0,
                source=choose.choice(("wire", "paper", "blog")),
                author=choose.choice(("", "", "ann", "bob")),
                language=choose.choice(("en", "de")),
                entities=(named := choose.choice((("bank",), ("bank", "grid"), ("grid",)))),
                names=named,
                title=f"Headline {number}",
            )
        )
    return sorted(made, key=lambda item: item.minute)


def late(items: list[Sighting], seed: int) -> list[Sighting]:
    """The same documents, none later than the allowed lateness."""
    choose = random.Random(seed)
    return sorted(items, key=lambda item: item.minute + choose.uniform(0, LATENESS))


def feed(engine: Engine, items: list[Sighting], size: int) -> None:
    for first in range(0, len(items), size):
        engine.observe(items[first : first + size])


def found(engine: Engine) -> dict[str, Any]:
    """Episodes and sums of every key, of whatever is still kept."""
    result: dict[str, Any] = {}
    for name, watch in engine._watches.items():
        for key, tracker in watch.trackers.items():
            tracker.weigh()
            state = tracker.state
            assert [item.story for item in tracker.published] == state.stories(tracker.horizon), "what is told is what is found"
            hours = tracker.hourly(START // 60 - 24, 5 * 24)
            assert (hours[:, :3] >= 0).all()
            assert (hours[:, 0] >= hours[:, 1]).all()
            assert (hours[:, 1] >= hours[:, 2]).all()
            result[f"{name} {key}"] = (state.current, state.since, state.fired, state.past[-1:], np.round(hours, 4).tolist())
    return result


def final(items: list[Sighting], size: int, rules: RuleSet) -> dict[str, Any]:
    engine = Engine(rules)
    feed(engine, items, size)
    engine.advance(END)
    return found(engine)


SLOW = settings(
    max_examples=8, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate), suppress_health_check=[HealthCheck.too_slow]
)


@SLOW
@given(seed=st.integers(0, 10_000), count=st.integers(1, 120), order=st.integers(0, 1000), size=st.sampled_from([1, 5, 40, 500]))
def test_the_order_of_arrival_never_changes_the_final_state(seed: int, count: int, order: int, size: int) -> None:
    items = stream(seed, count)
    assert final(late(items, order), size, rule_set()) == final(items, 60, rule_set())


@SLOW
@example(seed=835, count=100, order=902, kills={5})  # a state that was saved before the horizon passed an episode's beginning
@given(seed=st.integers(0, 10_000), count=st.integers(5, 100), order=st.integers(0, 1000), kills=st.sets(st.integers(0, 12), max_size=6))
def test_a_kill_at_any_point_changes_nothing(seed: int, count: int, order: int, kills: set[int]) -> None:
    """Saved after every batch, killed after some of them, one batch of these delivered again."""
    items, size = late(stream(seed, count), order), 9
    batches = [items[first : first + size] for first in range(0, len(items), size)]
    whole = Engine(rule_set())
    expected = [notice for batch in batches for notice in told(whole.observe(batch))] + told(whole.advance(END))
    engine, store, heard = Engine(rule_set()), dict[str, bytes](), list[Any]()
    for number, batch in enumerate(batches):
        heard += told(engine.observe(batch))
        save(store, engine)
        if number in kills:
            engine = Engine(rule_set())
            engine.restore(store)
            again = engine.observe(batch)
            assert told(again) == []
            assert sum(again.ignored.values()) == len(batch)
    heard += told(engine.advance(END))
    assert heard == expected
    assert found(engine) == found(whole)


def told(result: Any) -> list[Any]:
    return [(turn.kind, turn.episode, str(turn.judgement.key), turn.judgement.view.window) for turn in result.turns] + [
        (alert.id, alert.revision, alert.reason) for alert in result.alerts
    ]


def save(store: dict[str, bytes], engine: Engine) -> None:
    for name, value in engine.changes().items():
        if value is None:
            store.pop(name, None)
        else:
            store[name] = value


@SLOW
@given(seed=st.integers(0, 10_000), count=st.integers(1, 80), order=st.integers(0, 1000))
def test_redelivery_changes_nothing(seed: int, count: int, order: int) -> None:
    items = late(stream(seed, count), order)
    choose = random.Random(order)
    noisy: list[Sighting] = []
    for place, item in enumerate(items):
        noisy.append(item)
        if choose.random() < 0.2:
            noisy += [other for other in items[max(0, place - 10) : place + 1] if other.minute > item.minute - LATENESS]
    assert final(noisy, 7, rule_set()) == final(items, 7, rule_set())


@pytest.mark.parametrize("seed", range(3))
def test_memory_and_state_stay_bounded(seed: int) -> None:
    """Weeks of a stream whose keys change: what is kept is what the windows, the lateness and the baseline ask for."""
    choose = random.Random(seed)
    engine, store, sizes = Engine(rule_set("share", "many")), dict[str, bytes](), list[int]()
    for day in range(28):
        items = [
            Sighting(
                id=f"{day}-{number}",
                original=f"{day}-{number}",
                minute=START + day * 1440 + number * 12,
                received=START + day * 1440 + number * 12,
                scored=True,
                negative=choose.random() < 0.3,
                score=0.0,
                source=f"source-{day}-{number % 7}",
                entities=(f"entity-{day // 3}-{number % 9}",),
                names=("Name",),
                title="Headline",
            )
            for number in range(120)
        ]
        engine.observe(items)
        save(store, engine)
        sizes.append(len([name for name in store if name.startswith(("rule|", "source|"))]))
    assert engine.keys <= 2 * 9 * 3
    assert max(sizes[14:]) <= 1.2 * max(sizes[5:14])
    assert not [name for name in store if "|entity:entity-0-" in name]
