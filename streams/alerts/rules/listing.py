"""A rule in a few words, for tables."""

from __future__ import annotations

from streams.alerts.rules.condition import FIELDS, Condition
from streams.alerts.rules.duration import write_duration
from streams.alerts.rules.model import Rule

__all__ = ["describe_detector", "describe_watch"]

_SHOWN = 3


def describe_watch(condition: Condition) -> str:
    """What is watched: ``entity: deutsche-bank; terms: bank run, queue, … (9)``."""
    parts = []
    for name in FIELDS:
        values = getattr(condition, name)
        if values is not None:
            rest = f", … ({len(values)})" if len(values) > _SHOWN else ""
            parts.append(f"{name}: {', '.join(values[:_SHOWN])}{rest}")
    for name, children in (("all of", condition.all), ("any of", condition.any), ("not", condition.none)):
        if children:
            parts.append(f"{name} ({' | '.join(describe_watch(child) for child in children)})")
    return "; ".join(parts) or "everything"


def describe_detector(rule: Rule) -> str:
    """Signal, detector and span: ``negative_share by share, 3h against 7d``."""
    kinds = [part.detector.type for part in rule.detector.parts] if rule.detector.type == "composite" else [rule.detector.type]
    past = f" against {rule.baseline_minutes // 1440}d" if rule.baseline_minutes >= 1440 else ""
    hold = f", for {write_duration(rule.hold)}" if rule.hold else ""
    return f"{rule.signal} by {' + '.join(kinds)}, {write_duration(rule.window)}{past}{hold}"
