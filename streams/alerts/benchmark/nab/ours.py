"""A rule's detector on a series of counts, causally, as the engine would judge it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.alerts.benchmark.nab.corpus import TimeSeries
from streams.alerts.detectors.contract import Assessment, Detector
from streams.alerts.rules.model import Rule
from streams.alerts.tally import Buckets, Floats, View
from streams.errors import SettingsError

__all__ = ["assessments", "notices"]

_RECOVERY = 0.25
"""An episode is over when the value is back within this part of its rise above what was expected, as in the engine."""


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


def notices(judged: list[Assessment | None], rule: Rule) -> NDArray[np.float64]:
    """Anomaly score of the rows at which the rule would speak, 0 elsewhere: once an episode, and not within its cool-down.

    The condition must hold for `rule.hold`; an episode lasts until the value has come back.
    """
    spoken = np.zeros(len(judged))
    needed = 1 + int(rule.hold.total_seconds() // 60) // rule.hop_minutes
    rest = int(rule.cool_down.total_seconds() // 60) // rule.hop_minutes
    held, firing, quiet_until, peak = 0, False, 0, 0.0
    for row, assessment in enumerate(judged):
        if assessment is None:
            continue
        held = held + 1 if assessment.holds else 0
        if firing:
            firing = assessment.holds or assessment.value > assessment.expected + _RECOVERY * (peak - assessment.expected)
            peak = max(peak, assessment.value)
        elif held >= needed and row >= quiet_until:
            firing, quiet_until, peak = True, row + rest, assessment.value
            spoken[row] = assessment.score
    return spoken


def _hours(series: TimeSeries, minutes: NDArray[np.int64]) -> Floats:
    """Sums of the clock hours from the first row's on."""
    return np.bincount(minutes // 60 - int(minutes[0]) // 60, weights=series.values).astype(np.float64)


def _buckets(values: Floats, end: int, step: int) -> Buckets:
    nothing = np.zeros(len(values))
    return Buckets(end - step * len(values), step, values, nothing, nothing, nothing)
