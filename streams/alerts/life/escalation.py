"""Escalation: an alert that nobody has acknowledged reaches further people, once, with more weight."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Literal

from streams.alerts.rules.model import Rule
from streams.documents import Alert

__all__ = ["escalated", "escalation_minute", "further_channels"]

_SEVERITIES = ("info", "warning", "critical")


def escalation_minute(rules: Iterable[Rule], told: int) -> int | None:
    """When what was told at minute `told` escalates: as early as one of `rules` asks; None: none of them does."""
    waits = [math.ceil(rule.escalation.after / timedelta(minutes=1)) for rule in rules if rule.escalation is not None]
    return told + max(1, min(waits)) if waits else None


def further_channels(rules: Iterable[Rule], channels: Iterable[str]) -> tuple[str, ...]:
    """`channels`, and those that the escalations of `rules` add; each once."""
    more = [channel for rule in rules if rule.escalation is not None for channel in rule.escalation.channels]
    return tuple(dict.fromkeys([*channels, *more]))


def escalated(alert: Alert, rules: Iterable[Rule]) -> Alert:
    """`alert` as it reads after its escalation: never with less weight than before."""
    rules = list(rules)
    severities = [alert.severity, *(rule.escalation.severity for rule in rules if rule.escalation is not None)]
    severity: Literal["info", "warning", "critical"] = max(severities, key=_SEVERITIES.index)
    return alert.model_copy(update={"severity": severity, "channels": further_channels(rules, alert.channels)})
