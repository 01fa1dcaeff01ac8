"""ElastAlert2's spike rule as its documentation has it: two adjacent windows and a ratio. A detector to compare with.

A match is `spike_height` times as many events in the current window as in the reference window just before it (up), or
as many times fewer (down), provided that both hold at least ``threshold_ref`` and ``threshold_cur``. Nothing is said
until the reference window was filled once. With no events before, one is enough: the rule fires on 0 -> 1, as documented.
"""

from __future__ import annotations

from streams.alerts.detectors.anomaly_score import NEAR_SHARE, from_ratio
from streams.alerts.detectors.contract import Assessment
from streams.alerts.detectors.signals import NAMES, of_tally, of_window, write
from streams.alerts.rules.detectors import Signal, SpikeSpec
from streams.alerts.tally import Tally, View

__all__ = ["Spike"]


class Spike:
    """See the module. `expected` is the count of the reference window."""

    name = "spike"
    lookback = 2
    judges_silence = False

    def __init__(self, spec: SpikeSpec, signal: Signal) -> None:
        self._spec = spec
        self._signal = signal

    def possible(self, window: Tally) -> bool:
        """See `Detector.possible`."""
        return of_tally(window, self._signal) >= NEAR_SHARE * self._spec.threshold_cur

    def assess(self, view: View) -> Assessment:
        """See `Detector.assess`."""
        spec = self._spec
        current = of_window(view, self._signal)
        count = len(view.recent)
        length = view.size * view.recent.step
        filled = count >= 2 * view.size and view.known_since <= view.start - length
        reference = of_tally(view.recent.total(max(0, count - 2 * view.size), count - view.size), self._signal)
        enough = filled and current >= spec.threshold_cur and reference >= spec.threshold_ref and (current > 0 or reference > 0)
        up = current / (spec.spike_height * reference) if reference > 0 else 2.0 * float(current > 0)
        down = reference / (spec.spike_height * current) if current > 0 else 2.0 * float(reference > 0)
        reached = {"up": up, "down": down, "both": max(up, down)}[spec.spike_type] if enough else 0.0
        ratio = f"{current / reference:.2g} times" if reference > 0 else "from nothing"
        why = "" if enough else "; the reference window was never filled" if not filled else "; below the least numbers of events"
        return Assessment(
            holds=reached >= 1.0,
            near=NEAR_SHARE <= reached < 1.0,
            score=from_ratio(reached),
            p_value=None,
            value=current,
            expected=reference,
            low=reference / spec.spike_height if spec.spike_type != "up" else 0.0,
            high=reference * spec.spike_height if spec.spike_type != "down" else max(current, reference),
            baseline_minutes=length if filled else 0,
            baseline_documents=reference,
            explanation=(
                f"{write(self._signal, current)} {NAMES[self._signal]} after {write(self._signal, reference)} "
                f"in the window before, {ratio}{why}"
            ),
        )
