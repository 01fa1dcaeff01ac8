"""The share test against exact arithmetic, and against what must never happen."""

from __future__ import annotations

from fractions import Fraction
from math import comb, prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.detectors.negative_share import NegativeShare, beta_binomial_tail
from streams.alerts.windows import Counts

NOTHING = Counts(0, 0)
WORLD = Counts(1000, 250)


def exact_tail(k: int, n: int, a: Fraction, b: Fraction) -> Fraction:
    """Sum of the masses by rising factorials: no logarithm, no rounding."""

    def rising(base: Fraction, steps: int) -> Fraction:
        return prod((base + i for i in range(steps)), start=Fraction(1))

    total = rising(a + b, n)
    return sum((comb(n, j) * rising(a, j) * rising(b, n - j) / total for j in range(k, n + 1)), start=Fraction(0))


@settings(deadline=None, max_examples=300)
@given(
    st.integers(0, 40),
    st.integers(0, 40),
    st.fractions(Fraction(1, 10), 50, max_denominator=20),
    st.fractions(Fraction(1, 10), 50, max_denominator=20),
)
def test_the_tail_is_exact(k, more, a, b):
    n = k + more
    expected = float(exact_tail(k, n, a, b))
    assert beta_binomial_tail(k, n, float(a), float(b)) == pytest.approx(expected, rel=1e-9, abs=1e-13)


def test_tiny_tails_keep_their_digits():
    expected = float(exact_tail(60, 60, Fraction(1), Fraction(90)))
    assert expected < 1e-30
    assert beta_binomial_tail(60, 60, 1.0, 90.0) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("k", "n", "a", "b"), [(-1, 3, 1.0, 1.0), (4, 3, 1.0, 1.0), (1, 3, 0.0, 1.0), (1, 3, 1.0, -1.0)])
def test_what_is_out_of_range_is_refused(k, n, a, b):
    with pytest.raises(ValueError, match="beta_binomial_tail"):
        beta_binomial_tail(k, n, a, b)


def assess(window, baseline=NOTHING, others=WORLD):
    return NegativeShare().assess(Counts(*window), Counts(*baseline), Counts(*others))


@given(st.integers(1, 300), st.data())
@settings(deadline=None)
def test_more_negatives_are_never_less_unusual(n, data):
    k = data.draw(st.integers(0, n - 1))
    baseline = data.draw(st.integers(0, 400).flatmap(lambda total: st.tuples(st.just(total), st.integers(0, total))))
    fewer, more = assess((n, k), baseline).p_value, assess((n, k + 1), baseline).p_value
    assert more <= fewer + 1e-12
    assert 0.0 <= more <= 1.0


def test_a_short_baseline_says_less_than_a_long_one():
    short, middle, long = (assess((15, 12), (count, count // 5)).p_value for count in (5, 20, 100))
    assert short > middle > long


def test_a_long_baseline_is_not_believed_beyond_the_days_own_swing():
    """54 % of 2,000 against 48 % of 100,000: overwhelming for a binomial test, an ordinary day for news."""
    assert assess((2000, 1080), (100_000, 48_000)).p_value > 0.01
    assert assess((2000, 1900), (100_000, 48_000)).p_value < 1e-9


@pytest.mark.parametrize("window", [(1, 1), (2, 2), (5, 5), (12, 12)])
def test_nothing_known_and_few_documents_cannot_be_unusual(window):
    assert assess(window, NOTHING, NOTHING).p_value > 1e-3
    assert assess(window, NOTHING, WORLD).p_value > 1e-4


def test_without_a_baseline_the_world_is_expected():
    assert assess((10, 5), NOTHING, (1000, 100)).expected_share == pytest.approx(0.1, abs=0.01)
    assert assess((10, 5), NOTHING, NOTHING).expected_share == 0.5
    assert assess((10, 5), (1000, 700), (1000, 100)).expected_share == pytest.approx(0.68, abs=0.02)


def test_the_false_alarm_rate_is_what_the_p_value_says():
    """Draw windows from the same share as the baseline: p <= 0.05 in at most about one of twenty."""
    import random

    rng = random.Random(3)
    alarms = trials = 0
    for _ in range(3000):
        share = rng.uniform(0.1, 0.6)
        baseline = sum(rng.random() < share for _ in range(100))
        window = sum(rng.random() < share for _ in range(20))
        trials += 1
        alarms += assess((20, window), (100, baseline), (1000, 350)).p_value <= 0.05
    assert alarms / trials <= 0.055
    assert alarms > 0


def test_the_explanation_holds_the_numbers():
    text = assess((20, 18), (100, 20)).explanation
    for part in ("18 of 20", "90%", "100 documents", "p = "):
        assert part in text
