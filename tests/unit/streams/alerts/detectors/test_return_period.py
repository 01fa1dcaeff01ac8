"""Peaks over threshold against a key's own record."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.alerts.detectors.return_period import ReturnPeriod
from streams.alerts.rules.detectors import ReturnPeriodSpec
from streams.alerts.tally import Buckets, Tally, View

HOURS = 21 * 24
START = 29_000_000 // 1440 * 1440


def buckets(start: int, step: int, counts: NDArray[np.float64]) -> Buckets:
    nothing = np.zeros(len(counts))
    return Buckets(start, step, counts, nothing, nothing, nothing)


def view(past: NDArray[np.float64], window: float, minutes: int = 180, known_since: int = START) -> View:
    end = START + len(past) * 60 + minutes
    return View(
        end,
        1,
        Tally(window, 0.0, 0.0, 0.0),
        buckets(end - minutes, minutes, np.array([window])),
        buckets(START, 60, past),
        known_since,
    )


def rhythmic(seed: int, mean: float, tail: float, hours: int = HOURS) -> NDArray[np.float64]:
    """Counts with a daily rhythm, times a log-normal of `tail`."""
    random = np.random.default_rng(seed)
    of_day = 1.0 + 0.8 * np.sin(np.arange(hours) * 2 * np.pi / 24)
    return random.poisson(mean * of_day * np.exp(random.normal(0.0, tail, hours) - tail**2 / 2)).astype(float)


def detector(**given: object) -> ReturnPeriod:
    return ReturnPeriod(ReturnPeriodSpec.model_validate({"type": "return_period", **given}), "documents")


def test_the_same_count_is_rare_for_a_quiet_key_and_ordinary_for_a_bursty_one() -> None:
    quiet, bursty = rhythmic(1, 20.0, 0.1), rhythmic(1, 20.0, 1.0)
    ordinary = detector().assess(view(quiet, 100.0)).expected
    assert detector().assess(view(quiet, 3.0 * ordinary)).holds
    assert not detector().assess(view(bursty, 3.0 * ordinary)).holds


def test_the_expectation_follows_the_hour_of_the_day() -> None:
    past = rhythmic(2, 50.0, 0.1)
    at_start_of_day = detector().assess(view(past, 10.0)).expected
    in_the_trough = detector().assess(view(past[: HOURS - 8], 10.0)).expected
    assert at_start_of_day == pytest.approx(50.0 * (1.0 + 1.207 + 1.4), rel=0.15)
    assert in_the_trough < 0.3 * at_start_of_day


def test_parts_of_hours_are_counted_evenly() -> None:
    past = np.full(72, 60.0)
    assert detector().assess(view(past, 10.0, minutes=90)).expected == pytest.approx(90.0)
    assert detector().assess(view(past, 10.0, minutes=15)).expected == pytest.approx(15.0)
    assert detector().assess(view(past, 10.0, minutes=2 * 1440)).expected == pytest.approx(2 * 1440.0)


@pytest.mark.parametrize("tail", [0.2, 0.6])
def test_about_so_many_windows_hold_as_the_return_period_says(tail: float) -> None:
    past = rhythmic(3, 40.0, tail, 120 * 24)
    judge = detector(once_in=timedelta(days=5), min_factor=0.1)
    seen = sum(
        judge.assess(
            View(
                START + 60 * (hour + 3),
                1,
                Tally(float(past[hour : hour + 3].sum()), 0, 0, 0),
                buckets(START + 60 * hour, 180, past[hour : hour + 3].sum(keepdims=True)),
                buckets(START + 60 * (hour - 28 * 24), 60, past[hour - 28 * 24 : hour]),
                START,
            )
        ).holds
        for hour in range(28 * 24, len(past) - 3, 3)
    )
    assert 6 <= seen <= 40  # 92 days at one in five: 18


def test_nothing_is_said_before_two_days_are_known() -> None:
    past = rhythmic(4, 20.0, 0.1, 24 * 4)
    assert not detector().assess(view(past[:47], 5_000.0)).holds
    assert detector().assess(view(past[:48], 5_000.0)).holds
    unknown = detector().assess(view(past, 5_000.0, known_since=START + 60 * 24 * 3))
    assert not unknown.holds
    assert unknown.baseline_minutes == 0
    assert "nothing is known" in unknown.explanation


def test_few_documents_are_no_sensation() -> None:
    silent = np.zeros(HOURS)
    silent[::40] = 1.0
    assert not detector().assess(view(silent, 1.0)).holds
    assert detector().assess(view(silent, 40.0)).holds


def test_a_rarer_limit_holds_less() -> None:
    past = rhythmic(5, 30.0, 0.3)
    at = view(past, 1.8 * detector().assess(view(past, 1.0)).expected)
    assert detector(once_in=timedelta(days=1)).assess(at).holds
    assert not detector(once_in=timedelta(days=400)).assess(at).holds
    assert not detector(once_in=timedelta(days=1), min_factor=5.0).assess(at).holds


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 500.0), st.floats(0.0, 1.5), st.floats(0.0, 5_000.0), st.sampled_from([15, 60, 180, 1440]))
def test_more_documents_are_never_less_unusual(seed: int, mean: float, tail: float, window: float, minutes: int) -> None:
    past = rhythmic(seed, mean, tail, 24 * 8)
    judge = detector()
    less, more = judge.assess(view(past, window, minutes)), judge.assess(view(past, window + 5.0, minutes))
    assert less.p_value is not None
    assert more.p_value is not None
    assert 0.0 <= more.p_value <= less.p_value <= 1.0
    assert 0.0 <= less.score <= more.score <= 1.0
    assert less.low <= less.high
    assert not (less.holds and not more.holds)
    assert not less.holds or less.score >= 0.5
