"""From a rule to its detector."""

from __future__ import annotations

from collections.abc import Mapping

from streams.alerts.detectors.absence import Absence
from streams.alerts.detectors.breadth import Breadth
from streams.alerts.detectors.change_point import ChangePoint
from streams.alerts.detectors.composite import Composite, Part
from streams.alerts.detectors.contract import Detector
from streams.alerts.detectors.rate_of_change import RateOfChange
from streams.alerts.detectors.return_period import ReturnPeriod
from streams.alerts.detectors.seasonal import Seasonal
from streams.alerts.detectors.share import Share
from streams.alerts.detectors.signals import COUNTS, NAMES
from streams.alerts.detectors.spike import Spike
from streams.alerts.detectors.threshold import Threshold
from streams.alerts.rules.detectors import (
    AbsenceSpec,
    BreadthSpec,
    ChangePointSpec,
    CompositeSpec,
    DetectorSpec,
    RateOfChangeSpec,
    ReturnPeriodSpec,
    SeasonalSpec,
    ShareSpec,
    Signal,
    SpikeSpec,
    ThresholdSpec,
)
from streams.alerts.rules.model import Rule
from streams.errors import SettingsError

__all__ = ["SIGNALS", "build"]

_ALL: frozenset[Signal] = frozenset(NAMES)

SIGNALS: Mapping[str, frozenset[Signal]] = {
    "threshold": _ALL,
    "rate_of_change": _ALL,
    "seasonal": COUNTS,
    "share": frozenset({"negative_share"}),
    "change_point": _ALL,
    "absence": _ALL,
    "return_period": COUNTS,
    "spike": COUNTS,
    "breadth": _ALL,
    "composite": _ALL,
}
"""Signals that each detector can judge, by its type. Absence counts documents (``negative``: the negative ones) whatever
the signal, and breadth looks at sources only: both take any."""


def build(rule: Rule) -> Detector:
    """The detector of `rule`.

    Raises:
        SettingsError: the detector, or a part of a composite, cannot judge its signal.
    """
    spec = rule.detector
    if isinstance(spec, CompositeSpec):
        parts = []
        for part in spec.parts:
            signal = part.signal or rule.signal
            parts.append(Part(_build(rule, part.detector, signal), signal))
        return Composite(parts, spec.at_least, rule.signal)
    return _build(rule, spec, rule.signal)


def _build(rule: Rule, spec: DetectorSpec, signal: Signal) -> Detector:
    if signal not in SIGNALS[spec.type]:
        raise SettingsError(
            f"rule {rule.name}: the detector {spec.type} cannot judge {signal}", mend=f"signal: {' or '.join(sorted(SIGNALS[spec.type]))}"
        )
    match spec:
        case ThresholdSpec():
            return Threshold(spec, signal)
        case RateOfChangeSpec():
            return RateOfChange(spec, signal)
        case SeasonalSpec():
            return Seasonal(spec, signal)
        case ShareSpec():
            return Share(spec)
        case ChangePointSpec():
            return ChangePoint(spec, signal, rule.window_minutes)
        case AbsenceSpec():
            return Absence(spec, signal)
        case ReturnPeriodSpec():
            return ReturnPeriod(spec, signal)
        case SpikeSpec():
            return Spike(spec, signal)
        case BreadthSpec():
            return Breadth(spec)
        case CompositeSpec():
            raise SettingsError(f"rule {rule.name}: a composite stands inside a composite", mend="write its parts beside the others")
