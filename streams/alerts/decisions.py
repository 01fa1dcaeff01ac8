"""The decision log: what a rule did with one evaluation, and how far the window was from each of its conditions."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Iterator
from typing import Literal

from streams.alerts.evidence.numbers import baseline_of, measure_of, observation_of, probability
from streams.alerts.evidence.phrases import instant
from streams.alerts.judgement import Judgement
from streams.alerts.rules.detectors import BreadthSpec, ShareSpec, ThresholdSpec
from streams.documents import Check, Decision, DecisionOutcome, Key

__all__ = ["checks", "compose_decision", "decision_id"]

Relation = Literal[">=", "<=", ">", "<"]
_RELATIONS: dict[Relation, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}

_OF_AN_EPISODE = {DecisionOutcome.FIRED, DecisionOutcome.RESOLVED, DecisionOutcome.RETRACTED}
"""These happen to an alert once: their ids do not depend on when they were found out."""


def decision_id(rule: str, key: Key, outcome: DecisionOutcome, minute: int, alert_id: str | None = None) -> str:
    """Stable id of a decision: one for a rule, key, outcome and hour, so that the log stays readable and bounded.

    What happens to an episode once (fired, resolved, retracted) has one for the alert.

    Args:
        minute: end of the window, minutes since 1970-01-01 UTC.
    """
    place = alert_id if alert_id is not None and outcome in _OF_AN_EPISODE else f"{minute // 60}"
    return hashlib.sha256(f"{rule}|{key}|{outcome.value}|{place}".encode()).hexdigest()[:32]


def compose_decision(judgement: Judgement, outcome: DecisionOutcome, reason: str, alert_id: str | None = None) -> Decision:
    """What the rule did with `judgement`.

    Args:
        reason: why, in a few words; stands behind the detector's own explanation.
        alert_id: the alert that it led to, or that it concerns.
    """
    rule, key, assessment = judgement.rule, judgement.key, judgement.assessment
    return Decision(
        id=decision_id(rule.name, key, outcome, judgement.end, alert_id),
        rule=rule.name,
        key=key,
        at=instant(judgement.end),
        outcome=outcome,
        observed=observation_of(judgement),
        baseline=baseline_of(judgement),
        p_value=probability(assessment.p_value),
        explanation="; ".join(part for part in (assessment.explanation.rstrip("."), reason) if part),
        alert_id=alert_id,
        measure=measure_of(judgement),
        checks=tuple(checks(judgement)),
    )


def checks(judgement: Judgement) -> Iterator[Check]:
    """The rule's conditions as they were when the window was judged: minimum evidence, then the detector's thresholds."""
    view, needed = judgement.view, judgement.rule.evidence
    yield _check("documents", view.window.documents, ">=", needed.documents)
    if needed.negative:
        yield _check("negative documents", view.window.negative, ">=", needed.negative)
    if needed.sources > 1:
        yield _check("sources", view.sources, ">=", needed.sources)
    if needed.languages > 1:
        yield _check("languages", view.languages, ">=", needed.languages)
    spec, assessment = judgement.rule.detector, judgement.assessment
    if isinstance(spec, ShareSpec):
        yield _check("negative share", view.window.share, ">=", spec.min_share)
    if isinstance(spec, ThresholdSpec):
        if spec.above is not None:
            yield _check(judgement.rule.signal.replace("_", " "), assessment.value, ">", spec.above)
        if spec.below is not None:
            yield _check(judgement.rule.signal.replace("_", " "), assessment.value, "<", spec.below)
    for part in (spec, *(part.detector for part in getattr(spec, "parts", ()))):
        if isinstance(part, BreadthSpec):
            yield _check("sources of negative documents", view.negative_sources, ">=", part.min_sources)
            yield _check("languages of negative documents", view.negative_languages, ">=", part.min_languages)
    p_value = probability(assessment.p_value)
    limit = getattr(spec, "max_p_value", None)
    if p_value is not None and limit is not None:
        yield _check("p-value", p_value, "<=", limit)


def _check(name: str, value: float, relation: Relation, needed: float) -> Check:
    return Check(name=name, value=value, relation=relation, needed=needed, met=_RELATIONS[relation](value, needed))
