"""What the hours up to the last six-hour mark let expect: enough to see that most windows are nothing special.

Fitting a rhythm costs more than all else that is done for a window. So a window is looked at closely only where the rhythm of
the whole days up to a mark, at most six hours before its start, leaves it doubtful too, at a level that is an order of magnitude
milder than what the rule asks for. This is part of the detectors' definition, a function of the view alone: what is left out
for its sake would not have been an alert. The mark moves every six hours, so that a key's limits are worked out that often.
"""

from __future__ import annotations

import math

from streams.alerts.detectors.anomaly_score import NEAR_P_VALUE
from streams.alerts.detectors.expectation import Rhythm, Seasonality
from streams.alerts.detectors.signals import of_buckets
from streams.alerts.detectors.tails import negative_binomial_quantile
from streams.alerts.rules.detectors import Signal
from streams.alerts.tally import Floats, View

__all__ = ["MARK", "Foresight"]

MARK = 360
"""Minutes between two marks; they are multiples of it."""

_HOUR = 60
_DAY = 24
_MILDER = 10.0
_LEAST_LEVEL = 0.05
_MOST_LEVEL = 0.5
_LEAST_PART = 0.5


class Foresight:
    """Limits that windows must pass to be looked at.

    Args:
        signal: a count.
        hours: the detector's baseline.
        limit: its largest p-value.
        down: too few are looked for, else too many.
        least: the smallest expectation of interest, for `down`; half of it at the mark will do.
    """

    def __init__(self, signal: Signal, hours: int, seasonality: Seasonality, limit: float, *, down: bool, least: float) -> None:
        self.signal: Signal = signal
        self.down = down
        self._hours = hours
        self._seasonality = seasonality
        self._level = min(_MOST_LEVEL, max(_LEAST_LEVEL, _MILDER * NEAR_P_VALUE * limit))
        self._least = least

    def span(self, mark: int, known_since: int) -> tuple[int, int]:
        """First hour (since 1970-01-01 UTC), and number, of the known whole days that end at `mark` (a multiple of `MARK` minutes)."""
        last = mark // _HOUR
        hours = max(0, min(self._hours - MARK // _HOUR, last + -known_since // _HOUR))
        count = hours // _DAY * _DAY
        return last - count, count

    def limits(self, counts: Floats, mark: int, window: int, hop: int) -> tuple[float, ...]:
        """A limit for each window, of `window` minutes, that starts at `mark` or one of the hops of `hop` minutes before the next one.

        Args:
            counts: of the hours of `span`, not empty.
        """
        rhythm = Rhythm(counts, mark, self._seasonality)
        return tuple(self._limit(rhythm, start, start + window) for start in range(mark, mark + MARK, hop))

    def excludes(self, value: float, limit: float) -> bool:
        """Whether a window of `value` need not be looked at. The less unusual the value, the more is excluded."""
        return value >= limit if self.down else value < limit

    def rules_out(self, view: View, value: float) -> bool:
        """The same for the window of `view`; False where not a whole day is known, or less is shown than is known."""
        mark = view.start // MARK * MARK
        first, count = self.span(mark, view.known_since)
        place = first - view.hours.start // _HOUR
        if not count or place < 0 or place + count > len(view.hours):
            return False
        rhythm = Rhythm(of_buckets(view.hours, self.signal)[place : place + count], mark, self._seasonality)
        return self.excludes(value, self._limit(rhythm, view.start, view.end))

    def _limit(self, rhythm: Rhythm, start: int, end: int) -> float:
        expected = rhythm.expect(start, end, steady=self.down)
        mean, dispersion = expected.mean, expected.dispersion
        if self.down:
            if mean < _LEAST_PART * self._least:
                return -math.inf
            return negative_binomial_quantile(self._level, mean, dispersion)
        return 1.0 + negative_binomial_quantile(1.0 - self._level, mean, dispersion) if mean > 0.0 else 0.0
