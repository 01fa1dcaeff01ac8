"""Tails against scipy, exact arithmetic and their own laws."""

from __future__ import annotations

import math
from fractions import Fraction
from math import comb, prod

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special, stats

from streams.alerts.detectors.tails import (
    beta_binomial_judgement,
    beta_binomial_masses,
    beta_binomial_tail,
    negative_binomial_interval,
    negative_binomial_lower,
    negative_binomial_upper,
    poisson_lower,
    poisson_upper,
)

MEANS = st.floats(-3, 4).map(lambda digits: 10.0**digits)
DISPERSIONS = st.floats(-5, 1).map(lambda digits: 10.0**digits)
AWAY = st.floats(-5, 14)


def exact_tail(k: int, n: int, a: Fraction, b: Fraction) -> Fraction:
    """Sum of the masses by rising factorials: no logarithm, no rounding."""

    def rising(base: Fraction, steps: int) -> Fraction:
        return prod((base + i for i in range(steps)), start=Fraction(1))

    total = rising(a + b, n)
    return sum((comb(n, j) * rising(a, j) * rising(b, n - j) / total for j in range(k, n + 1)), start=Fraction(0))


@settings(deadline=None, max_examples=100)
@given(
    st.integers(0, 40),
    st.integers(0, 40),
    st.fractions(Fraction(1, 10), 50, max_denominator=20),
    st.fractions(Fraction(1, 10), 50, max_denominator=20),
)
def test_the_beta_binomial_tail_is_exact(k, more, a, b):
    n = k + more
    expected = float(exact_tail(k, n, a, b))
    assert beta_binomial_tail(k, n, float(a), float(b)) == pytest.approx(expected, rel=1e-9, abs=1e-13)
    assert beta_binomial_judgement(k, n, float(a), float(b))[0] == pytest.approx(expected, rel=1e-9)


def test_tiny_beta_binomial_tails_keep_their_digits():
    expected = float(exact_tail(60, 60, Fraction(1), Fraction(90)))
    assert expected < 1e-30
    assert beta_binomial_tail(60, 60, 1.0, 90.0) == pytest.approx(expected, rel=1e-9)
    assert beta_binomial_judgement(60, 60, 1.0, 90.0)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("k", "n", "a", "b"), [(-1, 3, 1.0, 1.0), (4, 3, 1.0, 1.0), (1, 3, 0.0, 1.0), (1, 3, 1.0, -1.0)])
def test_what_is_out_of_range_is_refused(k, n, a, b):
    with pytest.raises(ValueError, match="beta_binomial_tail"):
        beta_binomial_tail(k, n, a, b)


@pytest.mark.parametrize(("n", "a", "b"), [(0, 1.0, 2.0), (1, 0.3, 5.0), (40, 2.0, 7.5), (300, 31.0, 73.0)])
def test_beta_binomial_masses_and_interval_are_those_of_scipy(n, a, b):
    reference = stats.betabinom(n, a, b)
    masses = beta_binomial_masses(n, a, b)
    assert masses == pytest.approx(reference.pmf(np.arange(n + 1)), rel=1e-9)
    assert masses.sum() == pytest.approx(1.0, rel=1e-9)
    assert beta_binomial_judgement(0, n, a, b) == (1.0, reference.ppf(0.005), reference.ppf(0.995))


@settings(deadline=None, max_examples=200)
@given(MEANS, AWAY)
def test_poisson_tails_are_those_of_scipy(mean, away):
    count = max(0, round(mean + away * math.sqrt(mean)))
    upper, lower = stats.poisson.sf(count - 1, mean), stats.poisson.cdf(count, mean)
    assert poisson_upper(count, mean) == pytest.approx(upper, rel=1e-9, abs=1e-14)
    assert poisson_lower(count, mean) == pytest.approx(lower, rel=1e-9, abs=1e-14)


@settings(deadline=None, max_examples=200)
@given(MEANS, DISPERSIONS, AWAY)
def test_negative_binomial_tails_are_those_of_scipy(mean, dispersion, away):
    count = max(0, round(mean + away * math.sqrt(mean + dispersion * mean**2)))
    odds = dispersion * mean
    upper = special.betaincc(1.0 / dispersion, count, 1.0 / (1.0 + odds)) if count else 1.0
    lower = special.betainc(1.0 / dispersion, count + 1.0, 1.0 / (1.0 + odds))
    assert negative_binomial_upper(count, mean, dispersion) == pytest.approx(upper, rel=1e-9, abs=1e-13)
    assert negative_binomial_lower(count, mean, dispersion) == pytest.approx(lower, rel=1e-9, abs=1e-13)


@pytest.mark.parametrize(("count", "mean", "dispersion"), [(40, 2.0, 0.1), (200, 20.0, 0.05), (3000, 1000.0, 0.01), (60, 4.0, 0.0)])
def test_small_upper_tails_keep_their_digits(count, mean, dispersion):
    masses = stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean)) if dispersion else stats.poisson(mean)
    expected = math.fsum(masses.pmf(np.arange(count, count + 4000)))
    assert expected < 1e-9
    assert negative_binomial_upper(count, mean, dispersion) == pytest.approx(expected, rel=1e-9)


@settings(deadline=None, max_examples=100)
@given(MEANS, st.one_of(st.just(0.0), DISPERSIONS), st.floats(0, 5e4), st.floats(0, 100))
def test_the_tails_are_monotone_between_whole_counts_too(mean, dispersion, count, more):
    for upper, lower in (
        (negative_binomial_upper(count, mean, dispersion), negative_binomial_lower(count, mean, dispersion)),
        (negative_binomial_upper(count + more, mean, dispersion), negative_binomial_lower(count + more, mean, dispersion)),
    ):
        assert 0.0 <= upper <= 1.0
        assert 0.0 <= lower <= 1.0
    assert negative_binomial_upper(count + more, mean, dispersion) <= negative_binomial_upper(count, mean, dispersion) + 1e-12
    assert negative_binomial_lower(count + more, mean, dispersion) >= negative_binomial_lower(count, mean, dispersion) - 1e-12


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2000), MEANS, DISPERSIONS)
def test_both_tails_make_one(count, mean, dispersion):
    assume(mean < 3000)
    total = negative_binomial_upper(count + 1, mean, dispersion) + negative_binomial_lower(count, mean, dispersion)
    assert total == pytest.approx(1.0, abs=1e-11)


def test_a_vanishing_dispersion_is_poisson():
    for count in (0, 3, 30, 60):
        assert negative_binomial_upper(count, 20.0, 1e-11) == pytest.approx(poisson_upper(count, 20.0), rel=1e-7)


@pytest.mark.parametrize("dispersion", [0.0, 0.3])
def test_the_edges(dispersion):
    assert negative_binomial_upper(0, 5.0, dispersion) == 1.0
    assert negative_binomial_upper(1, 0.0, dispersion) == 0.0
    assert negative_binomial_lower(0, 0.0, dispersion) == 1.0
    assert negative_binomial_lower(-0.5, 3.0, dispersion) == 0.0
    assert negative_binomial_upper(1e5, 1.0, dispersion) < 1e-100


@pytest.mark.parametrize("mean", [0.001, 0.3, 3.0, 30.0, 3000.0, 1e5])
@pytest.mark.parametrize("dispersion", [0.0, 1e-3, 0.1, 0.8])
def test_the_interval_is_that_of_scipy(mean, dispersion):
    reference = stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean)) if dispersion else stats.poisson(mean)
    found, wanted = negative_binomial_interval(mean, dispersion), (reference.ppf(0.005), reference.ppf(0.995))
    if mean <= 100:
        assert found == wanted
    assert found == pytest.approx(wanted, rel=2e-3)


def test_nothing_expected_has_an_empty_interval():
    assert negative_binomial_interval(0.0, 0.5) == (0.0, 0.0)
