"""What the same hours of the days and weeks before let expect of a count: level, rhythm and dispersion.

Three levels of rhythm, each shrunk to the one below it by as much as its own noise demands (empirical Bayes: Efron and
Morris, *JASA* 68, 1973): the overall mean, the hour of the day, and the day and hour of the week. So a long past gives
every hour of the week its own expectation, and a short one falls back.

* Robust: an hour far out of line with its own hour of day and day of week (five robust deviations by the median absolute
  deviation, and 2.5 times too much or less than a third) is left out of the rhythm. A past incident masks nothing: it is left
  out of rhythm, level and dispersion alike (`streams.alerts.detectors.past_incidents`), unless there were many of them.
* Drift is followed by a trend, the median growth of days against the same days of the week some weeks before (in the manner
  of Sen, *JASA* 63, 1968), drawn towards none by its own standard error, and by a local level: the median, over the last
  three days, of what came to what the rhythm had let expect in six hours each. An incident of less than a day and a half
  does not move it.
* Dispersion is measured on blocks of about the window's length, each predicted by the level before it, as the window is:
  bursts, drift and wandering levels all count as ordinary where they are ordinary. Single deviations count up to three
  robust deviations, so that one incident does not hide the next.
* Ignorance is dispersion too: few days say little about the day's rhythm, few weeks about the week's.

Everything is a pure function of the hours given.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from streams.alerts.detectors.past_incidents import SPAN, median, without_incidents
from streams.alerts.detectors.tails import negative_binomial_interval
from streams.alerts.tally import Floats

__all__ = ["Expectation", "Rhythm", "Seasonality", "known_hours"]

Seasonality = Literal["auto", "hour_of_week", "hour_of_day", "none"]

DAY = 24
WEEK = 7
LEVEL_BLOCK = SPAN
LEVEL_BLOCKS = 12
SLOTS = WEEK * DAY // LEVEL_BLOCK
LEVEL_DOCUMENTS = 5.0
"""Documents added to either side of a block's ratio: sparse keys keep the level of their past."""

UNKNOWN_DAY = 0.5
"""Relative variance of an hour of day of which nothing is known."""

UNKNOWN_WEEK = 0.1
"""Relative variance of a day of week of which nothing is known."""

USUAL_DISPERSION = 0.05
USUAL_BLOCKS = 8.0
"""Dispersion before the key has shown its own, and blocks that it weighs."""

MOST_GROWTH = 0.1
"""Most growth per day (of the logarithm) that is believed to go on."""

_BLOCKS = (1, 2, 3, 4, 6, 8, 12, 24)
_OUT = 5.0
_CAP = 10.0
_NORMAL_80 = 1.6424
_BELOW_75 = 0.9099
_MAD = 1.4826
_QUARTILES = 1.349
_MEDIAN_ERROR = 1.2533
_CACHED = 256


def known_hours(start: int, length: int, known_since: int) -> int:
    """How many of `length` hours from minute `start` on are wholly known."""
    return max(0, min(length, length - math.ceil((known_since - start) / 60)))


@dataclass(frozen=True)
class Expectation:
    """A count to come: its mean, and its dispersion (variance = mean + dispersion * mean²)."""

    mean: float
    dispersion: float

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Counts between which the middle 99 % lie."""
        return negative_binomial_interval(self.mean, self.dispersion)


def _block(minutes: int) -> int:
    """Hours of the blocks on which the dispersion of a span of `minutes` is measured."""
    return next((block for block in reversed(_BLOCKS) if block * 60 <= minutes), 1)


def _ratio(within: float, between: float, least: float, most: float) -> float:
    """Weight of the level below in observations: noise against what really differs."""
    return most if between <= 0.0 else min(most, max(least, within / between))


class Rhythm:
    """Fitted to the known hours of a key's past, which end at minute `end`; predicts what comes after.

    Args:
        counts: of consecutive hours, oldest first, shape (hours,); the last one ends at minute `end`.
        end: minutes since 1970-01-01 UTC.
        seasonality: the finest rhythm that is looked for; ``auto`` is as ``hour_of_week``, but never trusted beyond its noise.

    Attributes:
        usual: whether each hour that was used is outside past incidents, shape (hours,).
    """

    def __init__(self, counts: Floats, end: int, seasonality: Seasonality) -> None:
        self._end = end
        self._days = len(counts) // DAY if seasonality != "none" else 0
        self._weeks = self._days // WEEK if seasonality in ("auto", "hour_of_week") else 0
        self._hours = len(counts)
        self._documents = float(counts.sum())
        flat = float(counts.mean()) if len(counts) else 0.0
        self._behind = 0.0
        self._table = np.full((WEEK, DAY), flat)
        self._past = counts.reshape(-1, 1)
        self._predicted = np.full_like(self._past, flat)
        self._level = self._steady_level = 1.0
        self.usual = np.ones(len(counts), dtype=np.bool_)
        if self._days:
            self._past = counts[len(counts) - DAY * self._days :].reshape(self._days, DAY)
            self.usual = without_incidents(self._past)
            self._fit(seasonality)
        elif len(counts) >= DAY:
            self._past = counts[len(counts) % DAY :].reshape(-1, DAY)
            self.usual = self.usual[len(counts) % DAY :]
            self._predicted = self._follow(np.full_like(self._past, flat))
        self._cumulated = np.concatenate(([0.0], self._table.ravel().cumsum()))
        self._dispersions: dict[tuple[int, bool], float] = {}
        self._expected: dict[tuple[int, int, bool], Expectation] = {}

    def _fit(self, seasonality: Seasonality) -> None:
        days, weeks = self._days, self._weeks
        growth = self._growth()
        raised = np.exp(growth * np.arange(days, 0, -1.0))[:, None]
        past = self._past * raised if growth else self._past
        keep = self._in_line(past) * self.usual.reshape(days, DAY)
        kept = keep.sum(axis=0)
        sums = (past * keep).sum(axis=0)
        means = sums / np.maximum(kept, 1.0)
        mean = float(sums.sum() / max(1.0, float(kept.sum())))
        noise = float((keep * (past - means) ** 2).sum()) / max(1.0, float(keep.sum()) - DAY) if days > 1 else mean
        noise = max(noise, mean)
        weight = _ratio(noise, float(means.var()) - noise / days, 0.02, 50.0)
        by_hour = (sums + weight * mean) / (kept + weight)
        self._table = np.tile(by_hour, (WEEK, 1))
        self._behind = days + weight
        if weeks:
            self._fit_week(past, keep, by_hour, trusted=seasonality == "hour_of_week")
        self._predicted = self._follow(self._table[self._rows()] / raised)

    def _rows(self) -> NDArray[np.intp]:
        """Row of the table for each day of the past; row 0 is the day to come, and that a week before it."""
        return (np.arange(self._days) - self._days) % WEEK

    def _growth(self) -> float:
        """Growth of the logarithm of the daily count per day; 0 where less than two weeks are known."""
        half = self._weeks // 2
        if not half:
            return 0.0
        logs = np.log(self._past.sum(axis=1) + LEVEL_DOCUMENTS)
        steps = np.sort(logs[WEEK * half :] - logs[: -WEEK * half])
        count = len(steps)
        middle = float(median(steps))
        spread = float(steps[(3 * count) // 4] - steps[count // 4]) / _QUARTILES
        error = _MEDIAN_ERROR * spread / math.sqrt(count)
        if abs(middle) <= error:
            return 0.0
        growth = middle * (1.0 - (error / middle) ** 2) / (WEEK * half)
        return max(-MOST_GROWTH, min(MOST_GROWTH, growth))

    def _in_line(self, past: Floats) -> Floats:
        """1.0 for hours that are in line with the same hour of other days, 0.0 for incidents and outages; shape (days, 24)."""
        days = self._days
        if days < 4:
            return np.ones_like(past)
        middle = median(past)
        centre = np.broadcast_to(middle, past.shape)
        if self._weeks:
            slots = past[days - WEEK * self._weeks :].reshape(self._weeks, SLOTS, LEVEL_BLOCK).sum(axis=2)
            usual = np.tile(middle.reshape(-1, LEVEL_BLOCK).sum(axis=1), WEEK)
            factors = (median(slots) + LEVEL_DOCUMENTS) / (usual + LEVEL_DOCUMENTS)
            centre = middle * factors.repeat(LEVEL_BLOCK).reshape(WEEK, DAY)[self._rows()]
        away = np.abs(past - centre) / np.sqrt(centre + 1.0)
        scale = max(1.0, _MAD * float(median(away.ravel())))
        far = (past > 2.5 * centre + 2.0) | (past < 0.3 * centre)
        return np.where((away > _OUT * scale) & far, 0.0, 1.0)

    def _fit_week(self, past: Floats, keep: Floats, by_hour: Floats, *, trusted: bool) -> None:
        """Factor of each quarter of each day of the week, then each of its hours; they count from the end of the past."""
        weeks = self._weeks
        first = self._days - WEEK * weeks
        past = past[first:].reshape(weeks, SLOTS, LEVEL_BLOCK)
        kept = keep[first:].reshape(weeks, SLOTS, LEVEL_BLOCK)
        hours = np.tile(by_hour, WEEK).reshape(SLOTS, LEVEL_BLOCK)
        came = (past * kept).sum(axis=2)
        usual = (hours * kept).sum(axis=2)
        factors = (came.sum(axis=0) + LEVEL_DOCUMENTS) / (usual.sum(axis=0) + LEVEL_DOCUMENTS)
        if trusted:
            shrink = 0.1
        elif weeks == 1:
            shrink = 1.0
        else:
            ratios = (came + LEVEL_DOCUMENTS) / (usual + LEVEL_DOCUMENTS)
            within = float(((ratios - factors) ** 2).sum()) / (SLOTS * (weeks - 1))
            shrink = _ratio(within, float(factors.var()) - within / weeks, 0.1, 50.0)
        base = hours * ((weeks * factors + shrink) / (weeks + shrink))[:, None]
        seen = kept.sum(axis=0)
        rest = ((past - base) * kept).sum(axis=0) / np.maximum(seen, 1.0)
        if trusted:
            weight = 0.5
        elif weeks == 1:
            weight = 4.0
        else:
            within = float((kept * (past - base - rest) ** 2).sum()) / (DAY * WEEK * (weeks - 1))
            weight = _ratio(within, float(rest.var()) - within / weeks, 0.5, 100.0)
        part = seen / (seen + weight)
        self._table = np.maximum(base + part * rest, 0.0).reshape(WEEK, DAY)
        share = weeks / (weeks + weight)
        self._behind = 1.0 / (share / weeks + (1.0 - share) / self._behind)

    def _follow(self, table: Floats) -> Floats:
        """What the rhythm and the level of the three days before predicted for each past hour; sets the level of now."""
        days = len(table)
        came = self._past.reshape(-1, LEVEL_BLOCK).sum(axis=1)
        expected = table.reshape(-1, LEVEL_BLOCK).sum(axis=1)
        usual = self.usual.reshape(-1, LEVEL_BLOCK).all(axis=1)
        ratios = np.concatenate((np.ones(LEVEL_BLOCKS), ((came + LEVEL_DOCUMENTS) / (expected + LEVEL_DOCUMENTS))[usual]))
        before = np.concatenate(([0], usual.cumsum()))[:: DAY // LEVEL_BLOCK]
        levels = median(sliding_window_view(ratios, LEVEL_BLOCKS)[before].T)
        self._level = float(levels[days])
        self._steady_level = max(self._level, float(median(levels)))
        return np.multiply(table, levels[:days, None])

    @property
    def documents(self) -> float:
        """Documents in them."""
        return self._documents

    def _until(self, minute: int) -> float:
        """Expected count from the end of the past until `minute`, level left aside."""
        whole, part = divmod((minute - self._end) / 60.0, float(WEEK * DAY))
        hour = int(part)
        cumulated = self._cumulated
        inside = float(cumulated[hour]) + (part - hour) * float(cumulated[hour + 1] - cumulated[hour])
        return whole * float(cumulated[-1]) + inside

    def expect(self, start: int, end: int, *, steady: bool = False) -> Expectation:
        """The count of minutes [start, end); `start` is not before the end of the past.

        The dispersion holds what varies by itself and what is not known of mean and rhythm.

        Args:
            start, end: minutes since 1970-01-01 UTC.
            steady: a fall of the local level below what it was for most of the past is not followed: a feed that is
                silent for days is still missed; and the dispersion is that of what came short.
        """
        asked = (start, end, steady)
        found = self._expected.get(asked)
        if found is None:
            if len(self._expected) >= _CACHED:
                self._expected.clear()
            found = self._expected[asked] = self._expect(start, end, self._steady_level if steady else self._level, steady)
        return found

    def _expect(self, start: int, end: int, level: float, steady: bool) -> Expectation:
        mean = level * (self._until(end) - self._until(start))
        own = self._dispersion(_block(end - start), below=steady)
        days, weeks = self._days, self._weeks
        unknown = UNKNOWN_DAY / (1.0 + days * days) + UNKNOWN_WEEK / (1.0 + weeks**3)
        behind = self._behind or self._hours * 60.0 / (end - start)
        return Expectation(mean, own * (1.0 + 2.0 / max(behind, 1.0)) + unknown + 1.0 / max(behind * mean, 0.5))

    def wandering(self, minutes: int) -> float:
        """Relative variance that lasts for a day: what days scatter beyond what independent spans of `minutes` would make them."""
        block = _block(minutes)
        return max(0.0, self._dispersion(DAY) - self._dispersion(block) * block / DAY)

    def _dispersion(self, block: int, *, below: bool = False) -> float:
        found = self._dispersions.get((block, below))
        if found is None:
            found = self._dispersions[block, below] = self._own_dispersion(block, below)
        return found

    def _own_dispersion(self, block: int, below: bool) -> float:
        """Dispersion of blocks of `block` hours about what was predicted for them, at the upper end of what they leave possible.

        `below`: as the blocks show it that came short; how high bursts reach says nothing of how deep silence is.
        """
        came, predicted = self._past.ravel(), self._predicted.ravel()
        blocks = len(came) // block
        if not blocks:
            return USUAL_DISPERSION
        came = came[len(came) - blocks * block :].reshape(blocks, block).sum(axis=1)
        predicted = predicted[len(predicted) - blocks * block :].reshape(blocks, block).sum(axis=1)
        usual = self.usual[len(self.usual) - blocks * block :].reshape(blocks, block).all(axis=1)
        came, predicted, blocks = came[usual], predicted[usual], int(usual.sum())
        poisson = predicted + 1.0
        if below:
            squares = 2.0 * np.minimum(came - predicted, 0.0) ** 2
            usually = float(np.sort(squares / poisson)[(3 * blocks) // 4]) / _BELOW_75
        else:
            squares = (came - predicted) ** 2
            usually = float(np.sort(squares / poisson)[(4 * blocks) // 5]) / _NORMAL_80
        wide = max(1.0, usually)
        squares = np.minimum(squares, _CAP * wide * poisson)
        square = float(predicted @ predicted)
        prior = USUAL_BLOCKS * max(1.0, square / blocks)
        found = max(0.0, float(squares.sum() - predicted.sum()) + USUAL_DISPERSION * prior) / (square + prior)
        return found * (1.0 + 2.0 * math.sqrt((4.0 if below else 2.0) / blocks))


class Rhythms:
    """The rhythms that were fitted last. The same hours give the same rhythm, so this saves time and changes nothing."""

    def __init__(self, seasonality: Seasonality) -> None:
        self._seasonality = seasonality
        self._fitted: OrderedDict[tuple[bytes, int], Rhythm] = OrderedDict()

    def of(self, counts: Floats, end: int) -> Rhythm:
        """See `Rhythm`."""
        key = (counts.tobytes(), end)
        found = self._fitted.get(key)
        if found is not None:
            self._fitted.move_to_end(key)
            return found
        found = self._fitted[key] = Rhythm(counts, end, self._seasonality)
        if len(self._fitted) > _CACHED:
            self._fitted.popitem(last=False)
        return found
