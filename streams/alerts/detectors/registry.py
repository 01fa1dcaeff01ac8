"""From a rule to its detector."""

from __future__ import annotations

from collections.abc import Mapping

from streams.alerts.detectors.breadth import Breadth
from streams.alerts.detectors.contract import Detector
from streams.alerts.detectors.share import Share
from streams.alerts.detectors.threshold import Threshold
from streams.alerts.rules.detectors import Signal
from streams.alerts.rules.model import Rule
from streams.errors import SettingsError

__all__ = ["SIGNALS", "build"]

_COUNTS: frozenset[Signal] = frozenset({"documents", "negative"})
_ALL: frozenset[Signal] = _COUNTS | {"negative_share", "mean_score"}

SIGNALS: Mapping[str, frozenset[Signal]] = {
    "threshold": _ALL,
    "rate_of_change": _ALL,
    "seasonal": _COUNTS,
    "share": frozenset({"negative_share"}),
    "change_point": _ALL,
    "absence": _ALL,
    "spike": _COUNTS,
    "breadth": _ALL,
    "composite": _ALL,
}
"""Signals that each detector can judge, by its type. Absence counts documents (``negative``: the negative ones) whatever the
signal, and breadth looks at sources only; both take any."""


def build(rule: Rule) -> Detector:
    """The detector of `rule`.

    Raises:
        SettingsError: the detector cannot judge the rule's signal.
    """
    spec = rule.detector
    if spec.type == "threshold":
        return Threshold(spec, rule.signal)
    if spec.type == "share":
        return Share(spec)
    if spec.type == "breadth":
        return Breadth(spec)
    raise SettingsError(f"rule {rule.name}: there is no detector {spec.type}")
