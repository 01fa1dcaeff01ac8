"""Is the negative share of a window higher than the baseline explains? An exact beta-binomial test.

Negatives of the baseline give a Beta posterior of the share; the number of negatives in the window then follows the
beta-binomial posterior predictive distribution, and its upper tail is the p-value (Gelman et al., *Bayesian Data
Analysis*, 3rd ed., sections 2.1-2.5 and 6.3). Unlike a binomial test against a point estimate it knows that a short
baseline says little: small samples cannot fire by luck.

Two choices keep it honest about news, where documents are not independent draws:

* The prior is Beta with the mean share of all other votes (Jeffreys: half a document is added to either side) and the
  weight of `PRIOR_DOCUMENTS` documents. Keys differ much in how negative they ordinarily are, so the weight is small.
* A baseline weighs at most `MAX_BASELINE_DOCUMENTS`, a longer one is scaled down (power prior: Ibrahim and Chen,
  *Statistical Science* 15, 2000). A share moves from day to day more than binomial chance; the weight of 100 documents
  is a standard deviation of five points around 50 %.
"""

from __future__ import annotations

import math

from streams.alerts.detectors.counts_contract import Assessment
from streams.alerts.windows import Counts

__all__ = ["MAX_BASELINE_DOCUMENTS", "MAX_WINDOW_DOCUMENTS", "PRIOR_DOCUMENTS", "NegativeShare", "beta_binomial_tail"]

PRIOR_DOCUMENTS = 4.0
MAX_BASELINE_DOCUMENTS = 100.0
MAX_WINDOW_DOCUMENTS = 1000
"""A larger window is scaled down to this: it changes nothing that matters, errs towards silence and bounds the work."""

_NEGLIGIBLE = 1e-17


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


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


class NegativeShare:
    """Upper tail of the beta-binomial posterior predictive distribution; see the module."""

    def assess(self, window: Counts, baseline: Counts, others: Counts) -> Assessment:
        """Judge `window`; see `Detector.assess`."""
        ordinary = (others.negative + 0.5) / (others.documents + 1.0)
        weight = min(1.0, MAX_BASELINE_DOCUMENTS / baseline.documents) if baseline.documents else 0.0
        a = PRIOR_DOCUMENTS * ordinary + weight * baseline.negative
        b = PRIOR_DOCUMENTS * (1.0 - ordinary) + weight * (baseline.documents - baseline.negative)
        n, k = window
        if n > MAX_WINDOW_DOCUMENTS:
            k = k * MAX_WINDOW_DOCUMENTS // n
            n = MAX_WINDOW_DOCUMENTS
        p_value = beta_binomial_tail(k, n, a, b)
        expected = a / (a + b)
        return Assessment(
            p_value=p_value,
            expected_share=expected,
            explanation=(
                f"{window.negative} of {window.documents} negative ({window.share:.0%}); expected {expected:.0%} "
                f"from {baseline.documents} documents before and {ordinary:.0%} elsewhere; p = {p_value:.2g}"
            ),
        )
