"""Fixed limits, adjacent windows and breadth: what holds, what is near, and what is not known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.detectors.anomaly_score import from_p_value, from_ratio
from streams.alerts.detectors.breadth import Breadth
from streams.alerts.detectors.rate_of_change import RateOfChange
from streams.alerts.detectors.spike import Spike
from streams.alerts.detectors.threshold import Threshold
from streams.alerts.rules.detectors import BreadthSpec, RateOfChangeSpec, SpikeSpec, ThresholdSpec
from streams.alerts.tally import NOTHING, Tally

from .conftest import START


def threshold(signal="documents", **limits):
    return Threshold(ThresholdSpec(type="threshold", **limits), signal)


def change(signal="documents", **spec):
    return RateOfChange(RateOfChangeSpec(type="rate_of_change", **spec), signal)


def spike(signal="documents", **spec):
    return Spike(SpikeSpec(type="spike", **spec), signal)


class TestScores:
    @pytest.mark.parametrize("limit", [1e-5, 1e-3, 0.05])
    def test_half_is_where_the_rule_fires(self, limit):
        assert from_p_value(limit, limit) == pytest.approx(0.5)
        assert from_p_value(1.0, limit) == 0.0
        assert 0.9 < from_p_value(0.0, limit) < 1.0
        assert from_ratio(1.0) == 0.5
        assert from_ratio(-3.0) == 0.0

    @given(st.floats(0, 1), st.floats(0, 1), st.floats(1e-9, 0.5))
    def test_a_smaller_p_value_scores_no_less(self, one, other, limit):
        assert from_p_value(min(one, other), limit) >= from_p_value(max(one, other), limit)


class TestThreshold:
    @pytest.mark.parametrize(("count", "holds", "near"), [(51, True, False), (50, False, True), (40, False, True), (39, False, False)])
    def test_above(self, look, count, holds, near):
        found = threshold(above=50).assess(look((count, 0)))
        assert (found.holds, found.near) == (holds, near)
        assert (found.score > 0.5) == holds
        assert found.value == count
        assert (found.low, found.high) == (0.0, 50.0)

    @pytest.mark.parametrize(("count", "holds", "near"), [(9, True, False), (10, False, True), (12, False, True), (13, False, False)])
    def test_below(self, look, count, holds, near):
        found = threshold(below=10).assess(look((count, 0)))
        assert (found.holds, found.near) == (holds, near)

    def test_two_limits(self, look):
        detector = threshold(above=100, below=10)
        assert [detector.assess(look((count, 0))).holds for count in (5, 50, 150)] == [True, False, True]
        assert "above 100 and below 10" in detector.assess(look((50, 0))).explanation

    @pytest.mark.parametrize(
        ("signal", "window", "limits", "holds"),
        [
            ("negative_share", (20, 15), {"above": 0.7}, True),
            ("negative_share", (20, 14), {"above": 0.7}, False),
            ("mean_score", (20, 0, -12), {"below": -0.5}, True),
            ("mean_score", (20, 0, -8), {"below": -0.5}, False),
            ("mean_score", (20, 0, -8), {"above": -0.5}, True),
            ("negative", (20, 7), {"above": 6}, True),
        ],
    )
    def test_every_signal(self, look, signal, window, limits, holds):
        found = threshold(signal, **limits).assess(look(window))
        assert found.holds is holds
        assert found.low <= found.high

    @pytest.mark.parametrize(("signal", "limits"), [("negative_share", {"below": 0.2}), ("mean_score", {"above": -0.5})])
    def test_nothing_scored_is_nothing_known(self, look, signal, limits):
        found = threshold(signal, **limits).assess(look((0, 0)))
        assert not found.holds
        assert not found.near
        assert "nothing was scored" in found.explanation

    def test_a_window_that_is_not_wholly_known_cannot_be_too_quiet(self, look):
        assert threshold(below=10).assess(look((3, 0))).holds
        assert not threshold(below=10).assess(look((3, 0), known_since=START + 60)).holds
        assert threshold(above=2).assess(look((3, 0), known_since=START + 60)).holds

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 100), st.integers(0, 100), st.floats(-1, 1), st.floats(-50, 50))
    def test_what_possible_excludes_is_never_near(self, look, documents, negative, score, limit):
        window = (documents, min(documents, negative), score * documents)
        for signal in ("documents", "negative", "negative_share", "mean_score"):
            for limits in ({"above": limit}, {"below": limit}):
                detector = threshold(signal, **limits)
                view = look(window)
                found = detector.assess(view)
                assert detector.possible(view.window) or not (found.holds or found.near)
                assert 0.0 <= found.score <= 1.0
                assert all(map(math.isfinite, (found.expected, found.low, found.high)))


class TestRateOfChange:
    @pytest.mark.parametrize(
        ("before", "now", "holds", "near"), [(20, 60, True, False), (20, 59, False, True), (20, 47, False, False), (0, 15, True, False)]
    )
    def test_a_rise(self, look, before, now, holds, near):
        found = change(factor=3).assess(look((now, 0), before=[(before, 0)]))
        assert (found.holds, found.near) == (holds, near)
        assert found.expected == before

    @pytest.mark.parametrize("now", [1, 2, 5, 14])
    def test_a_few_after_none_are_no_rise(self, look, now):
        assert not change(factor=3).assess(look((now, 0), before=[(0, 0)])).holds

    @pytest.mark.parametrize(("before", "now", "holds"), [(60, 20, True), (60, 30, False), (60, 0, True), (4, 0, False), (0, 0, False)])
    def test_a_fall(self, look, before, now, holds):
        assert change(factor=1 / 3).assess(look((now, 0), before=[(before, 0)])).holds is holds

    @pytest.mark.parametrize(
        ("before", "now", "delta", "holds"),
        [
            ((20, 0, 4), (20, 0, -8), -0.5, True),
            ((20, 0, 4), (20, 0, -4), -0.5, False),
            ((20, 0, -4), (20, 0, 8), 0.5, True),
            ((20, 0, 4), (20, 0, -8), 0.5, False),
            ((4, 0, 4), (20, 0, -20), -0.5, False),
            ((20, 0, 4), (0, 0, 0), -0.1, False),
        ],
    )
    def test_a_moved_mean(self, look, before, now, delta, holds):
        assert change("mean_score", delta=delta).assess(look(now, before=[before])).holds is holds

    def test_a_share(self, look):
        assert change("negative_share", factor=2).assess(look((20, 12), before=[(20, 6)])).holds
        assert not change("negative_share", factor=2).assess(look((20, 11), before=[(20, 6)])).holds

    def test_an_unknown_window_before_is_no_silence(self, look):
        for since in (START - 60, START + 10):
            found = change(factor=3).assess(look((60, 0), before=[(0, 0)], known_since=since))
            assert not found.holds
            assert "not wholly known" in found.explanation
        assert not change(factor=3).assess(look((60, 0))).holds

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 60), st.integers(0, 60), st.sampled_from([{"factor": 3.0}, {"factor": 0.3}, {"delta": 10.0}, {"delta": -10.0}]))
    def test_what_possible_excludes_is_never_near(self, look, now, before, spec):
        view = look((now, 0), before=[(before, 0)])
        found = change(**spec).assess(view)
        assert change(**spec).possible(view.window) or not (found.holds or found.near)
        assert found.low <= found.expected or found.expected < 5


class TestSpike:
    """https://elastalert2.readthedocs.io, "Spike": two adjacent windows and a ratio."""

    @pytest.mark.parametrize(
        ("before", "now", "spec", "holds"),
        [
            (10, 30, {}, True),
            (10, 29, {}, False),
            (0, 1, {}, True),
            (0, 0, {}, False),
            (0, 1, {"threshold_ref": 1}, False),
            (10, 30, {"threshold_ref": 10}, True),
            (9, 30, {"threshold_ref": 10}, False),
            (1, 4, {"threshold_cur": 5}, False),
            (1, 5, {"threshold_cur": 5}, True),
            (30, 10, {}, False),
            (30, 10, {"spike_type": "down"}, True),
            (30, 11, {"spike_type": "down"}, False),
            (30, 0, {"spike_type": "down"}, True),
            (30, 10, {"spike_type": "both"}, True),
            (10, 30, {"spike_type": "both"}, True),
            (10, 30, {"spike_type": "down"}, False),
            (10, 40, {"spike_height": 5}, False),
        ],
    )
    def test_as_documented(self, look, before, now, spec, holds):
        view = look((now, 0), before=[(before, 0)])
        found = spike(**spec).assess(view)
        assert found.holds is holds
        assert found.expected == before
        assert spike(**spec).possible(view.window) or not found.holds

    def test_nothing_is_said_until_the_reference_window_was_filled(self, look):
        assert not spike().assess(look((30, 0), before=[(5, 0)], known_since=START - 100)).holds
        assert not spike().assess(look((30, 0))).holds
        assert spike().assess(look((30, 0), before=[(5, 0)], known_since=START - 180)).holds

    def test_negative_documents_where_the_rule_says_so(self, look):
        assert spike("negative").assess(look((100, 9), before=[(100, 3)])).holds
        assert not spike("documents").assess(look((100, 9), before=[(100, 3)])).holds


class TestBreadth:
    @pytest.mark.parametrize(
        ("sources", "languages", "holds", "near"), [(5, 2, True, False), (4, 2, False, True), (3, 2, False, False), (9, 1, False, False)]
    )
    def test_both_numbers_are_wanted(self, look, sources, languages, holds, near):
        detector = Breadth(BreadthSpec(type="breadth", min_sources=5, min_languages=2))
        found = detector.assess(look((20, 10), negative_sources=sources, negative_languages=languages))
        assert (found.holds, found.near) == (holds, near)
        assert found.value == sources
        assert found.p_value is None

    def test_fewer_negative_documents_than_sources_wanted_cannot_hold(self):
        detector = Breadth(BreadthSpec(type="breadth", min_sources=5))
        assert not detector.possible(Tally(100.0, 100.0, 3.0, 0.0))
        assert detector.possible(Tally(100.0, 100.0, 4.0, 0.0))
        assert not detector.possible(NOTHING)
