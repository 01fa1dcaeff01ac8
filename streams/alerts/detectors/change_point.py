"""Change point: CUSUM of standardised residuals over the last windows (Page, *Biometrika* 41, 1954).

The window and the `BLOCKS` - 1 spans of its length before it are each compared with what the baseline before all of them
lets expect, and turned into a normal score z by the mid-p-value of their own predictive distribution (negative binomial
for counts, beta-binomial for shares, normal for mean scores). S begins at 0 before the first span and goes
S = max(0, S + z - forgiven): a pure function of the view, so a late document or a restart changes nothing that it should not.

The condition is S >= ``threshold`` and that the window itself is still on that side (z > forgiven); without the second, S
would need as long to fall as it took to rise. A score counts at most `MOST` deviations: one wild window is no change.

What the baseline does not know, and what wanders from day to day, moves all scores of a view alike; summed up it would look
like a change. Two thirds of its standard deviation, in units of z, are forgiven in addition to the rule's ``drift``.

The p-value is Kingman's bound of the stationary tail, P(S >= s) <= exp(-2 * drift * s) for independent normal scores (Kingman,
*Proceedings of the Cambridge Philosophical Society* 60, 1964), twice that where both directions are watched.

Spans of whole hours come from the hourly sums (they end at the last whole hour before the window), shorter ones from the
recent buckets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist

from streams.alerts.detectors.anomaly_score import NEAR_SHARE, from_ratio
from streams.alerts.detectors.contract import Assessment
from streams.alerts.detectors.expectation import Expectation, Rhythms, known_hours
from streams.alerts.detectors.share import PRIOR_DOCUMENTS, USUAL_PRECISION
from streams.alerts.detectors.signals import COUNTS, NAMES, evidence, of_buckets, of_tally, of_window, write
from streams.alerts.detectors.tails import (
    beta_binomial_judgement,
    beta_binomial_tail,
    negative_binomial_upper,
)
from streams.alerts.rules.detectors import ChangePointSpec, Signal
from streams.alerts.tally import Buckets, Tally, View

__all__ = ["BLOCKS", "MOST", "ChangePoint"]

BLOCKS = 12
MOST = 4.0
LASTING = 2.0 / 3.0
"""Part of the lasting standard deviation that is forgiven: with it the p-values of simulated ordinary streams come true."""

LEAST_HOURS = 24
"""Hours of baseline without which nothing is judged: a change needs something that it changes from."""

_NORMAL = NormalDist()
_DEVIATIONS_99 = _NORMAL.inv_cdf(0.995)
_USUAL_VARIANCE = 0.25
_USUAL_HOURS = 8.0
_MAX_WINDOW_DOCUMENTS = 300


class _Counting:
    """Ordinary counts: the rhythm of the baseline."""

    def __init__(self, rhythms: Rhythms, hours: Buckets, first: int, last: int, signal: Signal) -> None:
        self._signal = signal
        self._rhythm = rhythms.of(of_buckets(hours, signal)[first:last], hours.start + 60 * last)

    def expect(self, tally: Tally, start: int, end: int) -> tuple[float, float, float]:
        expected = self._of(start, end)
        return (expected.mean, *expected.interval)

    def score(self, tally: Tally, start: int, end: int) -> float:
        expected, count = self._of(start, end), of_tally(tally, self._signal)
        upper = negative_binomial_upper(count, expected.mean, expected.dispersion)
        beyond = negative_binomial_upper(count + 1.0, expected.mean, expected.dispersion)
        return _normal_score(0.5 * (upper + beyond))

    def lasting(self, tally: Tally, start: int, end: int) -> float:
        expected = self._of(start, end)
        if expected.mean <= 0.0:
            return 0.0
        return math.sqrt(self._rhythm.wandering(end - start) / (1.0 / expected.mean + expected.dispersion))

    def _of(self, start: int, end: int) -> Expectation:
        return self._rhythm.expect(start, end)


class _Sharing:
    """Ordinary shares: the beta-binomial of `streams.alerts.detectors.share`."""

    def __init__(self, baseline: Tally, world: Tally) -> None:
        ordinary = (world.negative + 1.0) / (world.scored + 2.0)
        weight = 1.0 / (1.0 + baseline.scored / USUAL_PRECISION)
        self._a = PRIOR_DOCUMENTS * ordinary + weight * baseline.negative
        self._b = PRIOR_DOCUMENTS * (1.0 - ordinary) + weight * max(0.0, baseline.scored - baseline.negative)

    def expect(self, tally: Tally, start: int, end: int) -> tuple[float, float, float]:
        n = max(1, min(_MAX_WINDOW_DOCUMENTS, round(tally.scored)))
        _, low, high = beta_binomial_judgement(0, n, self._a, self._b)
        return self._a / (self._a + self._b), low / n, high / n

    def score(self, tally: Tally, start: int, end: int) -> float:
        n = min(_MAX_WINDOW_DOCUMENTS, round(tally.scored))
        k = min(n, round(tally.share * n))
        upper = beta_binomial_tail(k, n, self._a, self._b)
        beyond = beta_binomial_tail(k + 1, n, self._a, self._b) if k < n else 0.0
        return _normal_score(0.5 * (upper + beyond))

    def lasting(self, tally: Tally, start: int, end: int) -> float:
        n = min(_MAX_WINDOW_DOCUMENTS, round(tally.scored))
        return math.sqrt(n / (n + self._a + self._b))


class _Averaging:
    """Ordinary means: normal, with the variance of one document's score as the hours of the baseline show it."""

    def __init__(self, baseline: Buckets, total: Tally) -> None:
        self._mean = total.mean
        squares = float((baseline.scored * (of_buckets(baseline, "mean_score") - total.mean) ** 2).sum())
        hours = float((baseline.scored > 0).sum())
        self._variance = (squares + _USUAL_HOURS * _USUAL_VARIANCE) / (max(0.0, hours - 1.0) + _USUAL_HOURS)
        self._behind = max(1.0, total.scored / (1.0 + total.scored / USUAL_PRECISION))

    def _deviation(self, tally: Tally) -> float:
        return math.sqrt(self._variance * (1.0 / max(tally.scored, 1.0) + 1.0 / self._behind))

    def expect(self, tally: Tally, start: int, end: int) -> tuple[float, float, float]:
        away = _DEVIATIONS_99 * self._deviation(tally)
        return self._mean, max(-1.0, self._mean - away), min(1.0, self._mean + away)

    def score(self, tally: Tally, start: int, end: int) -> float:
        return (tally.mean - self._mean) / self._deviation(tally)

    def lasting(self, tally: Tally, start: int, end: int) -> float:
        return math.sqrt(tally.scored / (tally.scored + self._behind))


def _normal_score(upper: float) -> float:
    """The z that is exceeded with probability `upper`."""
    return -_NORMAL.inv_cdf(min(1.0 - 1e-12, max(1e-12, upper)))


def _cusum(scores: list[float], forgiven: float) -> tuple[float, int]:
    """The sum at the end, and the place of the score with which it last began to grow from 0."""
    total, since = 0.0, len(scores)
    for place, score in enumerate(scores):
        before = total
        total = max(0.0, total + min(MOST, score) - forgiven)
        since = place if before == 0.0 and total > 0.0 else since
    return total, since


class ChangePoint:
    """See the module."""

    name = "change_point"
    judges_silence = False

    def __init__(self, spec: ChangePointSpec, signal: Signal, window_minutes: int) -> None:
        self._spec = spec
        self._signal = signal
        self._block_hours = window_minutes // 60 if window_minutes % 60 == 0 else 0
        self.lookback = 1 if self._block_hours else BLOCKS
        self._hours = math.ceil(spec.baseline.total_seconds() / 3600)
        self._rhythms = Rhythms("auto")

    def possible(self, window: Tally) -> bool:
        """See `Detector.possible`. Where too few are watched for, any number may be."""
        return (self._signal in COUNTS and self._spec.direction != "up") or evidence(window, self._signal) > 0

    def assess(self, view: View) -> Assessment:
        """See `Detector.assess`."""
        blocks = list(self._blocks(view))
        last = (blocks[0][1] if blocks else view.start) - view.hours.start
        last = max(0, min(len(view.hours), last // 60))
        first = max(0, last - self._hours, len(view.hours) - known_hours(view.hours.start, len(view.hours), view.known_since))
        baseline = view.hours.total(first, last)
        value = of_window(view, self._signal)
        if last - first < LEAST_HOURS or view.known_since > view.start:
            return self._unknown(value)
        ordinary = self._ordinary(view, baseline, first, last)
        spans = [*blocks, (view.window, view.start, view.end)]
        scores = [
            ordinary.score(tally, start, end) if evidence(tally, self._signal) or self._signal in COUNTS else 0.0
            for tally, start, end in spans
        ]
        forgiven = self._spec.drift + LASTING * ordinary.lasting(*spans[-1])
        up, up_since = _cusum(scores, forgiven)
        down, down_since = _cusum([-score for score in scores], forgiven)
        rises = self._spec.direction == "up" or (self._spec.direction == "both" and up >= down)
        sum_, since = (up, up_since) if rises else (down, down_since)
        still = (scores[-1] if rises else -scores[-1]) > forgiven
        expected, low, high = ordinary.expect(*spans[-1])
        p_value = min(1.0, (2.0 if self._spec.direction == "both" else 1.0) * math.exp(-2.0 * self._spec.drift * sum_))
        holds = sum_ >= self._spec.threshold and still
        changed = f", {'higher' if rises else 'lower'} for {len(spans) - since} windows" if sum_ > 0.0 else ""
        return Assessment(
            holds=holds,
            near=not holds and still and sum_ >= NEAR_SHARE * self._spec.threshold,
            score=from_ratio(sum_ / self._spec.threshold),
            p_value=p_value,
            value=value,
            expected=expected,
            low=low,
            high=high,
            baseline_minutes=60 * (last - first),
            baseline_documents=evidence(baseline, self._signal),
            explanation=(
                f"{NAMES[self._signal]} {write(self._signal, value)}, expected {write(self._signal, expected)}{changed}; "
                f"cumulative sum {sum_:.1f} of {self._spec.threshold:g}; p = {p_value:.2g}"
            ),
        )

    def _ordinary(self, view: View, baseline: Tally, first: int, last: int) -> _Counting | _Sharing | _Averaging:
        if self._signal in COUNTS:
            return _Counting(self._rhythms, view.hours, first, last, self._signal)
        if self._signal == "negative_share":
            return _Sharing(baseline, view.world)
        hours = view.hours
        part = slice(first, last)
        return _Averaging(
            Buckets(hours.start + 60 * first, 60, hours.documents[part], hours.scored[part], hours.negative[part], hours.score[part]),
            baseline,
        )

    def _blocks(self, view: View) -> Iterator[tuple[Tally, int, int]]:
        """Sum, start and end of the spans before the window, oldest first; only wholly known ones."""
        source, length = (view.hours, self._block_hours) if self._block_hours else (view.recent, view.size)
        last = len(source) - (0 if self._block_hours else view.size)
        for place in range(BLOCKS - 1, 0, -1):
            first = last - place * length
            start = source.start + first * source.step
            if first >= 0 and start >= view.known_since:
                yield source.total(first, first + length), start, start + length * source.step

    def _unknown(self, value: float) -> Assessment:
        return Assessment(
            holds=False,
            near=False,
            score=0.0,
            p_value=1.0,
            value=value,
            expected=value,
            low=min(0.0, value),
            high=max(0.0, value),
            baseline_minutes=0,
            baseline_documents=0.0,
            explanation=f"{NAMES[self._signal]} {write(self._signal, value)}; less than {LEAST_HOURS} hours are known of the time before",
        )
