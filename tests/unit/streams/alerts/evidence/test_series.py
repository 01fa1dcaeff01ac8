"""The small time series, and the numbers beside it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.evidence.numbers import baseline_of, measure_of, observation_of
from streams.alerts.evidence.series import MAX_POINTS, series
from streams.alerts.tally import Buckets, Tally, View

END = datetime(2026, 3, 20, 16, tzinfo=UTC)
WINDOW = Tally(20.0, 20.0, 16.0, -9.0)


def test_the_hours_before_and_the_window_itself(view) -> None:
    found = series(view(WINDOW))
    assert found is not None
    assert found.step == 60
    assert [point.at for point in found.points] == [END - timedelta(hours=n) for n in range(36, 0, -1)]
    assert [point.documents for point in found.points] == [4.0] * 33 + [0.0, 0.0, 20.0]
    assert found.points[-1].negative == 16.0


def test_what_was_not_watched_is_left_out(view) -> None:
    since = int(END.timestamp() // 60) - 10 * 60
    found = series(view(WINDOW, known_since=since))
    assert found is not None
    assert found.points[0].at == END - timedelta(hours=10)


def test_an_hour_that_is_known_in_part_is_left_out(view) -> None:
    ordinary = view(WINDOW)
    hours = Buckets(ordinary.hours.start, 60, *(array[:-1] for array in (ordinary.hours.documents,) * 4))
    found = series(View(ordinary.end, ordinary.size, WINDOW, ordinary.recent, hours, 0))
    assert found is not None
    times = [point.at for point in found.points]
    assert END - timedelta(hours=4) not in times
    assert times[-4:] == [END - timedelta(hours=n) for n in (5, 3, 2, 1)]


def test_a_short_window_that_remembers_much_is_shown_finely() -> None:
    one = np.ones(20 * 12)
    recent = Buckets(60 * 1000 - 20 * 12, 1, one, one, one * 0.0, one)
    found = series(View(60 * 1000, 12, Tally(12, 12, 0, 12), recent, Buckets(0, 60, *(np.ones(900),) * 4), 0))
    assert found is not None
    assert found.step < 60
    assert 24 <= len(found.points) <= MAX_POINTS + 1
    assert all(point.documents == found.step for point in found.points[1:-1])


def test_nothing_known_is_no_series(view) -> None:
    assert series(view(WINDOW, known_since=1 << 40)) is None


@settings(max_examples=60)
@given(
    hop=st.sampled_from([1, 5, 12, 60]),
    size=st.integers(1, 60),
    lookback=st.integers(1, 8),
    hours=st.integers(0, 400),
    end=st.integers(30_000, 31_000),
)
def test_points_are_bounded_in_order_and_never_invented(hop: int, size: int, lookback: int, hours: int, end: int) -> None:
    end = end * 60 // hop * hop
    fine = size * lookback
    recent = Buckets(end - fine * hop, hop, *(np.full(fine, float(hop)),) * 4)
    past = Buckets((end - size * hop) // 60 * 60 - 60 * hours, 60, *(np.full(hours, 60.0),) * 4)
    found = series(View(end, size, WINDOW, recent, past, 0))
    if found is None:
        return
    assert len(found.points) <= MAX_POINTS + 1
    times = [point.at.timestamp() / 60 for point in found.points]
    assert times == sorted(set(times))
    for at, point in zip(times, found.points, strict=True):
        assert at % found.step == 0
        assert point.documents == pytest.approx(min(at + found.step, end) - at)


def test_weighted_counts_become_whole_and_shares_stay_exact(judged, view) -> None:
    judgement = judged(view=view(Tally(9.6, 9.6, 9.6, -9.0)))
    observed = observation_of(judgement)
    assert (observed.documents, observed.negative, observed.share) == (10, 10, 1.0)
    assert (observed.start, observed.end) == (END - timedelta(hours=3), END)
    unscored = observation_of(judged(view=view(Tally(9.0, 0.0, 0.0, 0.0))))
    assert (unscored.documents, unscored.negative, unscored.share) == (9, 0, 0.0)


def test_the_baseline_is_what_the_detector_compared_with(judged, view) -> None:
    baseline = baseline_of(judged(view=view(WINDOW), baseline_minutes=24 * 60, expected=0.3))
    assert baseline is not None
    assert (baseline.start, baseline.end) == (END - timedelta(hours=27), END - timedelta(hours=3))
    assert (baseline.documents, baseline.negative, baseline.share, baseline.expected_share) == (96, 24, 0.25, 0.3)
    assert baseline_of(judged(view=view(WINDOW), baseline_minutes=0)) is None


def test_adjacent_windows_are_counted_finely(judged, view) -> None:
    rule = {"signal": "documents", "detector": {"type": "spike"}}
    baseline = baseline_of(judged(rule=rule, view=view(WINDOW, lookback=2), baseline_minutes=180))
    assert baseline is not None
    assert (baseline.start, baseline.end) == (END - timedelta(hours=6), END - timedelta(hours=3))
    assert (baseline.documents, baseline.negative, baseline.expected_share) == (12, 3, 0.25)


def test_numbers_that_json_cannot_write_are_made_finite(judged, view) -> None:
    judgement = judged(view=view(WINDOW), value=math.inf, expected=math.nan, low=-math.inf, high=math.inf, score=1.0000001, p_value=-1e-18)
    measure = measure_of(judgement)
    assert type(measure).model_validate_json(measure.model_dump_json()) == measure
    assert (measure.value, measure.expected, measure.low, measure.high, measure.score, measure.p_value) == (1e12, 0.0, None, None, 1.0, 0.0)
    assert measure_of(judged(view=view(WINDOW), p_value=math.nan)).p_value is None
