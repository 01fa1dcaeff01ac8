"""Is the negative share of a window higher than its past explains? An exact beta-binomial test.

The share of a window is a draw of its own around the key's ordinary share: news is not a series of independent documents.
With a mean share m and a precision M (a Beta distribution of a + b = M; the greater, the steadier the key) the number of
negatives in a window is beta-binomial, and its upper tail is the p-value (Gelman et al., *Bayesian Data Analysis*, 3rd ed.,
sections 2.1-2.5 and 6.3). Unlike a binomial test against a point estimate it knows that a short baseline says little: small
samples cannot fire by luck.

* M is the key's own. The past is cut into blocks of the window's length; by how much their shares scatter beyond binomial
  chance gives 1 / (M + 1), the correlation of two documents of one block, by the method of moments (Kleinman, *JASA* 68,
  1973), each block weighed by what it can tell. `USUAL_PRECISION` stands for `USUAL_BLOCKS` endless blocks, so that a short
  or a sparse past changes little, and the estimate is taken three quarters of a standard error towards less steadiness.
* An incident of the past counts neither for m nor for M: blocks far out of line are left out. Where they are too many (three
  days of a fortnight), what lasted is the new ordinary.
* The mean is not known exactly either: a short past lowers the precision to the documents that it had (those of one block
  count as little as their correlation says). The prior has the mean share of all keys of the rule, as far as they have told
  (`View.world`), and the weight of `PRIOR_DOCUMENTS` documents. The smaller of the two precisions holds, they are not added,
  so that small windows are heard early: after a past of only about M documents, a window of hundreds of a key that really
  swings reaches p = 0.01 four to five times as often as that; after a longer one, as it should.
* Weights make counts fractions. Negatives are rounded down and documents up: the error is towards silence.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.alerts.detectors.anomaly_score import NEAR_P_VALUE, NEAR_SHARE, from_p_value
from streams.alerts.detectors.contract import Assessment
from streams.alerts.detectors.tails import beta_binomial_judgement
from streams.alerts.rules.detectors import ShareSpec
from streams.alerts.tally import Buckets, Floats, Tally, View

__all__ = [
    "MAX_PRECISION",
    "MAX_WINDOW_DOCUMENTS",
    "MIN_PRECISION",
    "PRIOR_DOCUMENTS",
    "USUAL_PRECISION",
    "WORLD_DOCUMENTS",
    "Share",
]

PRIOR_DOCUMENTS = 4.0
USUAL_PRECISION = 100.0
"""A standard deviation of five points around 50 %."""

USUAL_BLOCKS = 6.0
MIN_PRECISION = 20.0
MAX_PRECISION = 1000.0
MAX_WINDOW_DOCUMENTS = 1000
"""A larger window is scaled down to this: beside the greatest precision it changes little, errs towards silence and bounds the work."""

WORLD_DOCUMENTS = 50.0
"""The share that the rule names counts as this many documents beside those of all keys."""

_OUT = 3.3
_KEPT = 0.67
_STEADIEST = 0.65
_ROUNDS = 2
_MEDIAN = 0.6745
"""Median of the absolute value of a standard normal variable."""

_CAUTION = 0.75
_REMEMBERED = 256
_ROUNDING = 1e-9


class _Past(NamedTuple):
    """What the past of a key says: documents and negatives in all; the share where it was in line; the precision of that mean
    share, in documents; the precision M of the shares of windows."""

    scored: float
    share: float
    weight: float
    precision: float


class Share:
    """Upper tail of the beta-binomial predictive distribution, and a least share; see the module."""

    name = "share"
    lookback = 1
    judges_silence = False

    def __init__(self, spec: ShareSpec) -> None:
        self._limit = spec.max_p_value
        self._min_share = spec.min_share
        self._prior = spec.prior_share
        self._hours = math.ceil(spec.baseline.total_seconds() / 3600)
        self._learnt: OrderedDict[tuple[int, bytes, bytes], _Past] = OrderedDict()

    def possible(self, window: Tally) -> bool:
        """See `Detector.possible`. Weights may leave only the negative ones, so nothing but their absence excludes an alert."""
        return window.negative >= 1.0

    def assess(self, view: View) -> Assessment:
        """See `Detector.assess`."""
        hours = view.hours
        first = max(0, len(hours) - self._hours)
        past = self._past(hours, first, max(1, round((view.end - view.start) / 60)))
        world = view.world
        ordinary = (world.negative + WORLD_DOCUMENTS * self._prior) / (world.scored + WORLD_DOCUMENTS)
        known = PRIOR_DOCUMENTS + past.weight
        expected = (PRIOR_DOCUMENTS * ordinary + past.weight * past.share) / known
        precision = min(known, PRIOR_DOCUMENTS + past.precision)
        n = math.ceil(view.window.scored - _ROUNDING)
        k = min(n, math.floor(view.window.negative + _ROUNDING))
        if n > MAX_WINDOW_DOCUMENTS:
            k = k * MAX_WINDOW_DOCUMENTS // n
            n = MAX_WINDOW_DOCUMENTS
        p_value, low, high = beta_binomial_judgement(k, n, precision * expected, precision * (1.0 - expected))
        share = view.window.share
        holds = p_value <= self._limit and share >= self._min_share
        known_since = max(view.known_since, hours.start + 60 * first)
        return Assessment(
            holds=holds,
            near=not holds and p_value <= self._limit * NEAR_P_VALUE and share >= self._min_share * NEAR_SHARE,
            score=from_p_value(p_value, self._limit),
            p_value=p_value,
            value=share,
            expected=expected,
            low=low / n if n else 0.0,
            high=high / n if n else 1.0,
            baseline_minutes=max(0, hours.end - known_since) if len(hours) else 0,
            baseline_documents=past.scored,
            explanation=(
                f"{view.window.negative:g} of {view.window.scored:g} negative ({share:.0%}); expected {expected:.0%} "
                f"from {past.scored:g} documents before and {ordinary:.0%} elsewhere; p = {p_value:.2g}"
                + ("" if share >= self._min_share else f"; below the least share of {self._min_share:.0%}")
            ),
        )

    def _past(self, hours: Buckets, first: int, block: int) -> _Past:
        """What the hours from `first` on say of windows of `block` hours; remembered, because it changes once an hour only."""
        scored, negative = hours.scored[first:], hours.negative[first:]
        key = (block, scored.tobytes(), negative.tobytes())
        found = self._learnt.get(key)
        if found is not None:
            self._learnt.move_to_end(key)
            return found
        found = self._learnt[key] = _learn(scored, negative, block)
        if len(self._learnt) > _REMEMBERED:
            self._learnt.popitem(last=False)
        return found


def _learn(scored: Floats, negative: Floats, block: int) -> _Past:
    usual = 1.0 / (USUAL_PRECISION + 1.0)
    total = float(scored.sum())
    if total <= 0.0:
        return _Past(0.0, 0.5, 0.0, USUAL_PRECISION)
    counts, bad = _blocks(scored, negative, block)
    inside = 1.0 + np.maximum(counts - 1.0, 0.0) * usual
    keep = _in_line(counts, bad, inside)
    counts, bad, inside = counts[keep], bad[keep], inside[keep]
    # A block with ten times the documents does not tell ten times as much of the ordinary share.
    share = float((bad / inside).sum() / (counts / inside).sum())
    # One negative document more and one other: a past of one kind is not certain of anything.
    documents = float(counts.sum())
    smooth = (share * documents + 1.0) / (documents + 2.0)
    others = np.maximum(counts - 1.0, 0.0)
    excess = (bad - counts * share) ** 2 / (counts * smooth * (1.0 - smooth)) - 1.0
    # What a block tells of the correlation, in units of an endless one.
    told = float(((others * usual / inside) ** 2).sum())
    found = (float((excess * others * (usual / inside) ** 2).sum()) + USUAL_BLOCKS * usual) / (told + USUAL_BLOCKS)
    found += _CAUTION * math.sqrt(2.0 * told) / (told + USUAL_BLOCKS) * max(usual, found)
    correlation = min(1.0 / (MIN_PRECISION + 1.0), max(1.0 / (MAX_PRECISION + 1.0), found))
    weight = float((counts / (1.0 + others * correlation)).sum())
    return _Past(total, share, weight, 1.0 / correlation - 1.0)


def _blocks(scored: Floats, negative: Floats, block: int) -> tuple[Floats, Floats]:
    """Documents and negatives of the blocks that have any; the oldest one may be shorter."""
    starts = np.arange(len(scored) % block, len(scored), block)
    if len(scored) % block:
        starts = np.concatenate(([0], starts))
    counts, bad = np.add.reduceat(scored, starts), np.add.reduceat(negative, starts)
    any_ = counts > 0.0
    return counts[any_], np.minimum(bad, counts)[any_]


def _in_line(counts: Floats, bad: Floats, inside: Floats) -> NDArray[np.bool_]:
    """False for blocks far from the share of the others; of few documents none is far (Anscombe, *Biometrika* 35, 1948)."""
    angles = np.arcsin(np.sqrt((bad + 0.375) / (counts + 0.75)))
    steadiness = 2.0 * np.sqrt(counts / inside)
    order = np.argsort(angles)
    told = (counts / inside)[order].cumsum()
    middle = angles[order[int(told.searchsorted(0.5 * told[-1]))]]
    keep = np.ones(len(counts), dtype=np.bool_)
    for _ in range(_ROUNDS):
        away = np.abs(steadiness * (angles - middle))
        ordered = np.sort(away)
        scale = max(_STEADIEST, float(ordered[len(away) // 2]) / _MEDIAN)
        keep[:] = away <= max(_OUT * scale, float(ordered[math.ceil(_KEPT * (len(away) - 1))]))
        middle = math.asin(math.sqrt((float((bad / inside)[keep].sum()) + 0.5) / (float((counts / inside)[keep].sum()) + 1.0)))
    return keep
