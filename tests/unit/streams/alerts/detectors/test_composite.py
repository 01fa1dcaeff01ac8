"""Several detectors at once, and what a p-value of several means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.detectors.composite import combined_p_value
from streams.alerts.detectors.registry import build
from streams.alerts.rules.model import Rule
from streams.alerts.tally import Tally

VOLUME = {"detector": {"type": "threshold", "above": 50}, "signal": "documents"}
SHARE = {"detector": {"type": "share"}}
BREADTH = {"detector": {"type": "breadth", "min_sources": 3}}
RISE = {"detector": {"type": "rate_of_change", "factor": 3}, "signal": "documents"}


def composite(*parts, **spec):
    return build(Rule.model_validate({"name": "x", "detector": {"type": "composite", "parts": list(parts), **spec}}))


def seen(look, documents=60, negative=50, sources=5):
    return look(
        (documents, negative),
        hours=np.full(100, 5.0),
        negative=np.full(100, 1.0),
        before=[(10, 2)],
        negative_sources=sources,
        negative_languages=1,
    )


def test_all_parts_must_hold(look):
    detector = composite(VOLUME, SHARE, BREADTH)
    assert detector.assess(seen(look)).holds
    assert not detector.assess(seen(look, documents=40, negative=35)).holds
    assert not detector.assess(seen(look, negative=12)).holds
    assert not detector.assess(seen(look, sources=2)).holds


def test_at_least_so_many(look):
    detector = composite(VOLUME, SHARE, BREADTH, at_least=2)
    assert detector.assess(seen(look, sources=1)).holds
    assert not detector.assess(seen(look, documents=40, negative=10)).holds
    assert detector.assess(seen(look, documents=20, negative=16)).holds


def test_near_is_where_parts_are_near(look):
    detector = composite(VOLUME, BREADTH)
    found = detector.assess(seen(look, documents=45))
    assert (found.holds, found.near) == (False, True)
    assert not detector.assess(seen(look, documents=20, negative=9)).near


def test_each_part_looks_at_its_own_signal_and_the_rules_own_leads(look):
    found = composite(VOLUME, SHARE, BREADTH).assess(seen(look))
    assert found.value == pytest.approx(50 / 60)
    assert found.expected == pytest.approx(0.2, abs=0.02)
    assert composite(VOLUME, RISE).assess(seen(look)).value == 60
    for part in ("threshold of documents holds", "share of negative share holds", "5 sources", "3 of 3 parts hold"):
        assert part in found.explanation


def test_the_p_value_is_that_of_the_parts_that_have_one(look):
    view = seen(look)
    share = build(Rule(name="x")).assess(view).p_value
    assert composite(VOLUME, SHARE, BREADTH).assess(view).p_value == pytest.approx(share)
    assert composite(VOLUME, SHARE, BREADTH, at_least=2).assess(view).p_value is None
    assert composite(VOLUME, BREADTH).assess(view).p_value is None


@pytest.mark.parametrize(
    ("p_values", "at_least", "expected"),
    [
        ([0.01, 0.2, 0.05], 3, 0.2),
        ([0.01, 0.2, 0.05], 1, 0.03),
        ([0.01, 0.2, 0.05], 2, 0.075),
        ([0.01, None, 0.05], 3, 0.05),
        ([0.01, None, 0.05], 2, 0.02),
        ([0.01, None, 0.05], 1, None),
        ([None, None], 2, None),
        ([0.9, 0.8], 1, 1.0),
    ],
)
def test_combined_p_values(p_values, at_least, expected):
    assert combined_p_value(p_values, at_least) == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize("correlation", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("at_least", [1, 2, 3])
def test_the_combined_p_value_keeps_its_promise_however_the_parts_depend(correlation, at_least):
    from scipy.stats import norm

    rng = np.random.default_rng(1)
    shared, own = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 3))
    p_values = norm.sf(correlation**0.5 * shared + (1 - correlation) ** 0.5 * own)
    combined = np.array([combined_p_value(list(row), at_least) for row in p_values])
    for level in (0.2, 0.05):
        assert np.mean(combined <= level) <= level + 3 * (level / 4000) ** 0.5


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 6), st.integers(1, 3))
def test_what_possible_excludes_is_never_near(look, documents, negative, sources, at_least):
    negative = min(documents, negative)
    detector = composite(VOLUME, SHARE, BREADTH, at_least=at_least)
    view = seen(look, documents, negative, min(sources, negative))
    found = detector.assess(view)
    assert detector.possible(view.window) or not (found.holds or found.near)
    assert found.holds or found.score <= 0.5 or found.near or view.window.share < 0.5


def test_it_wants_what_its_parts_want():
    assert composite(VOLUME, SHARE).lookback == 1
    assert composite(VOLUME, RISE).lookback == 2
    assert not composite(VOLUME, RISE).judges_silence


DETECTORS = {
    "threshold": {"above": 0.5},
    "rate_of_change": {"delta": 0.3},
    "seasonal": {},
    "share": {},
    "change_point": {},
    "return_period": {},
    "absence": {},
    "spike": {},
    "breadth": {},
    "composite": {"parts": [BREADTH, {"detector": {"type": "threshold", "above": 0.5}}]},
}
COUNTS = ("documents", "negative")
ONLY = {"share": ("negative_share",), "seasonal": COUNTS, "return_period": COUNTS, "absence": COUNTS, "spike": COUNTS}


@pytest.mark.parametrize(
    ("kind", "signal"),
    [(kind, signal) for kind in DETECTORS for signal in ONLY.get(kind, ("documents", "negative", "negative_share", "mean_score"))],
)
def test_the_registry_builds_every_detector_for_the_signals_it_can_judge(look, kind, signal):
    detector = build(Rule.model_validate({"name": "x", "signal": signal, "detector": {"type": kind, **DETECTORS[kind]}}))
    assert detector.name == kind
    view = look((30, 10, -3), hours=np.full(400, 10.0), negative=np.full(400, 2.0), before=[(30, 5, 1)] * detector.lookback)
    assert isinstance(detector.possible(Tally(30.0, 30.0, 10.0, -3.0)), bool)
    found = detector.assess(view)
    assert found.explanation
    assert found.low <= found.high


def test_every_kind_that_a_rule_may_write_is_built():
    kinds = Rule.model_json_schema()["properties"]["detector"]["discriminator"]["mapping"]
    assert set(kinds) == set(DETECTORS)
