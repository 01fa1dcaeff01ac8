"""Fixed threshold: the signal is above, or below, a number that a person chose."""

from __future__ import annotations

from streams.alerts.detectors.anomaly_score import NEAR_SHARE, from_ratio
from streams.alerts.detectors.contract import Assessment
from streams.alerts.detectors.signals import COUNTS, NAMES, evidence, of_tally, of_window, upper_bound, write
from streams.alerts.rules.detectors import Signal, ThresholdSpec
from streams.alerts.tally import Tally, View

__all__ = ["Threshold"]


class Threshold:
    """Holds where the signal is strictly above ``above`` or strictly below ``below``.

    What is not known does not hold: a share or mean of nothing scored, or "below" for a window that began before
    the counts of the key are complete. Of two limits, `expected` is the one that is nearer to what was measured.
    """

    name = "threshold"
    lookback = 1
    judges_silence = False

    def __init__(self, spec: ThresholdSpec, signal: Signal) -> None:
        self._above = spec.above
        self._below = spec.below
        self._signal = signal
        self._least = spec.above - (1.0 - NEAR_SHARE) * abs(spec.above) if spec.above is not None else None
        self._most = spec.below + (1.0 - NEAR_SHARE) * abs(spec.below) if spec.below is not None else None

    def possible(self, window: Tally) -> bool:
        """See `Detector.possible`. Weights may move a share or mean either way; counts they can only lower."""
        if self._signal not in COUNTS:
            return window.scored > 0
        return self._below is not None or (self._least is not None and of_tally(window, self._signal) >= self._least)

    def assess(self, view: View) -> Assessment:
        """See `Detector.assess`."""
        value = of_window(view, self._signal)
        scored = self._signal in COUNTS or view.window.scored > 0
        complete = scored and (self._signal not in COUNTS or view.known_since <= view.start)
        above = scored and self._above is not None and value > self._above
        below = complete and self._below is not None and value < self._below
        near_above = scored and self._least is not None and value >= self._least
        near_below = complete and self._most is not None and value <= self._most
        limit = self._limit(value)
        says = "above" if above else "below" if below else "within"
        limits = " and ".join(
            f"{word} {write(self._signal, number)}"
            for word, number in (("above", self._above), ("below", self._below))
            if number is not None
        )
        floor = -1.0 if self._signal == "mean_score" else 0.0
        high = self._above if self._above is not None else upper_bound(self._signal, max(value, limit))
        return Assessment(
            holds=above or below,
            near=not (above or below) and (near_above or near_below),
            score=self._score(value, holds=above or below, judged=complete or above),
            p_value=None,
            value=value,
            expected=limit,
            low=self._below if self._below is not None else min(floor, high),
            high=high,
            baseline_minutes=0,
            baseline_documents=0.0,
            explanation=(
                f"{NAMES[self._signal]} {write(self._signal, value)} of {evidence(view.window, self._signal):g} documents, "
                f"{says} the limit ({limits})" + ("" if scored else "; nothing was scored, so nothing is known")
            ),
        )

    def _limit(self, value: float) -> float:
        limits = [limit for limit in (self._above, self._below) if limit is not None]
        return min(limits, key=lambda limit: abs(limit - value))

    def _score(self, value: float, *, holds: bool, judged: bool) -> float:
        if not judged:
            return 0.0
        limit = self._limit(value)
        beyond = value - limit if limit == self._above else limit - value
        score = from_ratio(1.0 + beyond / abs(limit)) if limit else from_ratio(1.0 + beyond)
        return max(score, 0.5) if holds else min(score, 0.5)
