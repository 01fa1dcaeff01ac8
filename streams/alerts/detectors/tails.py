"""Tails of counting distributions, exact up to rounding, in plain Python.

A negative binomial is given by its mean and its dispersion: variance = mean + dispersion * mean². Dispersion 0 is Poisson.
Counts may be fractions (near-copies weigh less than one): the tails are the regularised incomplete gamma and beta
functions, which agree with the sums at whole counts and run smoothly between them.

Methods: continued fractions of the incomplete beta and gamma functions by Lentz's algorithm (Press et al., *Numerical
Recipes*, 3rd ed., sections 5.2, 6.2 and 6.4); differences of log gamma of large arguments by Stirling's series (DiDonato
and Morris, *ACM TOMS* 18, 1992, algorithm 708), because the difference of two large logarithms loses the digits that matter.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from streams.alerts.tally import Floats

__all__ = [
    "beta_binomial_judgement",
    "beta_binomial_masses",
    "beta_binomial_tail",
    "negative_binomial_interval",
    "negative_binomial_lower",
    "negative_binomial_quantile",
    "negative_binomial_upper",
    "poisson_lower",
    "poisson_upper",
]

_NEGLIGIBLE = 1e-17
_TINY = 1e-300
_EPSILON = 1e-16
_STIRLING = 10.0
_POISSON = 1e-12
"""A dispersion below this is none."""

_NORMAL = NormalDist()
_STEPS = 200
"""Masses that the search for a quantile walks at most from its first guess."""

_FAR = 8
_LEAPS = 5
"""A guess that is more masses off than `_FAR` takes steps of Newton's first, at most so many."""


def _stirling_rest(x: float) -> float:
    """lgamma(x) minus the leading terms of Stirling's series; x >= 10."""
    square = 1.0 / (x * x)
    return (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0)))) / x


def _log_beta(a: float, b: float) -> float:
    """log B(a, b) for a, b > 0."""
    small, large = (a, b) if a <= b else (b, a)
    if large < _STIRLING:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    ratio = (
        _stirling_rest(large)
        - _stirling_rest(small + large)
        - small * (math.log(large) - 1.0)
        - (small + large - 0.5) * math.log1p(small / large)
    )
    return math.lgamma(small) + ratio


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Continued fraction of the incomplete beta function; quick for x < (a + 1) / (a + b + 2)."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    result = d
    m = 0
    while True:
        m += 1
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        d = 1.0 + even * d
        c = 1.0 + even / c
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = c if abs(c) > _TINY else _TINY
        result *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        d = 1.0 + odd * d
        c = 1.0 + odd / c
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = c if abs(c) > _TINY else _TINY
        step = d * c
        result *= step
        if abs(step - 1.0) < 4 * _EPSILON or m > 100_000:
            return result


def _incomplete_beta(a: float, b: float, x: float, y: float) -> float:
    """Regularised incomplete beta function I_x(a, b); y = 1 - x is given because a difference would lose digits."""
    if x <= 0.0:
        return 0.0
    if y <= 0.0:
        return 1.0
    log_x = math.log(x) if x < 0.5 else math.log1p(-y)
    log_y = math.log(y) if y < 0.5 else math.log1p(-x)
    front = math.exp(max(-745.0, a * log_x + b * log_y - _log_beta(a, b)))
    if x * (a + b + 2.0) < a + 1.0:
        return min(1.0, front * _beta_fraction(a, b, x) / a)
    return max(0.0, 1.0 - front * _beta_fraction(b, a, y) / b)


def _log_gamma_front(a: float, x: float) -> float:
    """log of x^a e^-x / Gamma(a + 1), without the cancellation that large arguments bring."""
    if a < _STIRLING:
        return a * math.log(x) - x - math.lgamma(a + 1.0)
    excess = (x - a) / a
    return a * (math.log1p(excess) - excess) - 0.5 * math.log(2.0 * math.pi * a) - _stirling_rest(a)


def _gamma_series(a: float, x: float) -> float:
    """Lower regularised incomplete gamma function by its series; quick for x < a + 1."""
    term = total = 1.0
    n = a
    while term > total * _EPSILON:
        n += 1.0
        term *= x / n
        total += term
    return total * math.exp(max(-745.0, _log_gamma_front(a, x)))


def _gamma_fraction(a: float, x: float) -> float:
    """Upper regularised incomplete gamma function by its continued fraction; quick for x >= a + 1."""
    b = x + 1.0 - a
    c = 1.0 / _TINY
    d = 1.0 / b
    result = d
    i = 0
    while True:
        i += 1
        step = i * (a - i)
        b += 2.0
        d = step * d + b
        c = b + step / c
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = c if abs(c) > _TINY else _TINY
        change = d * c
        result *= change
        if abs(change - 1.0) < 4 * _EPSILON or i > 100_000:
            return a * result * math.exp(max(-745.0, _log_gamma_front(a, x)))


def poisson_upper(count: float, mean: float) -> float:
    """P(X >= count) for X ~ Poisson(mean); 1 for count <= 0."""
    if count <= 0.0:
        return 1.0
    if mean <= 0.0:
        return 0.0
    if mean < count + 1.0:
        return min(1.0, _gamma_series(count, mean))
    return max(0.0, 1.0 - _gamma_fraction(count, mean))


def poisson_lower(count: float, mean: float) -> float:
    """P(X <= count) for X ~ Poisson(mean); 0 for count < 0."""
    if count < 0.0:
        return 0.0
    if mean <= 0.0:
        return 1.0
    if mean < count + 2.0:
        return max(0.0, 1.0 - _gamma_series(count + 1.0, mean))
    return min(1.0, _gamma_fraction(count + 1.0, mean))


def negative_binomial_upper(count: float, mean: float, dispersion: float) -> float:
    """P(X >= count) for X negative binomial with variance mean + dispersion * mean²; 1 for count <= 0."""
    if count <= 0.0:
        return 1.0
    if mean <= 0.0:
        return 0.0
    if dispersion < _POISSON:
        return poisson_upper(count, mean)
    relative = dispersion * mean
    return _incomplete_beta(count, 1.0 / dispersion, relative / (1.0 + relative), 1.0 / (1.0 + relative))


def negative_binomial_lower(count: float, mean: float, dispersion: float) -> float:
    """P(X <= count) for X negative binomial with variance mean + dispersion * mean²; 0 for count < 0."""
    if count < 0.0:
        return 0.0
    if mean <= 0.0:
        return 1.0
    if dispersion < _POISSON:
        return poisson_lower(count, mean)
    relative = dispersion * mean
    return _incomplete_beta(1.0 / dispersion, count + 1.0, 1.0 / (1.0 + relative), relative / (1.0 + relative))


def _gamma_quantile(level: float, mean: float, variance: float) -> float:
    """Quantile of the gamma distribution of this mean and variance (Wilson and Hilferty, *PNAS* 17, 1931): a first guess."""
    spread = variance / (9.0 * mean * mean)
    return mean * float(max(0.0, 1.0 - spread + _NORMAL.inv_cdf(level) * math.sqrt(spread))) ** 3


def _negative_binomial_mass(k: float, mean: float, dispersion: float) -> float:
    """P(X = k)."""
    if dispersion < _POISSON:
        return math.exp(k * math.log(mean) - mean - math.lgamma(k + 1.0))
    size, relative = 1.0 / dispersion, dispersion * mean
    log = k * math.log(relative / (1.0 + relative)) - size * math.log1p(relative) - math.log(k + size) - _log_beta(size, k + 1.0)
    return math.exp(max(-745.0, log))


def negative_binomial_quantile(level: float, mean: float, dispersion: float) -> float:
    """The least whole count k with P(X <= k) >= level."""
    k = math.floor(_gamma_quantile(level, mean, mean + dispersion * mean * mean))
    below, mass = negative_binomial_lower(k, mean, dispersion), _negative_binomial_mass(k, mean, dispersion)
    for _ in range(_LEAPS):
        if k <= _FAR or not abs(level - below) > _FAR * mass > 0.0:
            break
        k = k + math.floor(max(-0.5 * k, min(0.5 * k, (level - below) / mass)))
        below, mass = negative_binomial_lower(k, mean, dispersion), _negative_binomial_mass(k, mean, dispersion)
    relative = dispersion * mean
    odds = mean / (1.0 + relative)
    up = below < level
    for _ in range(_STEPS):
        if up and below >= level:
            return float(k)
        if not up and (k == 0 or below - mass < level):
            return float(k)
        if up:
            mass *= odds * (1.0 + dispersion * k) / (k + 1.0)
            k += 1
            below += mass
        else:
            below -= mass
            mass *= k / (odds * (1.0 + dispersion * (k - 1.0)))
            k -= 1
    return float(k)


def negative_binomial_interval(mean: float, dispersion: float, level: float = 0.99) -> tuple[float, float]:
    """Whole counts (low, high) with at most (1 - `level`) / 2 of the probability below `low`, and as much above `high`."""
    if mean <= 0.0:
        return 0.0, 0.0
    edge = (1.0 - level) / 2.0
    return negative_binomial_quantile(edge, mean, dispersion), negative_binomial_quantile(1.0 - edge, mean, dispersion)


def _log_mass(k: int, n: int, a: float, b: float) -> float:
    choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return choose + _log_beta(k + a, n - k + b) - _log_beta(a, b)


def beta_binomial_tail(k: int, n: int, a: float, b: float) -> float:
    """P(K >= k) for K ~ BetaBinomial(n, a, b); 0 <= k <= n; a, b > 0.

    Sums the shorter side by the ratio of neighbouring masses; exact up to rounding.

    Raises:
        ValueError: the arguments are out of range.
    """
    if not 0 <= k <= n or a <= 0 or b <= 0:
        raise ValueError(f"beta_binomial_tail: k={k}, n={n}, a={a}, b={b}")
    if k == 0:
        return 1.0
    upwards = k > n * a / (a + b)
    start = k if upwards else k - 1
    term = math.exp(_log_mass(start, n, a, b))
    total = term
    if upwards:
        for j in range(start, n):
            term *= (n - j) / (j + 1) * (j + a) / (n - j - 1 + b)
            total += term
            if term < total * _NEGLIGIBLE:
                break
        return min(1.0, total)
    for j in range(start, 0, -1):
        term *= j / (n - j + 1) * (n - j + b) / (j - 1 + a)
        total += term
        if term < total * _NEGLIGIBLE:
            break
    return min(1.0, max(0.0, 1.0 - total))


def beta_binomial_masses(n: int, a: float, b: float) -> Floats:
    """P(K = k) for k = 0 ... n of K ~ BetaBinomial(n, a, b), float64 of shape (n + 1,); n >= 0; a, b > 0."""
    rises = np.empty(n + 1)
    rises[0] = _log_beta(a, b + n) - _log_beta(a, b)
    j = np.arange(1.0, n + 1.0)
    down = j[::-1]
    np.log(down * (j + (a - 1.0)) / (j * (down + (b - 1.0))), out=rises[1:])
    rises.cumsum(out=rises)
    return np.exp(rises, out=rises)


def beta_binomial_judgement(k: int, n: int, a: float, b: float, level: float = 0.99) -> tuple[float, int, int]:
    """P(K >= k) and the interval of K ~ BetaBinomial(n, a, b), from one pass over its masses; 0 <= k <= n; a, b > 0.

    Returns:
        The tail, and counts (low, high) with at most (1 - `level`) / 2 of the probability below `low` and as much above `high`.
    """
    masses = beta_binomial_masses(n, a, b)
    edge = (1.0 - level) / 2.0
    low, high = masses.cumsum().searchsorted((edge, 1.0 - edge)).tolist()
    return (min(1.0, float(masses[k:].sum())) if k else 1.0), low, min(n, high)
