"""A rule's detector on a series of counts, causally, as the engine would judge it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.alerts.benchmark.nab.corpus import TimeSeries
from streams.alerts.detectors.contract import Assessment, Detector
from streams.alerts.fold import IDLE, Terms, Verdict, step
from streams.alerts.rules.model import Rule
from streams.alerts.tally import Buckets, Floats, View
from streams.errors import SettingsError

__all__ = ["assessments", "notices"]


def assessments(series: TimeSeries, rule: Rule, detector: Detector) -> list[Assessment | None]:
    """The judgement of every row, each as if the series ended there; None until the first window is full.

    A row counts its value into the bucket of `rule.hop_minutes` that its time lies in; the window ends with that bucket.

    Raises:
        SettingsError: the hop is not the distance of the rows, or the window is no multiple of it.
    """
    hop = rule.hop_minutes
    slots = series.seconds // 60 // hop
    if (np.diff(slots) != 1).any():
        raise SettingsError(f"{series.name}: its rows are not {hop} minutes apart", mend="set the rule's hop to the distance of the rows")
    size = rule.window_minutes // hop
    kept = size * detector.lookback
    first = int(slots[0]) * hop
    hours = _hours(series, slots * hop)
    judged: list[Assessment | None] = [None] * (size - 1)
    for row in range(size - 1, len(series)):
        end = (int(slots[row]) + 1) * hop
        start = end - rule.window_minutes
        recent = _buckets(series.values[max(0, row + 1 - kept) : row + 1], end, hop)
        past_end = start // 60
        past_start = max(first // 60, past_end - rule.baseline_minutes // 60)
        past = _buckets(hours[past_start - first // 60 : max(past_end, past_start) - first // 60], max(past_end, past_start) * 60, 60)
        judged.append(detector.assess(View(end, size, recent.total(len(recent) - size), recent, past, first)))
    return judged


def notices(judged: Sequence[Assessment | None], rule: Rule) -> NDArray[np.float64]:
    """Anomaly score of the rows at which the rule would speak, 0 elsewhere: where the engine's episodes are fired."""
    terms = Terms(int(rule.hold.total_seconds() // 60), int(rule.cool_down.total_seconds() // 60), silence=False)
    spoken = np.zeros(len(judged))
    state = IDLE
    for row, assessment in enumerate(judged):
        if assessment is None:
            continue
        end = row * rule.hop_minutes
        verdict = Verdict(assessment.holds, assessment.value, assessment.expected, silent=False)
        state, _ = step(state, end, verdict, complete=True, terms=terms, horizon=end)
        if state.current is not None and state.current.fired == end:
            spoken[row] = assessment.score
    return spoken


def _hours(series: TimeSeries, minutes: NDArray[np.int64]) -> Floats:
    """Sums of the clock hours from the first row's on."""
    return np.bincount(minutes // 60 - int(minutes[0]) // 60, weights=series.values).astype(np.float64)


def _buckets(values: Floats, end: int, step: int) -> Buckets:
    nothing = np.zeros(len(values))
    return Buckets(end - step * len(values), step, values, nothing, nothing, nothing)
