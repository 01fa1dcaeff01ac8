"""Rate of change: the window against the one just before it."""

from __future__ import annotations

from streams.alerts.detectors.anomaly_score import NEAR_SHARE, from_ratio
from streams.alerts.detectors.contract import Assessment
from streams.alerts.detectors.signals import COUNTS, NAMES, evidence, of_tally, of_window, upper_bound, write
from streams.alerts.rules.detectors import RateOfChangeSpec, Signal
from streams.alerts.tally import Tally, View

__all__ = ["RateOfChange"]


_ROUNDING = 1.0 + 1e-9
"""What is just reached must not fail for the last digit of a product."""


class RateOfChange:
    """Holds where the signal is `factor` times that of the window before (below 1: falls to it), or moved by `delta` (below 0: fell).

    A window before with few documents cannot carry a ratio: counts below ``min_reference`` are taken for
    ``min_reference``, so that 0 -> 1 is no rise but 0 -> 100 is; shares and means of fewer scored documents are not
    compared at all. Nor is anything where the window before is not wholly known. `expected` is the signal of the window before.
    """

    name = "rate_of_change"
    lookback = 2
    judges_silence = False

    def __init__(self, spec: RateOfChangeSpec, signal: Signal) -> None:
        self._factor = spec.factor
        self._delta = spec.delta
        self._floor = spec.min_reference
        self._signal = signal
        self._counts = signal in COUNTS

    def possible(self, window: Tally) -> bool:
        """See `Detector.possible`."""
        if not self._counts:
            return window.scored > 0
        if self._falls:
            return True
        reached = of_tally(window, self._signal) * _ROUNDING
        by_factor = self._factor is not None and reached >= NEAR_SHARE * self._factor * self._floor
        return by_factor or (self._delta is not None and reached >= NEAR_SHARE * self._delta)

    @property
    def _falls(self) -> bool:
        return (self._factor is not None and self._factor < 1.0) or (self._delta is not None and self._delta < 0.0)

    def assess(self, view: View) -> Assessment:
        """See `Detector.assess`."""
        value = of_window(view, self._signal)
        count = len(view.recent)
        first = count - 2 * view.size
        before = view.recent.total(max(0, first), count - view.size)
        reference = of_tally(before, self._signal)
        rests_on = evidence(before, self._signal)
        length = view.size * view.recent.step
        known = first >= 0 and view.known_since <= view.start - length
        enough = self._counts or (rests_on >= self._floor and view.window.scored > 0)
        compared = max(reference, self._floor) if self._counts and not self._falls else reference
        reached = max(self._by_factor(value, compared, rests_on), self._by_delta(value, reference)) if known and enough else 0.0
        high = compared if self._factor is None else compared * max(self._factor, 1.0)
        low = compared if self._factor is None else compared * min(self._factor, 1.0)
        if self._delta is not None:
            low, high = min(low, reference + min(self._delta, 0.0)), max(high, reference + max(self._delta, 0.0))
        written = f"{NAMES[self._signal]} {write(self._signal, value)} after {write(self._signal, reference)} in the window before"
        ratio = f", {value / compared:.2g} times" if compared > 0 else ""
        why = "" if known and enough else "; the window before is not wholly known" if not known else "; too few documents to compare"
        return Assessment(
            holds=reached >= 1.0,
            near=NEAR_SHARE <= reached < 1.0,
            score=from_ratio(reached),
            p_value=None,
            value=value,
            expected=reference,
            low=low,
            high=min(high, upper_bound(self._signal, high)),
            baseline_minutes=length if known else 0,
            baseline_documents=rests_on,
            explanation=written + ratio + why,
        )

    def _by_factor(self, value: float, compared: float, rests_on: float) -> float:
        """How much of the wanted ratio was reached; 1 is enough."""
        if self._factor is None:
            return 0.0
        if self._factor >= 1.0:
            return value / (self._factor * compared) if compared > 0.0 else 0.0
        if rests_on < self._floor:
            return 0.0
        return self._factor * compared / value if value > 0.0 else 2.0 * float(compared > 0.0)

    def _by_delta(self, value: float, reference: float) -> float:
        return (value - reference) / self._delta if self._delta else 0.0
