"""CUSUM: small lasting changes are found, single wild windows are none, and nothing but the view matters."""

from __future__ import annotations

import numpy as np
import pytest

from streams.alerts.detectors.change_point import BLOCKS, ChangePoint
from streams.alerts.rules.detectors import ChangePointSpec
from streams.alerts.tally import NOTHING, Tally

from .conftest import START


def change_point(signal="documents", window=180, **spec):
    return ChangePoint(ChangePointSpec(type="change_point", **spec), signal, window)


def judged(look, detector, documents, *, negative=None, score=None, **known):
    """The last three hours of an hourly series as the window, the rest as its past."""
    parts = [documents, np.zeros_like(documents) if negative is None else negative, np.zeros_like(documents) if score is None else score]
    window = tuple(float(part[-3:].sum()) for part in parts)
    past = [part[:-3] for part in parts]
    return detector.assess(look(window, hours=past[0], negative=past[1], score=past[2], start=START + len(past[0]) * 60, **known))


def steps(rng, before, after, windows, hours=16 * 24):
    return rng.poisson(np.concatenate((np.full(hours, before), np.full(3 * windows, after)))).astype(float)


def test_a_small_lasting_rise_is_found_that_no_single_window_shows(look):
    rng = np.random.default_rng(1)
    found = [judged(look, change_point(), steps(rng, 10.0, 18.0, 8)) for _ in range(10)]
    assert sum(one.holds for one in found) >= 8
    assert all(one.p_value < 1e-2 for one in found)
    assert "higher for" in found[0].explanation


@pytest.mark.parametrize("dispersion", [0.0, 0.3])
@pytest.mark.parametrize("rate", [0.5, 5.0, 50.0])
def test_ordinary_counts_change_nothing(look, rate, dispersion):
    rng = np.random.default_rng(2)
    found = []
    for _ in range(100):
        means = np.full(16 * 24, rate) * (rng.gamma(1 / dispersion, dispersion, 16 * 24) if dispersion else 1.0)
        found.append(judged(look, change_point(), rng.poisson(means).astype(float)))
    assert not any(one.holds for one in found)
    assert np.mean([one.p_value <= 0.05 for one in found]) <= 0.1


def test_a_rhythm_is_no_change(look):
    hours = np.arange(16 * 24)
    rng = np.random.default_rng(3)
    found = [
        judged(look, change_point(), rng.poisson(20 * np.exp(0.8 * np.sin(2 * np.pi * (hours + shift) / 24))).astype(float))
        for shift in range(24)
    ]
    assert not any(one.holds for one in found)


def test_one_wild_window_is_no_change(look):
    counts = steps(np.random.default_rng(4), 10.0, 10.0, 0)
    counts[-3:] = 500
    found = judged(look, change_point(), counts)
    assert not found.holds
    assert found.value == 1500


def test_a_change_that_is_over_does_not_hold(look):
    counts = steps(np.random.default_rng(5), 10.0, 25.0, 8)
    assert judged(look, change_point(), counts).holds
    counts[-3:] = 10
    found = judged(look, change_point(), counts)
    assert not found.holds
    assert not found.near


@pytest.mark.parametrize(
    ("direction", "after", "holds"), [("up", 4.0, False), ("down", 4.0, True), ("both", 4.0, True), ("down", 20.0, False)]
)
def test_directions(look, direction, after, holds):
    found = judged(look, change_point(direction=direction), steps(np.random.default_rng(6), 10.0, after, 8))
    assert found.holds is holds
    if holds:
        assert "lower for" in found.explanation


def test_a_share_that_moved(look):
    rng = np.random.default_rng(7)
    documents = np.full(16 * 24, 10.0)
    for share, holds in ((0.3, False), (0.6, True)):
        negative = rng.binomial(10, np.where(np.arange(16 * 24) >= 15 * 24, share, 0.3)).astype(float)
        found = judged(look, change_point("negative_share"), documents, negative=negative)
        assert found.holds is holds
        assert found.expected == pytest.approx(0.3, abs=0.05)
        assert found.low < 0.3 < found.high


def test_a_mean_score_that_moved(look):
    rng = np.random.default_rng(8)
    documents = np.full(16 * 24, 10.0)
    for mean, holds in ((0.1, False), (-0.3, True)):
        score = 10 * rng.normal(np.where(np.arange(16 * 24) >= 15 * 24, mean, 0.1), 0.15)
        found = judged(look, change_point("mean_score", direction="down"), documents, score=score)
        assert found.holds is holds
        assert found.expected == pytest.approx(0.1, abs=0.05)


def test_nothing_scored_says_nothing_of_a_mean(look):
    found = judged(look, change_point("mean_score", direction="both"), np.zeros(16 * 24))
    assert not found.holds
    assert found.p_value == 1.0


@pytest.mark.parametrize("hours", [0, 10, 40, 56])
def test_a_past_of_less_than_a_day_before_the_blocks_says_nothing(look, hours):
    found = judged(look, change_point(), np.concatenate((np.full(hours, 1.0), np.full(3, 500.0))))
    assert not found.holds
    assert found.p_value == 1.0


def test_blocks_before_the_key_is_known_are_left_out(look):
    counts = np.concatenate((np.full(300, 10.0), np.zeros(30), np.full(6, 10.0)))
    unknown = judged(look, change_point(direction="down"), counts, known_since=START + 330 * 60)
    assert not unknown.holds


def test_windows_of_parts_of_an_hour_look_at_the_recent_ones(look):
    detector = change_point(window=30)
    assert detector.lookback == BLOCKS
    hours = np.random.default_rng(9).poisson(20.0, 300).astype(float)
    start = START + 300 * 60
    for rate, holds in ((10, False), (20, True)):
        view = look((rate, 0), before=[(rate, 0)] * (BLOCKS - 1), minutes=30, size=1, hours=hours[:-6], start=start - 330)
        shifted = look((rate, 0), before=[(rate, 0)] * (BLOCKS - 1), minutes=30, size=1, hours=hours, start=start)
        assert detector.assess(shifted).holds is holds
        assert detector.assess(view).expected == pytest.approx(10, rel=0.2)


def test_what_is_possible():
    assert not change_point().possible(NOTHING)
    assert change_point(direction="down").possible(NOTHING)
    assert not change_point("mean_score", direction="down").possible(Tally(5.0, 0.0, 0.0, 0.0))


def test_the_same_view_gives_the_same_answer(look):
    counts = steps(np.random.default_rng(10), 10.0, 15.0, 8)
    detector = change_point()
    first = judged(look, detector, counts)
    judged(look, detector, counts[:-9])
    assert judged(look, detector, counts) == first == judged(look, change_point(), counts)
