"""What happens in every stream and should wake nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.alerts.benchmark.plan import BIN, BINS, Plan
from streams.alerts.benchmark.wording import SOURCES

__all__ = ["AUTHORS", "Disturbance", "Extra", "bursts", "campaigns", "outages", "stories"]

AUTHORS = 600
"""Ordinary authors; the makers of campaigns have greater numbers."""

Free = Callable[[int, int], bool]
"""Whether the key of a rank has no incident around a bin: what befalls it there is told apart from incidents."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One of them: minutes since 1970-01-01 UTC, the end excluded; `key` is empty where it concerns all."""

    key: str
    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Extra:
    """Documents beside the ordinary ones, about the key of rank `key`, all of one `day` of the stream.

    `original` is the place of the document that the others are near-copies of, 0; None where each is its own.
    """

    name: str
    key: int
    day: int
    copied: bool
    minutes: NDArray[np.int64]
    negative: NDArray[np.bool_]
    sources: NDArray[np.int64]
    authors: NDArray[np.int64]


def bursts(plan: Plan, names: list[str], random: np.random.Generator, rates: NDArray[np.float64], free: Free) -> list[Disturbance]:
    """Ordinary interest: up to `plan.burst_height` times as much for one to five hours, worked into `rates` (keys, bins)."""
    found = []
    for key, begin in _draw(plan, random, plan.bursts * plan.keys, free):
        length = int(random.integers(60 // BIN, 300 // BIN + 1))
        rates[key, begin : begin + length] *= random.uniform(1.5, plan.burst_height)
        found.append(_disturbance(plan, names[key], begin, length, "burst"))
    return found


def outages(plan: Plan, random: np.random.Generator, rates: NDArray[np.float64]) -> tuple[list[Disturbance], NDArray[np.int64]]:
    """Feeds that fail: every other time all for half an hour to an hour and a half, else a third of the sources for two to eight.

    Returns:
        The failures, and for each bin which third is down (its number is the source's modulo 3), -1: none.
    """
    down = np.full(plan.bins, -1, dtype=np.int64)
    found = []
    for number in range(_times(plan, random, plan.outages)):
        begin = int(random.integers(BINS, plan.bins - BINS))
        whole = number % 2 == 0
        length = int(random.integers(30 // BIN, 90 // BIN + 1) if whole else random.integers(120 // BIN, 480 // BIN + 1))
        if whole:
            rates[:, begin : begin + length] *= 0.02
        else:
            down[begin : begin + length] = int(random.integers(3))
        found.append(_disturbance(plan, "", begin, length, "outage"))
    return found, down


def stories(plan: Plan, names: list[str], random: np.random.Generator, free: Free) -> tuple[list[Disturbance], list[Extra]]:
    """One story that other sources print within three hours, word for word or nearly; seven of ten are negative."""
    found, extras = [], []
    for number, (key, begin) in enumerate(_draw(plan, random, plan.stories * plan.keys, free)):
        count = int(random.integers(plan.copies // 3, plan.copies + 1))
        minutes = _minutes(plan, begin, np.sort(random.integers(0, 180, count)))
        bad = random.random() < 0.7
        sources, authors = random.integers(0, len(SOURCES), count), random.integers(0, AUTHORS, count)
        extras.append(Extra(f"story-{number}", key, begin // BINS, True, minutes, np.full(count, bad), sources, authors))
        found.append(_disturbance(plan, names[key], begin, 180 // BIN, "story"))
    return found, extras


def campaigns(plan: Plan, names: list[str], random: np.random.Generator, free: Free) -> tuple[list[Disturbance], list[Extra]]:
    """40 to 120 negative documents in two to five hours, by turns of one author, and of one source with many authors."""
    found, extras = [], []
    for number, (key, begin) in enumerate(_draw(plan, random, plan.campaigns, free)):
        count, length = int(random.integers(40, 121)), int(random.integers(120, 301))
        minutes = _minutes(plan, begin, np.sort(random.integers(0, length, count)))
        source = np.full(count, int(random.integers(len(SOURCES))))
        authors = np.full(count, AUTHORS + number) if number % 2 == 0 else AUTHORS + 1_000 + random.integers(0, 500, count)
        extras.append(Extra(f"campaign-{number}", key, begin // BINS, False, minutes, np.ones(count, dtype=np.bool_), source, authors))
        found.append(_disturbance(plan, names[key], begin, -(-length // BIN), "campaign"))
    return found, extras


def _draw(plan: Plan, random: np.random.Generator, a_month: float, free: Free) -> list[tuple[int, int]]:
    """Keys and bins, far enough from midnight that five hours lie within the day."""
    found = []
    for _ in range(_times(plan, random, a_month)):
        key, day = int(random.integers(plan.keys)), int(random.integers(1, plan.days))
        begin = day * BINS + int(random.integers(0, BINS - 300 // BIN))
        if free(key, begin):
            found.append((key, begin))
    return found


def _times(plan: Plan, random: np.random.Generator, a_month: float) -> int:
    return int(random.poisson(a_month * plan.days / 30.0))


def _minutes(plan: Plan, begin: int, after: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(plan.start + begin * BIN + after, dtype=np.int64)


def _disturbance(plan: Plan, key: str, begin: int, length: int, kind: str) -> Disturbance:
    start = plan.start + begin * BIN
    return Disturbance(key, start, start + length * BIN, kind)
