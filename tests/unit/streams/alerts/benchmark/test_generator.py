"""Made-up streams: the same for the same seed, in order, and with what was put into them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.benchmark.generator import Stream, late
from streams.alerts.benchmark.injection import Injected, inject, profile
from streams.alerts.benchmark.plan import KINDS, SHAPES, Plan, small, standard
from streams.alerts.benchmark.wording import key_names
from streams.alerts.sighting import Sighting

TINY = replace(small(), keys=3, days=16, warm_up=8, busiest=200.0)


def of_key(stream: Stream, key: str) -> list[Sighting]:
    return [one for one in stream.sightings() if key in one.entities]


def test_the_same_seed_gives_the_same_stream_and_another_one_does_not() -> None:
    first, again, other = (Stream.generate(TINY, seed) for seed in (5, 5, 6))
    assert list(first.sightings()) == list(again.sightings())
    assert first.incidents == again.incidents
    assert first.disturbances == again.disturbances
    assert list(first.sightings()) != list(other.sightings())


def test_documents_come_in_order_each_once_and_within_the_plan() -> None:
    documents = list(Stream.generate(TINY, 1).sightings())
    assert all(one.minute <= two.minute for one, two in pairwise(documents))
    assert len({one.id for one in documents}) == len(documents)
    assert documents[0].minute >= TINY.start
    assert documents[-1].minute < TINY.start + TINY.days * 1440
    assert all(one.minute <= one.received <= one.minute + 2 for one in documents)
    assert all((one.score < 0) == one.negative for one in documents if abs(one.score) > 0.25)
    assert all(-1.0 <= one.score <= 1.0 and one.title and one.source and one.author for one in documents)


def test_a_copy_follows_its_original() -> None:
    documents = list(Stream.generate(replace(TINY, stories=20.0), 2).sightings())
    seen = set()
    copies = 0
    for one in documents:
        seen.add(one.id)
        copies += one.copy
        assert one.original in seen
    assert copies > 100


def test_volumes_follow_zipf_and_the_hour_of_the_day() -> None:
    plan = Plan(keys=10, days=14, incidents=0, silences=0, bursts=0.0, stories=0.0, campaigns=0.0, outages=0.0, mentions=0.0)
    stream = Stream.generate(plan, 3)
    documents = list(stream.sightings())
    counts = Counter(one.entities[0] for one in documents)
    for rank in (0, 4, 9):
        assert counts[stream.keys[rank][0]] / plan.days == pytest.approx(plan.volume(rank), rel=0.4)
    hours = Counter(one.minute // 60 % 24 for one in documents)
    assert max(hours.values()) > 2 * min(hours.values())
    weekend = sum(one.minute // 1440 % 7 in {(plan.start // 1440 + 5) % 7, (plan.start // 1440 + 6) % 7} for one in documents)
    assert weekend / len(documents) < 2 / 7
    assert 0.2 < sum(one.negative for one in documents) / len(documents) < 0.4


def test_a_campaign_is_one_author_or_one_source() -> None:
    stream = Stream.generate(replace(TINY, campaigns=30.0), 4)
    flood = [one for one in stream.sightings() if one.id.startswith("campaign-")]
    by_name: dict[str, list[Sighting]] = {}
    for one in flood:
        by_name.setdefault(one.id.rsplit("-", 1)[0], []).append(one)
    assert len(by_name) > 5
    for name, documents in by_name.items():
        assert len({one.source for one in documents}) == 1
        assert (len({one.author for one in documents}) == 1) == (int(name.split("-")[1]) % 2 == 0)
        assert all(one.negative and not one.copy for one in documents)
        assert len(documents) >= 40


@pytest.mark.parametrize("kind", KINDS)
def test_an_incident_is_in_its_documents(kind: str) -> None:
    plan = replace(
        standard(), keys=7, days=28, warm_up=14, busiest=250.0, zipf=0.3, incidents=1, silences=2, bursts=0.0, stories=0.0, campaigns=0.0
    )
    plan = replace(plan, outages=0.0, mentions=0.0)
    found = 0
    for seed in range(2):
        stream = Stream.generate(plan, seed)
        documents = list(stream.sightings())
        for item in stream.incidents:
            if item.kind != kind or item.shape not in {"step", "ramp"}:
                continue
            found += 1
            own = [one for one in documents if one.entities[0] == item.key]
            during = [one for one in own if item.start <= one.minute < item.end]
            before = [one for one in own if plan.start <= one.minute < plan.start + plan.warm_up * 1440]
            rate = (len(during) / (item.end - item.start)) / (len(before) / (plan.warm_up * 1440))
            if kind == "silence":
                assert rate < 0.1
                continue
            assert (rate > 2.0) == (kind in {"volume", "both"})
            rise = sum(one.negative for one in during) / len(during) - sum(one.negative for one in before) / len(before)
            assert (rise > 0.15) == (kind in {"negative", "both"})
    assert found > 0


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(0, 3))
def test_incidents_of_a_key_do_not_meet(seed: int, keys: int, number: int) -> None:
    plan = replace(standard(), keys=keys, incidents=number)
    ids = [key for key, _ in key_names(keys)]
    found: list[Injected] = [item for _, item in inject(plan, ids, np.random.default_rng(seed))]
    assert found == sorted(found, key=lambda item: item.start)
    for key in ids:
        own = [item for item in found if item.key == key]
        assert all(later.start - earlier.end >= 4 * 1440 for earlier, later in pairwise(own))
    assert all(plan.start + plan.warm_up * 1440 <= item.start < item.end <= plan.start + plan.days * 1440 for item in found)


def test_shapes_rise_and_fall_as_they_are_called() -> None:
    assert set(SHAPES) == {"step", "ramp", "spike", "slow_burn"}
    assert (profile("step", 10) == 1.0).all()
    assert (np.diff(profile("ramp", 30)) >= 0).all()
    assert profile("ramp", 30)[0] < 0.1
    assert (np.diff(profile("spike", 30)) < 0).all()
    assert (profile("slow_burn", 5) < 1.0).all()


def test_late_documents_are_the_same_ones_in_the_order_of_arrival() -> None:
    documents = list(Stream.generate(TINY, 7).sightings())
    moved = late(documents, 1, 600)
    assert {one.id for one in moved} == {one.id for one in documents}
    assert moved != documents
    assert all(one.received <= two.received for one, two in pairwise(moved))
    assert all(0 <= one.received - one.minute <= 600 for one in moved)
    assert sum(one.received - one.minute > 30 for one in moved) > len(moved) * 0.05
    assert late(documents, 1, 600) == moved


def test_names_differ() -> None:
    names = key_names(130)
    assert len({key for key, _ in names}) == 130


def test_the_standard_stream_is_as_large_as_it_says() -> None:
    plan = standard()
    stream = Stream.generate(plan, 1)
    assert len(stream.incidents) == 12 * plan.incidents + plan.silences
    expected = sum(plan.volume(rank) for rank in range(plan.keys)) * plan.days
    assert 250_000 < expected < 400_000
