"""Absence: nothing, or far too little, was heard where the same hours of the past let expect much.

The lower negative-binomial tail of what `streams.alerts.detectors.expectation` predicts, as wide as the past came short of it:
bursts say nothing of how deep silence is. A key that is quiet at night
expects little at night and so never misses anything then. Ignorance is not silence: a window that began before the
counts of the key are complete is not judged.
"""

from __future__ import annotations

import math

from streams.alerts.detectors.anomaly_score import NEAR_P_VALUE, NEAR_SHARE, from_p_value
from streams.alerts.detectors.contract import Assessment
from streams.alerts.detectors.expectation import Expectation, Rhythms, known_hours
from streams.alerts.detectors.foresight import Foresight
from streams.alerts.detectors.signals import NAMES, of_buckets, of_window, write
from streams.alerts.detectors.tails import negative_binomial_lower
from streams.alerts.rules.detectors import AbsenceSpec, Signal
from streams.alerts.tally import Tally, View

__all__ = ["Absence"]


class Absence:
    """See the module. Counts negative documents where that is the rule's signal, and else all of them."""

    name = "absence"
    lookback = 1
    judges_silence = True

    def __init__(self, spec: AbsenceSpec, signal: Signal) -> None:
        self._limit = spec.max_p_value
        self._min_expected = spec.min_expected
        self._max_part = spec.max_part
        self._signal: Signal = "negative" if signal == "negative" else "documents"
        self._hours = math.ceil(spec.baseline.total_seconds() / 3600)
        self._rhythms = Rhythms("auto")
        self.foresight = Foresight(self._signal, self._hours, "auto", spec.max_p_value, down=True, least=spec.min_expected)

    def possible(self, window: Tally) -> bool:
        """See `Detector.possible`. Any number may be far too little."""
        return True

    def assess(self, view: View) -> Assessment:
        """See `Detector.assess`."""
        counts = of_buckets(view.hours, self._signal)
        counts = counts[len(counts) - min(self._hours, known_hours(view.hours.start, len(counts), view.known_since)) :]
        value = of_window(view, self._signal)
        known = len(counts) > 0 and view.known_since <= view.start
        rhythm = self._rhythms.of(counts, view.hours.end)
        expected = rhythm.expect(view.start, view.end, steady=True) if known else Expectation(value, 0.0)
        p_value = negative_binomial_lower(value, expected.mean, expected.dispersion) if known else 1.0
        low, high = expected.interval
        much = expected.mean >= self._min_expected
        little = value <= self._max_part * expected.mean
        holds = known and much and little and p_value <= self._limit
        nearly = expected.mean >= NEAR_SHARE * self._min_expected and NEAR_SHARE * value <= self._max_part * expected.mean
        near = known and not holds and nearly and p_value <= self._limit * NEAR_P_VALUE
        sudden = not (holds or near) or not self.foresight.rules_out(view, value)
        why = "; the past is not known" if not known else "" if much else f"; fewer than {self._min_expected:g} expected"
        if known and much and not little:
            why = f"; more than {self._max_part:.0%} of it came"
        return Assessment(
            holds=holds and sudden,
            near=near and sudden,
            score=from_p_value(p_value, self._limit),
            p_value=p_value,
            value=value,
            expected=expected.mean,
            low=low,
            high=high,
            baseline_minutes=60 * len(counts),
            baseline_documents=rhythm.documents,
            explanation=(
                f"{write(self._signal, value)} {NAMES[self._signal]}, expected {write(self._signal, expected.mean)} "
                f"({low:.0f} to {high:.0f}) from the same hours of {len(counts) / 24:.3g} days; p = {p_value:.2g}{why}"
                + ("" if sudden else "; expected hours ago already")
            ),
        )
