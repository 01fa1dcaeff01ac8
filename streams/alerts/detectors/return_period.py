"""How rarely did this key ever speak so much? Volumes against the key's own record, without a fixed distribution.

Streams of people's attention are bursty: what a Poisson or negative-binomial tail calls impossible happens to a celebrity
every other day, and never to a pipeline operator. So the past tells how far this key strays from its own daily rhythm, and
the window is judged by the *return period* of its excess, the time in which the past lets expect one like it.

1. Rhythm: the median of each hour of the day and its neighbours, over the whole days of the baseline, drawn towards the
   median of all hours while there are few days.
2. Excess of a span: log((count + 3) / (expected + 3)). The past's excesses are taken over spans as long as the window.
3. Tail: above the 90 % quantile of the past's excesses they fall off exponentially, a power law of the counts (Hill,
   *Annals of Statistics* 3, 1975; peaks over threshold: Davison and Smith, *J. R. Stat. Soc. B* 52, 1990). The mean fall-off is
   shrunk towards 0.3 with the weight of ten excesses, so that a short or an all too quiet past cannot promise too much.
4. A window is never rarer than the Poisson tail of its count says: few documents cannot be a sensation.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import NamedTuple

import numpy as np

from streams.alerts.detectors.anomaly_score import NEAR_P_VALUE, from_p_value
from streams.alerts.detectors.contract import Assessment
from streams.alerts.detectors.signals import NAMES, of_buckets, of_tally, of_window, write
from streams.alerts.detectors.tails import poisson_upper
from streams.alerts.rules.detectors import ReturnPeriodSpec, Signal
from streams.alerts.tally import Buckets, Floats, Tally, View

__all__ = ["ReturnPeriod"]

_DAY = 24
_OFFSET = 3.0
_TAIL = 0.1
_FALL_OFF = 0.3
_FALL_OFF_WEIGHT = 10.0
_LEVEL_WEIGHT = 3.0
_REMEMBERED = 256


class _Record(NamedTuple):
    """What the past of a key says, for windows of one length.

    `rhythm` holds 25 sums: documents expected from midnight to each full hour of a day, UTC. `excesses` ascend.
    """

    hours: int
    documents: float
    rhythm: Floats
    excesses: Floats
    start: float
    fall_off: float


class ReturnPeriod:
    """See the module. Needs two whole days of the past; says nothing before. `expected` is the rhythm at the window's hours."""

    name = "return_period"
    lookback = 1
    judges_silence = False

    def __init__(self, spec: ReturnPeriodSpec, signal: Signal) -> None:
        self._spec = spec
        self._signal = signal
        self._records: OrderedDict[tuple[int, int, bytes], _Record | None] = OrderedDict()

    def possible(self, window: Tally) -> bool:
        """See `Detector.possible`."""
        return of_tally(window, self._signal) >= 1.0

    def assess(self, view: View) -> Assessment:
        """See `Detector.assess`."""
        value = of_window(view, self._signal)
        minutes = view.end - view.start
        record = self._record(view.hours, view.known_since, minutes)
        what = f"{write(self._signal, value)} {NAMES[self._signal]}"
        if record is None:
            why = f"{what}; less than two days (or one window) of the past are known, so nothing is known of what is ordinary"
            return Assessment(False, False, 0.0, None, value, 0.0, 0.0, value, 0, 0.0, why)
        expected = _expected(record.rhythm, view.start, minutes)
        # A window shorter than an hour is judged as an hour at its pace.
        pace = max(1.0, 60.0 / minutes)
        p_value = max(_tail(record, math.log((value * pace + _OFFSET) / (expected * pace + _OFFSET))), poisson_upper(value, expected))
        span = max(60, minutes)
        limit = min(0.5, span / (self._spec.once_in.total_seconds() / 60.0))
        enough = value >= self._spec.min_factor * expected
        holds = p_value <= limit and enough
        low, high = (_at_excess(record, excess, expected, pace) for excess in (_quantile(record, 0.005), _quantile(record, 0.995)))
        days = span / max(p_value, 1e-12) / 1440.0
        return Assessment(
            holds=holds,
            near=not holds and p_value <= NEAR_P_VALUE * limit and value > expected,
            score=from_p_value(p_value, limit) if enough else min(0.5, from_p_value(p_value, limit)),
            p_value=p_value,
            value=value,
            expected=expected,
            low=max(0.0, low),
            high=high,
            baseline_minutes=record.hours * 60,
            baseline_documents=record.documents,
            explanation=(
                f"{what}, {write(self._signal, round(expected, 1))} expected at this hour of the day; so much comes "
                f"once in {days:.1f} days by the last {record.hours / _DAY:.0f} days of this key "
                f"(limit: once in {self._spec.once_in.total_seconds() / 86_400:.1f}, and {self._spec.min_factor:g} times what is expected)"
            ),
        )

    def _record(self, hours: Buckets, known_since: int, minutes: int) -> _Record | None:
        """The record of the whole hours since `known_since`; remembered, because it changes once an hour only."""
        ignorant = max(0, -((hours.start - known_since) // 60))
        counts = of_buckets(hours, self._signal)[ignorant:]
        key = (hours.start + 60 * ignorant, minutes, counts.tobytes())
        if key in self._records:
            self._records.move_to_end(key)
            return self._records[key]
        record = _learn(counts, hours.start // 60 + ignorant, max(1, round(minutes / 60)))
        self._records[key] = record
        if len(self._records) > _REMEMBERED:
            self._records.popitem(last=False)
        return record


def _learn(counts: Floats, first_hour: int, span: int) -> _Record | None:
    days = len(counts) // _DAY
    if days < 2 or days * _DAY < span:
        return None
    start = (first_hour + len(counts)) % _DAY
    counts = counts[len(counts) - days * _DAY :]
    around = np.concatenate((counts[:1], counts, counts[-1:]))
    neighbours = np.concatenate([around[shift : shift + len(counts)].reshape(days, _DAY) for shift in (0, 1, 2)])
    weight = len(neighbours)
    rhythm = (np.median(neighbours, axis=0) * weight + float(np.median(counts)) * _LEVEL_WEIGHT) / (weight + _LEVEL_WEIGHT)
    ordinary = np.convolve(np.tile(rhythm, days), np.ones(span), "valid")
    excesses = np.sort(np.log((np.convolve(counts, np.ones(span), "valid") + _OFFSET) / (ordinary + _OFFSET)))
    beyond = excesses[min(math.ceil((1.0 - _TAIL) * len(excesses)), len(excesses) - 1) :]
    tail = float(beyond[0])
    fall_off = float((beyond - tail).sum() + _FALL_OFF * _FALL_OFF_WEIGHT) / (len(beyond) + _FALL_OFF_WEIGHT)
    of_day = np.roll(rhythm, start)
    return _Record(len(counts), float(counts.sum()), np.concatenate(((0.0,), np.cumsum(of_day))), excesses, tail, fall_off)


def _expected(rhythm: Floats, start: int, minutes: int) -> float:
    """Documents that the rhythm lets expect in `minutes` from `start`; within an hour they come evenly."""
    return _until(rhythm, start % 1440 + minutes) - _until(rhythm, start % 1440)


def _until(rhythm: Floats, minute: int) -> float:
    days, rest = divmod(minute, 1440)
    hour, part = divmod(rest, 60)
    below = float(rhythm[hour])
    return days * float(rhythm[_DAY]) + below + (float(rhythm[hour + 1]) - below if part else 0.0) * part / 60.0


def _tail(record: _Record, excess: float) -> float:
    """Probability of an excess at least so great."""
    if excess > record.start:
        return _TAIL * math.exp((record.start - excess) / record.fall_off)
    below = int(np.searchsorted(record.excesses, excess))
    return max(_TAIL, 1.0 - below / len(record.excesses))


def _quantile(record: _Record, level: float) -> float:
    if 1.0 - level < _TAIL:
        return record.start + record.fall_off * math.log(_TAIL / (1.0 - level))
    return float(record.excesses[int(level * len(record.excesses))])


def _at_excess(record: _Record, excess: float, expected: float, pace: float) -> float:
    """The count whose excess over `expected` is `excess`."""
    return (math.exp(excess) * (expected * pace + _OFFSET) - _OFFSET) / pace
