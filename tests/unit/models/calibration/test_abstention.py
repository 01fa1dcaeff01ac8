from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.calibration.abstention import risk_bound, risk_coverage, select


def test_the_curve_by_hand() -> None:
    curve = risk_coverage(np.array([0.9, 0.8, 0.7, 0.6]), np.array([False, True, False, True]))
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert curve.risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert curve.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert curve.at(0.5) == pytest.approx(1 / 2)
    assert curve.at(0.6) == pytest.approx(1 / 3)
    assert curve.at(1.0) == pytest.approx(1 / 2)


def test_answers_of_equal_confidence_are_given_together() -> None:
    curve = risk_coverage(np.array([0.8, 0.8, 0.5]), np.array([True, False, False]))
    assert curve.coverage == pytest.approx([2 / 3, 1])
    assert curve.risk == pytest.approx([1 / 2, 1 / 3])


def test_no_rows_have_no_curve() -> None:
    curve = risk_coverage(np.zeros(0), np.zeros(0, np.bool_))
    assert (curve.area, curve.at(0.5)) == (0.0, 0.0)
    assert select(np.zeros(0), np.zeros(0, np.bool_), target=0.5, doubt=0.1) is None


@pytest.mark.parametrize(("errors", "rows", "doubt"), [(0, 20, 0.05), (3, 50, 0.1), (70, 200, 0.01), (499, 500, 0.1)])
def test_the_bound_is_where_so_few_errors_become_improbable(errors: int, rows: int, doubt: float) -> None:
    bound = risk_bound(errors, rows, doubt)
    chance = sum(math.comb(rows, k) * bound**k * (1 - bound) ** (rows - k) for k in range(errors + 1))
    assert chance == pytest.approx(doubt, rel=1e-2)
    assert errors / rows < bound


def test_the_bound_of_no_errors_is_known_and_that_of_errors_alone_is_one() -> None:
    assert risk_bound(0, 10, 0.05) == pytest.approx(1 - 0.05 ** (1 / 10), abs=1e-5)
    assert risk_bound(5, 5, 0.1) == 1.0
    assert risk_bound(0, 0, 0.1) == 1.0


def honest(rows: int, seed: int, least: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Answers that are right as often as they say."""
    random = np.random.default_rng(seed)
    confidence = random.uniform(least, 1.0, rows)
    return confidence, random.random(rows) > confidence


def test_a_good_model_answers_everything_and_a_hopeless_one_nothing() -> None:
    confidence, wrong = honest(2_000, 1, least=0.8)
    everything = select(confidence, wrong, target=0.2, doubt=0.1)
    assert everything is not None
    assert (everything.threshold, everything.coverage) == (0.0, 1.0)
    assert select(confidence, np.random.default_rng(2).random(2_000) < 0.6, target=0.2, doubt=0.1) is None


def test_the_threshold_keeps_the_risk_and_as_many_answers_as_it_can() -> None:
    confidence, wrong = honest(4_000, 3)
    chosen = select(confidence, wrong, target=0.2, doubt=0.1)
    assert chosen is not None
    assert chosen.risk < chosen.bound <= 0.2
    given = confidence >= chosen.threshold
    assert given.mean() == pytest.approx(chosen.coverage)
    assert wrong[given].mean() == pytest.approx(chosen.risk)
    # Answers above t are right (1 + t) / 2 of the time: 0.2 is reached from 0.6 up.
    assert 0.58 < chosen.threshold < 0.68


def test_the_promise_holds_on_other_texts_as_often_as_it_says() -> None:
    new_confidence, new_wrong = honest(50_000, 99)
    kept = 0
    for seed in range(40):
        chosen = select(*honest(300, seed), target=0.25, doubt=0.1)
        kept += chosen is None or new_wrong[new_confidence >= chosen.threshold].mean() <= 0.25
    assert kept >= 36


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
    target=st.floats(0.05, 0.9),
)
def test_what_is_chosen_is_what_it_says(rows: list[tuple[float, bool]], target: float) -> None:
    confidence, wrong = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    chosen = select(confidence, wrong, target=target, doubt=0.2)
    if chosen is not None:
        given = confidence >= chosen.threshold
        assert chosen.coverage == pytest.approx(given.mean())
        assert chosen.risk == pytest.approx(wrong[given].mean())
        assert chosen.bound <= target
