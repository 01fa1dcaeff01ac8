"""What each field allows by itself, but what makes no sense together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from streams.alerts.rules.duration import write_duration
from streams.alerts.rules.faults import fault

if TYPE_CHECKING:
    from streams.alerts.rules.model import Rule

__all__ = ["check_sense"]

_SIGNALS = {
    "share": ("negative_share",),
    "seasonal": ("documents", "negative"),
    "spike": ("documents", "negative"),
    "return_period": ("documents", "negative"),
    "absence": ("documents", "negative"),
}
_RANGES = {"documents": (0.0, None), "negative": (0.0, None), "negative_share": (0.0, 1.0), "mean_score": (-1.0, 1.0)}
_LEAST_BASELINE = {"hour_of_week": timedelta(weeks=2), "hour_of_day": timedelta(days=2)}
_WITHOUT_PROBABILITY = ("threshold", "rate_of_change", "spike", "breadth")
_RANK = {"info": 0, "warning": 1, "critical": 2}

Place = tuple[str | int, ...]


def check_sense(rule: Rule) -> None:
    """Raise the first contradiction of `rule`, which is valid field by field.

    Raises:
        PydanticCustomError: see `streams.alerts.rules.faults`.
    """
    for spec, signal, place, signal_place in _parts(rule):
        _signal(spec, signal, signal_place)
        _numbers(spec, signal, place)
        _baseline(rule, spec, place)
    _evidence(rule)
    _outlook(rule)


def _parts(rule: Rule) -> Iterator[tuple[Any, str, Place, Place]]:
    """Every detector with its signal, its place in the file, and the place of what names the signal."""
    spec: Any = rule.detector
    if spec.type != "composite":
        yield spec, rule.signal, ("detector",), ("signal",)
        return
    for number, part in enumerate(spec.parts):
        at: Place = ("detector", "parts", number)
        yield part.detector, part.signal or rule.signal, (*at, "detector"), (*at, "signal") if part.signal else at


def _signal(spec: Any, signal: str, place: Place) -> None:
    allowed = _SIGNALS.get(spec.type)
    if allowed is not None and signal not in allowed:
        raise fault(f"detector {spec.type} cannot judge {signal}", f"signal: {' or '.join(allowed)}", *place)


def _numbers(spec: Any, signal: str, place: Place) -> None:
    if spec.type == "threshold":
        low, high = _RANGES[signal]
        for name, number in (("above", spec.above), ("below", spec.below)):
            if number is None:
                continue
            never = (high is not None and number >= high) if name == "above" else number <= low
            always = number < low if name == "above" else (high is not None and number > high)
            if never or always:
                extent = f"{signal} lies in [{low:g}, {'∞' if high is None else f'{high:g}'}]"
                raise fault(f"{name} {number:g} is {'never' if never else 'always'} fulfilled", extent, *place, name)
    if spec.type == "rate_of_change" and spec.factor is not None and signal == "mean_score":
        raise fault("a mean score, which may be negative, has no factor", "write delta: -0.3", *place, "factor")


def _baseline(rule: Rule, spec: Any, place: Place) -> None:
    baseline = getattr(spec, "baseline", None)
    if baseline is None:
        return
    if baseline < rule.window:
        raise fault(
            f"{write_duration(baseline)} is shorter than the window of {write_duration(rule.window)}",
            "a baseline is many windows long, for example 7d",
            *place,
            "baseline",
        )
    least = _LEAST_BASELINE.get(getattr(spec, "seasonality", ""))
    if least is not None and baseline < least:
        raise fault(
            f"{write_duration(baseline)} is too short for seasonality {spec.seasonality}",
            f"at least {write_duration(least)}, or seasonality: auto",
            *place,
            "baseline",
        )


def _evidence(rule: Rule) -> None:
    spec: Any = rule.detector
    evidence = rule.evidence
    if spec.type == "absence" and (evidence.documents or evidence.negative or evidence.sources or evidence.languages):
        raise fault(
            "asks for documents where silence is what is looked for",
            "leave evidence out of this rule, or write {documents: 0, sources: 0, languages: 0}",
            "evidence",
        )
    if spec.type == "threshold" and spec.above is None and rule.signal == "documents" and spec.below <= evidence.documents:
        raise fault(
            f"below {spec.below:g} documents cannot hold where evidence asks for {evidence.documents}",
            "write evidence: {documents: 0, sources: 0, languages: 0}",
            "detector",
            "below",
        )
    for one, many in (("source", "sources"), ("language", "languages")):
        watched = getattr(rule.watch, one)
        known = None if watched is None else len(set(watched))
        # A key of its own for each value can never see two of them.
        if one in rule.group_by:
            known = 1
        wanted = {("evidence", many): getattr(evidence, many)}
        for part, _, place, _ in _parts(rule):
            if part.type == "breadth":
                wanted[(*place, f"min_{many}")] = getattr(part, f"min_{many}")  # type: ignore[index]
        for place, least in wanted.items():
            if known is not None and least > known:
                raise fault(f"{least} {many} cannot agree where the rule sees only {known}", f"at most {known}", *place)


def _outlook(rule: Rule) -> None:
    kinds = [spec.type for spec, *_ in _parts(rule)]
    if rule.budget is not None and all(kind in _WITHOUT_PROBABILITY for kind in kinds):
        raise fault(f"detector {kinds[0]} has no probability that a budget could limit", "leave budget out", "budget")
    escalation = rule.escalation
    if escalation is not None and _RANK[escalation.severity] < _RANK[rule.severity]:
        raise fault(
            f"{escalation.severity} is less than the rule's own {rule.severity}", f"at least {rule.severity}", "escalation", "severity"
        )
    if rule.hold > timedelta(days=7):
        raise fault(f"{write_duration(rule.hold)} is too long to wait", "at most 7d", "for")
