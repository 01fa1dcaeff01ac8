"""The numbers of a judged window as the wire models write them: whole counts, finite numbers, moments in UTC."""

from __future__ import annotations

import math

from streams.alerts.evidence.phrases import instant
from streams.alerts.judgement import Judgement
from streams.alerts.tally import NOTHING, Tally, View
from streams.documents import Baseline, Measure, Observation

__all__ = ["baseline_of", "measure_of", "observation_of", "probability"]

_ADJACENT = {"rate_of_change", "spike"}
"""Detectors that compare the window with the one before it, and not with the hours of the past."""


def observation_of(judgement: Judgement) -> Observation:
    """Counts of the window; weighted counts are rounded, the share is exact.

    They are the documents with a sentiment, or where no document has one (a rule that watches how many there are) all.
    """
    view = judgement.view
    documents, negative, share = _counts(view.window)
    return Observation(start=instant(view.start), end=instant(view.end), documents=documents, negative=negative, share=share)


def baseline_of(judgement: Judgement) -> Baseline | None:
    """Counts of the time that the detector compared the window with; None where it compared with nothing."""
    view, assessment = judgement.view, judgement.assessment
    if assessment.baseline_minutes <= 0:
        return None
    end = view.start
    if len(view.hours) and judgement.rule.detector.type not in _ADJACENT:
        end = min(end, view.hours.end)
    start = end - assessment.baseline_minutes
    documents, negative, share = _counts(_between(view, start, end))
    expected = _within(assessment.expected, 0.0, 1.0) if judgement.rule.signal == "negative_share" else share
    return Baseline(start=instant(start), end=instant(end), documents=documents, negative=negative, share=share, expected_share=expected)


def measure_of(judgement: Judgement) -> Measure:
    """What the detector measured."""
    rule, assessment = judgement.rule, judgement.assessment
    return Measure(
        signal=rule.signal,
        detector=rule.detector.type,
        value=_finite(assessment.value),
        expected=_finite(assessment.expected),
        low=assessment.low if math.isfinite(assessment.low) else None,
        high=assessment.high if math.isfinite(assessment.high) else None,
        score=_within(assessment.score, 0.0, 1.0),
        p_value=probability(assessment.p_value),
        baseline_minutes=max(0, assessment.baseline_minutes),
        baseline_documents=max(0.0, _finite(assessment.baseline_documents)),
        explanation=assessment.explanation,
    )


def probability(value: float | None) -> float | None:
    """`value` within [0, 1], where it is a number."""
    return None if value is None or math.isnan(value) else _within(value, 0.0, 1.0)


def _counts(tally: Tally) -> tuple[int, int, float]:
    documents = round(tally.scored) or round(tally.documents)
    return documents, min(round(tally.negative), documents), _within(tally.share, 0.0, 1.0)


def _between(view: View, start: int, end: int) -> Tally:
    """Sum of the buckets that lie in [start, end): hours, and the finer ones that follow them."""
    total, reached = NOTHING, start
    for buckets in (view.hours, view.recent):
        first = max(0, -((buckets.start - reached) // buckets.step))
        last = min(len(buckets), (end - buckets.start) // buckets.step)
        if first < last:
            total += buckets.total(first, last)
            reached = buckets.start + last * buckets.step
    return total


def _finite(value: float) -> float:
    """A number that JSON can write; a ratio to nothing is as good as the largest count."""
    if math.isnan(value):
        return 0.0
    return _within(value, -1e12, 1e12)


def _within(value: float, least: float, most: float) -> float:
    return least if math.isnan(value) else min(max(value, least), most)
