"""Volumes against the same hours of the past: calibrated, robust to past incidents, honest where little is known."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.detectors.expectation import Rhythm, known_hours
from streams.alerts.detectors.seasonal import LEAST_EXPECTED, Seasonal
from streams.alerts.rules.detectors import SeasonalSpec
from streams.alerts.tally import Tally

from .conftest import START

WEEK = 168


def seasonal(signal="documents", **spec):
    return Seasonal(SeasonalSpec(type="seasonal", **spec), signal)


def rates(rate, weeks, *, day=0.6, weekend=0.5, growth=1.0):
    """Documents an hour to expect: hours 0 ... , a rhythm of day and week, and growth over the whole time."""
    hours = np.arange(weeks * WEEK)
    rhythm = np.exp(day * np.sin(2 * np.pi * hours / 24)) * np.where((hours // 24) % 7 >= 5, weekend, 1.0)
    return rate * rhythm * growth ** (hours / len(hours))


def scatter(rng, means, dispersion=0.0):
    return rng.poisson(means * rng.gamma(1 / dispersion, dispersion, len(means)) if dispersion else means).astype(float)


def windows(look, counts, *, hours=3, every=3, days=28):
    """Views of all windows of `hours` hours that have `days` days before them."""
    for end in range(days * 24 + hours, len(counts) + 1, every):
        first = end - hours
        yield look(
            (counts[first:end].sum(), 0), hours=counts[max(0, first - days * 24) : first], minutes=hours * 60, start=START + first * 60
        )


@pytest.mark.parametrize(
    ("rate", "dispersion", "growth"),
    [(0.3, 0.0, 1.0), (2.0, 0.0, 1.0), (50.0, 0.0, 1.0), (5.0, 0.5, 1.0), (50.0, 0.3, 1.0), (20.0, 0.1, 3.0)],
    ids=["0.3 an hour", "2 an hour", "50 an hour", "bursty 5 an hour", "bursty 50 an hour", "growing"],
)
def test_the_false_alarm_rate_is_about_what_the_p_value_says(look, rate, dispersion, growth):
    """Ordinary streams with a rhythm of day and week. Past the p of 0.01 at most 2.5 times as many as promised."""
    rng = np.random.default_rng(int(rate * 10))
    detector = seasonal()
    p_values = np.array(
        [
            detector.assess(view).p_value
            for _ in range(3)
            for view in windows(look, scatter(rng, rates(rate, 6, growth=growth), dispersion), every=4)
        ]
    )
    assert len(p_values) == 252
    assert np.mean(p_values <= 0.1) <= 0.16
    assert np.mean(p_values <= 0.01) <= 0.028
    assert np.mean(p_values <= 1e-4) <= 1 / 252
    assert p_values.min() > 2e-6
    assert p_values.min() < 0.5


@pytest.mark.parametrize(("rate", "factor"), [(2.0, 7.0), (10.0, 4.0), (100.0, 2.0), (1000.0, 2.0)])
def test_a_surge_is_found_and_a_slump_where_it_is_asked_for(look, rate, factor):
    rng = np.random.default_rng(3)
    ordinary = rates(rate, 5, day=0.3)
    up, both, down = seasonal(), seasonal(direction="both"), seasonal(direction="down")
    views = [(look, scatter(rng, ordinary)) for _ in range(5)]
    for make, counts in views:
        past, expected = counts[:-6], ordinary[-6:].sum()
        start = START + len(past) * 60
        surge = make((rng.poisson(factor * expected), 0), hours=past, minutes=360, start=start)
        assert up.assess(surge).holds
        assert both.assess(surge).holds
        assert not down.assess(surge).holds
        slump = make((0, 0), hours=past, minutes=360, start=start)
        assert not up.assess(slump).holds
        assert down.assess(slump).holds == (expected > 11)


def test_the_hour_of_the_week_is_told_apart(look):
    """Ten documents are usual on weekday noon, and a sensation at night or on a Sunday."""
    means = np.zeros(5 * WEEK) + 0.2
    hours = np.arange(len(means))
    busy = ((hours // 24) % 7 < 5) & (hours % 24 >= 8) & (hours % 24 < 18)
    means[busy] = 10.0
    counts = scatter(np.random.default_rng(4), means)
    detector = seasonal()
    for at, holds in ((4 * WEEK + 12, False), (4 * WEEK + 36, False), (4 * WEEK + 2, True), (4 * WEEK + 5 * 24 + 12, True)):
        found = detector.assess(look((12, 0), hours=counts[:at], minutes=60, start=START + at * 60))
        assert found.holds is holds
        assert found.expected == pytest.approx(means[at], rel=0.5, abs=1.0)


@pytest.mark.parametrize("seasonality", ["auto", "hour_of_week", "hour_of_day", "none"])
def test_the_rhythm_that_the_rule_names_is_used(look, seasonality):
    weekly = seasonality in ("auto", "hour_of_week")
    means = rates(100.0, 4, day=0.8, weekend=0.4 if weekly else 1.0)
    counts = scatter(np.random.default_rng(5), means)
    morning = seasonal(seasonality=seasonality).assess(look((1, 0), hours=counts, minutes=360, start=START + len(counts) * 60)).expected
    flat = means.mean() * 6
    expected = flat if seasonality == "none" else means[:6].sum()
    assert expected != pytest.approx(flat, rel=0.2) or seasonality == "none"
    assert morning == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("ago", [30, 100, WEEK, 3 * WEEK])
def test_a_past_incident_does_not_mask_the_next(look, ago):
    rng = np.random.default_rng(6)
    counts = scatter(rng, rates(10.0, 4))
    clean = look((150, 0), hours=counts, start=START + len(counts) * 60)
    counts = counts.copy()
    counts[len(counts) - ago : len(counts) - ago + 12] *= 20
    stained = look((150, 0), hours=counts, start=START + len(counts) * 60)
    before, after = seasonal().assess(clean), seasonal().assess(stained)
    assert before.holds
    assert after.holds
    assert after.expected == pytest.approx(before.expected, rel=0.25)


def test_a_past_outage_makes_no_ordinary_hour_a_surge(look):
    rng = np.random.default_rng(7)
    counts = scatter(rng, rates(40.0, 4))
    for first in range(0, 4 * WEEK, WEEK):
        counts[first + 30 : first + 38] = 0 if first == 2 * WEEK else counts[first + 30 : first + 38]
    counts[2 * WEEK + 50 : 2 * WEEK + 80] = 0
    start = START + len(counts) * 60
    found = seasonal().assess(look((rates(40.0, 5)[4 * WEEK : 4 * WEEK + 3].sum().round(), 0), hours=counts, start=start))
    assert found.p_value > 0.05


def test_drift_is_followed(look):
    """A key that grew fivefold in four weeks: today's level is expected, not the mean of the past."""
    means = rates(20.0, 4, growth=5.0)
    counts = scatter(np.random.default_rng(8), means)
    found = seasonal().assess(look((330, 0), hours=counts, start=START + len(counts) * 60))
    now = 100 * np.exp(0.6 * np.sin(2 * np.pi * np.arange(3) / 24)).sum()
    assert found.expected == pytest.approx(now, rel=0.2)
    assert not found.holds


def test_a_lasting_step_becomes_ordinary(look):
    counts = scatter(np.random.default_rng(9), np.concatenate((np.full(24 * 24, 10.0), np.full(4 * 24, 40.0))))
    found = seasonal().assess(look((120, 0), hours=counts, start=START + len(counts) * 60))
    assert found.expected == pytest.approx(120, rel=0.2)
    assert not found.holds


def test_bursty_feeds_do_not_cry_wolf(look):
    """What would be a sensation for a steady feed is an ordinary day for one that bursts."""
    rng = np.random.default_rng(10)
    steady = scatter(rng, np.full(4 * WEEK, 20.0))
    bursty = scatter(rng, np.full(4 * WEEK, 20.0), dispersion=2.0)
    start = START + 4 * WEEK * 60
    calm, wild = (seasonal().assess(look((150, 0), hours=counts, start=start)) for counts in (steady, bursty))
    assert calm.holds
    assert not wild.holds
    assert wild.high > 1.3 * calm.high


@pytest.mark.parametrize("hours", [0, 1, 3, 12, 24, 48, 96])
def test_little_past_means_little_certainty(look, hours):
    """Four times as much as in the few hours that are known proves nothing for the first day; ordinary never fires."""
    counts = scatter(np.random.default_rng(11), np.full(hours, 20.0))
    start = START + hours * 60
    ordinary, surge = (seasonal().assess(look((count, 0), hours=counts, start=start)) for count in (60, 240))
    assert not ordinary.holds
    assert surge.holds == (hours > 48)
    assert surge.baseline_minutes == hours * 60
    if hours:
        longer = seasonal().assess(look((240, 0), hours=scatter(np.random.default_rng(11), np.full(672, 20.0)), start=START + 672 * 60))
        assert surge.p_value > longer.p_value
        assert surge.high > longer.high


def test_zeros_before_the_key_is_known_are_ignorance(look):
    counts = np.concatenate((np.zeros(500), scatter(np.random.default_rng(12), np.full(172, 20.0))))
    start = START + len(counts) * 60
    known = look((60, 0), hours=counts, start=start, known_since=start - 172 * 60)
    found = seasonal().assess(known)
    assert found.baseline_minutes == 172 * 60
    assert found.expected == pytest.approx(60, rel=0.2)
    assert seasonal().assess(look((60, 0), hours=counts, start=start)).baseline_minutes == 672 * 60
    blind = look((60, 0), hours=counts, start=start, known_since=start)
    assert not seasonal().assess(blind).holds
    assert seasonal().assess(blind).p_value == 1.0


def test_a_window_that_began_before_the_key_is_known_cannot_be_too_quiet(look):
    counts = scatter(np.random.default_rng(13), np.full(672, 20.0))
    start = START + len(counts) * 60
    assert seasonal(direction="down").assess(look((5, 0), hours=counts, start=start)).holds
    assert not seasonal(direction="down").assess(look((5, 0), hours=counts, start=start, known_since=start + 10)).holds


@pytest.mark.parametrize("past", [0, 5, 24, 168, 672])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_from_none_to_one_is_nothing(look, past, count):
    found = seasonal().assess(look((count, 0), hours=np.zeros(past), start=START + past * 60))
    assert not found.holds
    assert found.p_value > 1e-5


def test_the_factor_must_be_reached(look):
    counts = scatter(np.random.default_rng(14), np.full(672, 2000.0))
    view = look((8400, 0), hours=counts, start=START + 672 * 60)
    assert not seasonal().assess(view).holds
    assert seasonal().assess(view).near
    assert seasonal(min_factor=1.2).assess(view).holds
    assert "1.5" in seasonal().assess(view).explanation


def test_the_negative_ones_alone(look):
    counts = np.full(672, 20.0)
    view = look((60, 40), hours=counts, negative=np.full(672, 2.0), start=START + 672 * 60)
    assert seasonal("negative").assess(view).holds
    assert not seasonal("documents").assess(view).holds


def test_only_the_rules_own_baseline_counts(look):
    counts = np.concatenate((np.full(336, 100.0), np.full(336, 10.0)))
    view = look((30, 0), hours=counts, start=START + 672 * 60)
    assert seasonal(baseline=timedelta(days=14)).assess(view).baseline_minutes == 336 * 60
    assert seasonal(baseline=timedelta(days=14)).assess(view).expected == pytest.approx(30, rel=0.01)


@pytest.mark.parametrize(("minutes", "offset"), [(15, 0), (60, 20), (180, 45), (1440, 10), (4320, 0), (14400, 30)])
def test_windows_of_any_length_and_place(look, minutes, offset):
    means = rates(30.0, 5)
    start = START + 4 * WEEK * 60 + offset
    view = look((10, 0), hours=means[: 4 * WEEK], minutes=minutes, size=1, start=start)
    cumulated = np.concatenate(([0.0], np.cumsum(np.tile(means[:WEEK], 3))))
    expected = np.subtract(*np.interp([(offset + minutes) / 60, offset / 60], np.arange(len(cumulated)), cumulated))
    assert seasonal().assess(view).expected == pytest.approx(expected, rel=0.05)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 700), st.integers(0, 2**32 - 1), st.floats(0, 3), st.integers(0, 10_000), st.sampled_from(["up", "down", "both"]))
def test_bounds_hold_for_any_past(look, hours, seed, digits, count, direction):
    rng = np.random.default_rng(seed)
    counts = rng.negative_binomial(0.5, 0.5 / (0.5 + 10**digits), hours).astype(float)
    detector = seasonal(direction=direction)
    view = look((count, 0), hours=counts, start=START + hours * 60)
    found = detector.assess(view)
    assert 0.0 <= found.p_value <= 1.0
    assert 0.0 <= found.score < 1.0
    assert 0.0 <= found.low <= found.high
    assert math.isfinite(found.expected)
    assert found.expected >= 0.0
    assert detector.possible(view.window) or not (found.holds or found.near)
    assert found == seasonal(direction=direction).assess(view)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 400), st.integers(1, 400))
def test_more_is_never_less_unusual(look, count, more):
    counts = scatter(np.random.default_rng(15), rates(10.0, 4))
    start = START + len(counts) * 60
    fewer, many = (seasonal().assess(look((value, 0), hours=counts, start=start)).p_value for value in (count, count + more))
    assert many <= fewer + 1e-12


def test_what_possible_asks_for_is_what_endless_silence_makes_unusual():
    detector = seasonal()
    assert not detector.possible(Tally(4.0, 4.0, 4.0, 0.0))
    assert detector.possible(Tally(5.0, 5.0, 5.0, 0.0))
    assert seasonal(direction="down").possible(Tally(0.0, 0.0, 0.0, 0.0))
    assert LEAST_EXPECTED == 0.5


@pytest.mark.parametrize(("since", "known"), [(0, 10), (-1000, 10), (1, 9), (60, 9), (61, 8), (600, 0), (10_000, 0)])
def test_known_hours(since, known):
    assert known_hours(0, 10, since) == known


def test_the_same_past_gives_the_same_rhythm_wherever_the_week_begins():
    """Nothing depends on the calendar, only on distances in time: the window's hour is counted back by days and weeks."""
    counts = scatter(np.random.default_rng(16), rates(10.0, 4))
    one, other = Rhythm(counts, 0, "auto"), Rhythm(counts, 60 * 12345, "auto")
    assert one.expect(30, 210) == other.expect(60 * 12345 + 30, 60 * 12345 + 210)


def test_the_explanation_holds_the_numbers(look):
    found = seasonal().assess(look((300, 0), hours=np.full(672, 20.0), start=START + 672 * 60))
    for part in ("300 documents", "expected 60", "28 days", "p = "):
        assert part in found.explanation
