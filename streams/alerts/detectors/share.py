"""Is the negative share of a window higher than its past explains? An exact beta-binomial test.

Negatives of the baseline give a Beta posterior of the share; the number of negatives in the window then follows the
beta-binomial posterior predictive distribution, and its upper tail is the p-value (Gelman et al., *Bayesian Data
Analysis*, 3rd ed., sections 2.1-2.5 and 6.3). Unlike a binomial test against a point estimate it knows that a short
baseline says little: small samples cannot fire by luck.

Three choices keep it honest about news, where documents are not independent draws:

* The prior is Beta with the mean share of all keys of the rule, as far as they have told (`View.world`), and the weight of
  `PRIOR_DOCUMENTS` documents. Keys differ much in how negative they ordinarily are, so the weight is small.
* A baseline weighs at most `MAX_BASELINE_DOCUMENTS`, a longer one is scaled down (power prior: Ibrahim and Chen,
  *Statistical Science* 15, 2000). A share moves from day to day more than binomial chance; the weight of 100 documents
  is a standard deviation of five points around 50 %. Near the cap the swing and the chance of the baseline are not added,
  so that small windows are heard early: where shares really swing by five points, a window of hundreds of documents
  after a baseline of about a hundred reaches p = 0.01 four to five times as often as that; after a longer one, twice.
* Weights make counts fractions. Negatives are rounded down and documents up: the error is towards silence.
"""

from __future__ import annotations

import math

from streams.alerts.detectors.anomaly_score import NEAR_P_VALUE, NEAR_SHARE, from_p_value
from streams.alerts.detectors.contract import Assessment
from streams.alerts.detectors.tails import beta_binomial_judgement
from streams.alerts.rules.detectors import ShareSpec
from streams.alerts.tally import Tally, View

__all__ = ["MAX_BASELINE_DOCUMENTS", "MAX_WINDOW_DOCUMENTS", "PRIOR_DOCUMENTS", "WORLD_DOCUMENTS", "Share"]

PRIOR_DOCUMENTS = 4.0
MAX_BASELINE_DOCUMENTS = 100.0
MAX_WINDOW_DOCUMENTS = 300
"""A larger window is scaled down to this: beside a baseline of 100 it changes little, errs towards silence and bounds the work."""

WORLD_DOCUMENTS = 50.0
"""The share that the rule names counts as this many documents beside those of all keys."""

_ROUNDING = 1e-9


class Share:
    """Upper tail of the beta-binomial posterior predictive distribution, and a least share; see the module."""

    name = "share"
    lookback = 1
    judges_silence = False

    def __init__(self, spec: ShareSpec) -> None:
        self._limit = spec.max_p_value
        self._min_share = spec.min_share
        self._prior = spec.prior_share
        self._hours = math.ceil(spec.baseline.total_seconds() / 3600)

    def possible(self, window: Tally) -> bool:
        """See `Detector.possible`. Weights may leave only the negative ones, so nothing but their absence excludes an alert."""
        return window.negative >= 1.0

    def assess(self, view: View) -> Assessment:
        """See `Detector.assess`."""
        hours = view.hours
        first = max(0, len(hours) - self._hours)
        scored = float(hours.scored[first:].sum())
        negative = float(hours.negative[first:].sum())
        world = view.world
        ordinary = (world.negative + WORLD_DOCUMENTS * self._prior) / (world.scored + WORLD_DOCUMENTS)
        weight = min(1.0, MAX_BASELINE_DOCUMENTS / scored) if scored else 0.0
        a = PRIOR_DOCUMENTS * ordinary + weight * negative
        b = PRIOR_DOCUMENTS * (1.0 - ordinary) + weight * max(0.0, scored - negative)
        n = math.ceil(view.window.scored - _ROUNDING)
        k = min(n, math.floor(view.window.negative + _ROUNDING))
        if n > MAX_WINDOW_DOCUMENTS:
            k = k * MAX_WINDOW_DOCUMENTS // n
            n = MAX_WINDOW_DOCUMENTS
        p_value, low, high = beta_binomial_judgement(k, n, a, b)
        share = view.window.share
        expected = a / (a + b)
        holds = p_value <= self._limit and share >= self._min_share
        known = max(view.known_since, hours.start + 60 * first)
        return Assessment(
            holds=holds,
            near=not holds and p_value <= self._limit * NEAR_P_VALUE and share >= self._min_share * NEAR_SHARE,
            score=from_p_value(p_value, self._limit),
            p_value=p_value,
            value=share,
            expected=expected,
            low=low / n if n else 0.0,
            high=high / n if n else 1.0,
            baseline_minutes=max(0, hours.end - known) if len(hours) else 0,
            baseline_documents=scored,
            explanation=(
                f"{view.window.negative:g} of {view.window.scored:g} negative ({share:.0%}); expected {expected:.0%} "
                f"from {scored:g} documents before and {ordinary:.0%} elsewhere; p = {p_value:.2g}"
                + ("" if share >= self._min_share else f"; below the least share of {self._min_share:.0%}")
            ),
        )
