"""Is a count out of line with the same hours of the days and weeks before? A negative-binomial tail.

`streams.alerts.detectors.expectation` says what to expect of the window and how widely it scatters; the tail of the
negative binomial of that mean and dispersion is the p-value. The interval is the middle 99 % of it.
"""

from __future__ import annotations

import math

from streams.alerts.detectors.anomaly_score import NEAR_P_VALUE, NEAR_SHARE, from_p_value
from streams.alerts.detectors.contract import Assessment
from streams.alerts.detectors.expectation import Expectation, Rhythms, known_hours
from streams.alerts.detectors.foresight import Foresight
from streams.alerts.detectors.signals import COUNTS, NAMES, of_buckets, of_tally, of_window, write
from streams.alerts.detectors.tails import negative_binomial_lower, negative_binomial_upper, poisson_upper
from streams.alerts.rules.detectors import SeasonalSpec, Signal
from streams.alerts.tally import Tally, View

__all__ = ["LEAST_EXPECTED", "Seasonal"]

LEAST_EXPECTED = 0.5
"""A window lets expect at least this many documents: a key that never spoke may say a word or two without being news."""


class Seasonal:
    """See the module. Without an hour of known past nothing is unusual: the p-value is 1."""

    name = "seasonal"
    lookback = 1
    judges_silence = False

    def __init__(self, spec: SeasonalSpec, signal: Signal) -> None:
        self._spec = spec
        self._signal = signal
        self._hours = math.ceil(spec.baseline.total_seconds() / 3600)
        self._rhythms = Rhythms(spec.seasonality)
        up = spec.direction == "up" and signal in COUNTS
        self.foresight = Foresight(signal, self._hours, spec.seasonality, spec.max_p_value, down=False, least=0.0) if up else None
        self._least = 1
        while poisson_upper(self._least, LEAST_EXPECTED) > spec.max_p_value * NEAR_P_VALUE:
            self._least += 1

    def possible(self, window: Tally) -> bool:
        """See `Detector.possible`. Fewer documents than would be unusual after endless silence cannot be too many."""
        return self._spec.direction != "up" or of_tally(window, self._signal) >= self._least

    def assess(self, view: View) -> Assessment:
        """See `Detector.assess`."""
        counts = of_buckets(view.hours, self._signal)
        counts = counts[len(counts) - min(self._hours, known_hours(view.hours.start, len(counts), view.known_since)) :]
        value = of_window(view, self._signal)
        if not len(counts):
            return self._unknown(value)
        rhythm = self._rhythms.of(counts, view.hours.end)
        expected = rhythm.expect(view.start, view.end)
        p_value = self._p_value(value, expected, complete=view.known_since <= view.start)
        low, high = expected.interval
        reached = self._reached(value, expected.mean)
        holds = p_value <= self._spec.max_p_value and reached >= 1.0
        near = not holds and p_value <= self._spec.max_p_value * NEAR_P_VALUE and reached >= NEAR_SHARE
        sudden = not (holds or near) or self.foresight is None or not self.foresight.rules_out(view, value)
        return Assessment(
            holds=holds and sudden,
            near=near and sudden,
            score=from_p_value(p_value, self._spec.max_p_value),
            p_value=p_value,
            value=value,
            expected=expected.mean,
            low=low,
            high=high,
            baseline_minutes=60 * len(counts),
            baseline_documents=rhythm.documents,
            explanation=(
                f"{write(self._signal, value)} {NAMES[self._signal]}, expected {write(self._signal, expected.mean)} "
                f"({low:.0f} to {high:.0f}) from the same hours of {len(counts) / 24:.3g} days; p = {p_value:.2g}"
                + ("" if reached >= 1.0 else f"; less than a change by the factor {self._spec.min_factor:g}")
                + ("" if sudden else "; expected hours ago already")
            ),
        )

    def _p_value(self, value: float, expected: Expectation, *, complete: bool) -> float:
        """Tail on the side that the rule asks for; both sides: twice the smaller one. What is not wholly known cannot be too few."""
        mean = max(expected.mean, LEAST_EXPECTED)
        direction = self._spec.direction
        # A wide distribution about next to nothing makes a few documents rarer, which is no knowledge: `possible` would not see it.
        up = max(negative_binomial_upper(value, mean, expected.dispersion), poisson_upper(value, mean)) if direction != "down" else 1.0
        down = negative_binomial_lower(value, expected.mean, expected.dispersion) if direction != "up" and complete else 1.0
        return min(1.0, 2.0 * min(up, down)) if direction == "both" else min(up, down)

    def _reached(self, value: float, mean: float) -> float:
        """How much of the wanted factor was reached; 1 is enough."""
        factor, direction = self._spec.min_factor, self._spec.direction
        up = value / (factor * mean) if mean > 0.0 else 2.0
        down = mean / (factor * value) if value > 0.0 else 2.0 * float(mean > 0.0)
        return {"up": up, "down": down, "both": max(up, down)}[direction]

    def _unknown(self, value: float) -> Assessment:
        return Assessment(
            holds=False,
            near=False,
            score=0.0,
            p_value=1.0,
            value=value,
            expected=value,
            low=0.0,
            high=value,
            baseline_minutes=0,
            baseline_documents=0.0,
            explanation=f"{write(self._signal, value)} {NAMES[self._signal]}; nothing is known of the hours before",
        )
