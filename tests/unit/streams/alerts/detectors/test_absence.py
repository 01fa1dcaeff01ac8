"""Silence: missed where much was expected, never where the key sleeps or where nothing is known."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from streams.alerts.detectors.absence import Absence
from streams.alerts.rules.detectors import AbsenceSpec
from streams.alerts.tally import NOTHING

from .conftest import START


def absence(signal="documents", **spec):
    return Absence(AbsenceSpec(type="absence", **spec), signal)


@pytest.fixture
def feed():
    """Twenty documents an hour by day, none between 22 and 6 o'clock, for two weeks."""
    hours = np.arange(14 * 24)
    return np.random.default_rng(1).poisson(np.where((hours % 24 >= 6) & (hours % 24 < 22), 20.0, 0.0)).astype(float)


def at(look, past, hour, count, minutes=180, **known):
    """The window that begins at `hour` of the day after `past`."""
    begun = np.zeros(hour) if hour else np.zeros(0)
    begun[6:] = 20.0
    hours = np.concatenate((past, begun))
    return look((count, 0), hours=hours, minutes=minutes, start=START + len(hours) * 60, **known)


def test_a_feed_that_falls_silent_by_day_is_missed(look, feed):
    found = absence().assess(at(look, feed, 12, 0))
    assert found.holds
    assert found.expected == pytest.approx(60, rel=0.15)
    assert found.low > 0
    assert "expected" in found.explanation


@pytest.mark.parametrize("hour", [0, 2, 22, 23])
def test_a_feed_that_sleeps_is_not(look, feed, hour):
    found = absence().assess(at(look, feed, hour, 0))
    assert not found.holds
    assert not found.near
    assert found.expected < 5


@pytest.mark.parametrize(("count", "holds"), [(0, True), (10, True), (55, False), (60, False), (200, False)])
def test_far_too_little_is_absence_too(look, feed, count, holds):
    assert absence().assess(at(look, feed, 12, count)).holds is holds


def test_a_sparse_feed_is_never_missed(look):
    sparse = np.random.default_rng(2).poisson(0.8, 14 * 24).astype(float)
    found = absence().assess(look((0, 0), hours=sparse, start=START + len(sparse) * 60))
    assert not found.holds
    assert found.p_value > 1e-3
    wanted = absence(min_expected=3.0).assess(look((0, 0), hours=sparse, start=START + len(sparse) * 60))
    assert "fewer than 3 expected" in wanted.explanation


@pytest.mark.parametrize("ago", [-60, 0, 60, 179])
def test_ignorance_is_not_silence(look, feed, ago):
    """The counts are complete only since a minute of the window, or of the hour before it."""
    view = at(look, feed, 12, 0)
    late = at(look, feed, 12, 0, known_since=view.start + ago)
    found = absence().assess(late)
    assert not found.holds
    assert found.p_value > 1e-4


def test_a_key_of_which_nothing_is_known_is_not_missed(look):
    found = absence().assess(look((0, 0)))
    assert not found.holds
    assert found.p_value == 1.0
    assert "not known" in found.explanation


def test_an_outage_of_two_days_is_still_missed(look):
    steady = np.random.default_rng(3).poisson(20.0, 14 * 24).astype(float)
    steady[-48:] = 0.0
    assert absence().assess(look((0, 0), hours=steady, start=START + len(steady) * 60)).holds


def test_a_past_outage_does_not_hide_the_next(look):
    steady = np.random.default_rng(4).poisson(20.0, 14 * 24).astype(float)
    steady[100:130] = 0.0
    assert absence().assess(look((0, 0), hours=steady, start=START + len(steady) * 60)).holds


def test_the_signal_is_the_number_of_documents_unless_the_rule_counts_the_negative_ones(look):
    hours = np.full(14 * 24, 20.0)
    view = look((60, 0), hours=hours, negative=hours / 2, start=START + len(hours) * 60)
    assert not absence("negative_share").assess(view).holds
    assert not absence("documents").assess(view).holds
    assert absence("negative").assess(view).holds


def test_ordinary_feeds_are_not_missed(look):
    """Every third hour of a month of a bursty feed with a rhythm."""
    rng = np.random.default_rng(5)
    hours = np.arange(6 * 168)
    means = 15 * np.exp(0.7 * np.sin(2 * np.pi * hours / 24)) * np.where((hours // 24) % 7 >= 5, 0.5, 1.0)
    counts = rng.poisson(means * rng.gamma(5.0, 0.2, len(means))).astype(float)
    detector = absence()
    found = [
        detector.assess(look((counts[end - 3 : end].sum(), 0), hours=counts[end - 3 - 336 : end - 3], start=START + (end - 3) * 60))
        for end in range(339, len(counts), 3)
    ]
    assert len(found) > 200
    assert not any(one.holds for one in found)
    assert np.mean([one.p_value <= 0.01 for one in found]) <= 0.03


def test_silence_must_be_judged_and_anything_is_possible():
    assert absence().judges_silence
    assert absence().possible(NOTHING)


@pytest.mark.parametrize("kind", ["steady", "bursty", "quiet by night"])
def test_the_false_alarm_rate_of_silence_is_about_what_the_p_value_says(look, kind):
    """A fresh past of three weeks for each judged window of nine hours."""
    rng = np.random.default_rng(6)
    hours = np.arange(21 * 24 + 9)
    means = np.full(len(hours), 6.0) if kind != "quiet by night" else np.where((hours % 24 >= 6) & (hours % 24 < 22), 9.0, 0.5)
    p_values = []
    for _ in range(250):
        bursts = np.repeat(rng.gamma(4.0, 0.25, len(hours) // 3), 3) if kind == "bursty" else 1.0
        counts = rng.poisson(means * bursts).astype(float)
        view = look((counts[-9:].sum(), 0), hours=counts[:-9], minutes=540, size=9, start=START)
        p_values.append(absence(baseline="21d").assess(view).p_value)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.08
    assert np.mean(np.array(p_values) <= 0.01) <= 0.03
    assert min(p_values) > 1e-4


def test_bursts_and_surges_of_the_past_do_not_hide_silence(look):
    rng = np.random.default_rng(12)
    past = rng.poisson(5.0, 21 * 24).astype(float)
    for begin in (60, 200, 380):
        past[begin : begin + 20] = rng.poisson(40.0, 20)
    found = absence(baseline="21d").assess(look((2, 0), hours=past, minutes=540, size=9))
    assert found.holds
    assert found.expected == pytest.approx(45.0, rel=0.3)


def test_after_days_of_much_the_usual_is_no_silence(look):
    """Three days of six times as much, and the level follows: what comes after them is far too little, but not next to nothing."""
    steady = np.random.default_rng(6).poisson(10.0, 28 * 24).astype(float)
    steady[-72:] *= 6
    start = START + len(steady) * 60
    usual, nothing = look((90, 0), hours=steady, minutes=540, start=start), look((5, 0), hours=steady, minutes=540, start=start)
    assert absence(baseline=timedelta(days=28)).assess(usual).holds
    found = absence(baseline=timedelta(days=28), max_part=0.15).assess(usual)
    assert not found.holds
    assert "more than 15% of it came" in found.explanation
    assert absence(baseline=timedelta(days=28), max_part=0.15).assess(nothing).holds
    assert "more than" not in absence(baseline=timedelta(days=28), max_part=0.15).assess(nothing).explanation
