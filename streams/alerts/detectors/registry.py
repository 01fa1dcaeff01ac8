"""From a rule to its detector."""

from __future__ import annotations

from streams.alerts.detectors.absence import Absence
from streams.alerts.detectors.breadth import Breadth
from streams.alerts.detectors.change_point import ChangePoint
from streams.alerts.detectors.composite import Composite, Part
from streams.alerts.detectors.contract import Detector
from streams.alerts.detectors.rate_of_change import RateOfChange
from streams.alerts.detectors.return_period import ReturnPeriod
from streams.alerts.detectors.seasonal import Seasonal
from streams.alerts.detectors.share import Share
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

__all__ = ["build"]


def build(rule: Rule) -> Detector:
    """The detector of `rule`, whose signal it can judge: a `Rule` with another signal does not come to be."""
    return _build(rule.detector, rule.signal, rule.window_minutes)


def _build(spec: DetectorSpec, signal: Signal, window_minutes: int) -> Detector:
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
            return ChangePoint(spec, signal, window_minutes)
        case ReturnPeriodSpec():
            return ReturnPeriod(spec, signal)
        case AbsenceSpec():
            return Absence(spec, signal)
        case SpikeSpec():
            return Spike(spec, signal)
        case BreadthSpec():
            return Breadth(spec)
        case CompositeSpec():
            signals = [part.signal or signal for part in spec.parts]
            parts = [Part(_build(part.detector, own, window_minutes), own) for part, own in zip(spec.parts, signals, strict=True)]
            return Composite(parts, spec.at_least, signal)
