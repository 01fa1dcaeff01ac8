"""Several detectors at once: each part looks at its own signal, and enough of them must hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streams.alerts.detectors.contract import Assessment, Detector
from streams.alerts.detectors.signals import NAMES
from streams.alerts.rules.detectors import Signal
from streams.alerts.tally import Tally, View

__all__ = ["Composite", "Part", "combined_p_value"]


class Part(NamedTuple):
    """A detector of the composite and the signal that it judges."""

    detector: Detector
    signal: Signal


def combined_p_value(p_values: Sequence[float | None], at_least: int) -> float | None:
    """Upper bound of the probability that `at_least` parts are at least so unusual, however they depend on each other.

    Of m p-values at least k are <= t with probability at most m * t / k (the expected number is at most m * t: Markov's
    inequality; Rüger, *Metrika* 25, 1978), so (m / k) times the k-th smallest is a p-value; for k = m that is the
    largest. Parts without a p-value may hold at any time: each of them lowers k by one, and with none left to vouch for
    the composite there is no p-value.
    """
    known = sorted(p for p in p_values if p is not None)
    k = at_least - (len(p_values) - len(known))
    return min(1.0, len(known) / k * known[k - 1]) if k >= 1 else None


class Composite:
    """Holds where at least `at_least` of its parts hold.

    `value`, `expected` and interval are those of the first part that judges the rule's own signal (else of the first
    part); score, like the condition, is that of the part which makes the number full.
    """

    name = "composite"

    def __init__(self, parts: Sequence[Part], at_least: int | None, signal: Signal) -> None:
        self._parts = tuple(parts)
        self._wanted = len(self._parts) if at_least is None else at_least
        self._leading = next(
            (place for place, part in enumerate(self._parts) if part.signal == signal and part.detector.name != "breadth"), 0
        )
        self.lookback = max(part.detector.lookback for part in self._parts)
        self.judges_silence = any(part.detector.judges_silence for part in self._parts)

    def possible(self, window: Tally) -> bool:
        """See `Detector.possible`."""
        return sum(part.detector.possible(window) for part in self._parts) >= self._wanted

    def assess(self, view: View) -> Assessment:
        """See `Detector.assess`."""
        found = [part.detector.assess(view) for part in self._parts]
        holding = sum(one.holds for one in found)
        nearly = sum(one.holds or one.near for one in found)
        leading = found[self._leading]
        says = "; ".join(
            f"{part.detector.name} of {NAMES[part.signal]} {'holds' if one.holds else 'does not hold'}: {one.explanation}"
            for part, one in zip(self._parts, found, strict=True)
        )
        return Assessment(
            holds=holding >= self._wanted,
            near=holding < self._wanted <= nearly,
            score=sorted((one.score for one in found), reverse=True)[self._wanted - 1],
            p_value=combined_p_value([one.p_value for one in found], self._wanted),
            value=leading.value,
            expected=leading.expected,
            low=leading.low,
            high=leading.high,
            baseline_minutes=leading.baseline_minutes,
            baseline_documents=leading.baseline_documents,
            explanation=f"{holding} of {len(found)} parts hold, {self._wanted} are wanted: {says}",
        )
