"""Seeded streams that look like the real thing, as sightings in the order of event time.

Rates: Zipf volumes, a daily rhythm with its own peak for each key, quieter weekends, slow drifts, attention that wanders
(log-normal, correlated over hours), gamma-Poisson counts. Into them go incidents (`injection`) and unrest (`unrest`).
The same plan and seed give the same stream. One day's documents are held at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from streams.alerts.benchmark.injection import Injected, apply, inject
from streams.alerts.benchmark.plan import BIN, BINS, Plan
from streams.alerts.benchmark.unrest import AUTHORS, Disturbance, Extra, bursts, campaigns, outages, stories
from streams.alerts.benchmark.wording import LANGUAGE_PARTS, LANGUAGES, SOURCES, TOPICS, key_names, title
from streams.alerts.sighting import Sighting

__all__ = ["Stream", "late"]

_MEMORY_BINS = 360 / BIN
_MARGIN_BINS = 2 * BINS


@dataclass(frozen=True, slots=True)
class Stream:
    """A made-up stream.

    Attributes:
        keys: id and name of each entity, the busiest first.
        incidents: what was put into it, by start.
        disturbances: what should wake nobody, by start.
    """

    plan: Plan
    seed: int
    keys: tuple[tuple[str, str], ...]
    incidents: tuple[Injected, ...]
    disturbances: tuple[Disturbance, ...]
    _rates: NDArray[np.float64]
    _shares: NDArray[np.float64]
    _down: NDArray[np.int64]
    _extras: tuple[Extra, ...]

    @classmethod
    def generate(cls, plan: Plan, seed: int) -> Stream:
        """Draw everything but the documents."""
        random = np.random.default_rng([seed, 1])
        keys = key_names(plan.keys)
        ids = [id_ for id_, _ in keys]
        rates, shares = _rates(plan, random), _shares(plan, random)
        found = inject(plan, ids, random)

        def free(key: int, at: int) -> bool:
            minute = plan.start + at * BIN
            margin = _MARGIN_BINS * BIN
            return all(rank != key or not item.start - margin <= minute < item.end + margin for rank, item in found)

        interest = bursts(plan, ids, random, rates, free)
        dark, down = outages(plan, random, rates)
        copied, copies = stories(plan, ids, random, free)
        floods, flooding = campaigns(plan, ids, random, free)
        apply(plan, found, rates, shares)
        unrest = sorted([*interest, *dark, *copied, *floods], key=lambda item: (item.start, item.key))
        incidents = tuple(incident for _, incident in found)
        extras = (*copies, *flooding)
        return cls(plan, seed, tuple(keys), incidents, tuple(unrest), rates, np.clip(shares, 0.02, 0.97), down, extras)

    def sightings(self) -> Iterator[Sighting]:
        """All documents, ascending by minute; each was received within two minutes."""
        for day in range(self.plan.days):
            yield from self._day(day)

    def _day(self, day: int) -> Iterator[Sighting]:
        plan, random = self.plan, np.random.default_rng([self.seed, 2, day])
        bins = slice(day * BINS, (day + 1) * BINS)
        rates = self._rates[:, bins]
        counts = random.poisson(rates * random.gamma(1.0 / plan.dispersion, plan.dispersion, rates.shape)).ravel()
        key, at = (np.repeat(index.ravel(), counts) for index in np.indices(rates.shape))
        source = random.integers(0, len(SOURCES), len(key))
        # A source that is down sends nothing.
        up = self._down[bins][at] != source % 3
        key, at, source = key[up], at[up], source[up]
        count = len(key)
        negative = random.random(count) < self._shares[:, bins][key, at]
        minute = plan.start + day * 1440 + at * BIN + random.integers(0, BIN, count)
        author = random.integers(0, AUTHORS, count)
        extras = [item for item in self._extras if item.day == day]
        ids = [f"{day:03d}-{place:05x}" for place in range(count)]
        originals = ids.copy()
        for item in extras:
            ids.extend(f"{item.name}-{place}" for place in range(len(item.minutes)))
            originals.extend(f"{item.name}-{0 if item.copied else place}" for place in range(len(item.minutes)))
        key = np.concatenate([key, *(np.full(len(item.minutes), item.key) for item in extras)])
        minute = np.concatenate([minute, *(item.minutes for item in extras)])
        negative = np.concatenate([negative, *(item.negative for item in extras)])
        source = np.concatenate([source, *(item.sources for item in extras)])
        author = np.concatenate([author, *(item.authors for item in extras)])
        return self._rows(random, minute, key, negative, source, author, ids, originals, ordinary=count)

    def _rows(
        self,
        random: np.random.Generator,
        minute: NDArray[np.int64],
        key: NDArray[np.int64],
        negative: NDArray[np.bool_],
        source: NDArray[np.int64],
        author: NDArray[np.int64],
        ids: list[str],
        originals: list[str],
        *,
        ordinary: int,
    ) -> Iterator[Sighting]:
        """The documents of a day, in the order of their minutes; only the first `ordinary` ones may name a second key."""
        count = len(ids)
        also = np.where(random.random(count) < self.plan.mentions, random.integers(0, self.plan.keys, count), key)
        also[ordinary:] = key[ordinary:]
        score = np.where(negative, -random.uniform(0.3, 0.98, count), random.uniform(-0.25, 0.9, count))
        language = random.choice(len(LANGUAGES), count, p=LANGUAGE_PARTS)
        wording = random.integers(0, 8, count)
        received = minute + random.integers(0, 3, count)
        order = np.argsort(minute, kind="stable")
        places = order.tolist()
        bad = negative[order].tolist()
        first, second = key[order].tolist(), also[order].tolist()
        entities, names = _pairs(self.keys)
        titles = [[[title(name, which, negative=worse) for worse in (False, True)] for which in range(8)] for _, name in self.keys]
        return map(
            Sighting._make,
            zip(
                [ids[place] for place in places],
                [originals[place] for place in places],
                minute[order].tolist(),
                received[order].tolist(),
                repeat(True),
                bad,
                np.round(score[order], 3).tolist(),
                [SOURCES[index] for index in source[order].tolist()],
                [f"author-{index}" for index in author[order].tolist()],
                [LANGUAGES[index] for index in language[order].tolist()],
                [TOPICS[index % len(TOPICS)] for index in first],
                [entities[one][other] for one, other in zip(first, second, strict=True)],
                [names[one][other] for one, other in zip(first, second, strict=True)],
                repeat(()),
                repeat(()),
                [titles[one][which][worse] for one, which, worse in zip(first, wording[order].tolist(), bad, strict=True)],
                repeat(""),
                repeat(""),
                strict=False,
            ),
        )


def late(sightings: Iterable[Sighting], seed: int, minutes: int) -> list[Sighting]:
    """The same documents as they arrive when each is delayed by up to `minutes`: most little, a tenth by much."""
    random = np.random.default_rng([seed, 3])
    listed = list(sightings)
    little, much = random.integers(0, 1 + minutes // 20, len(listed)), random.integers(0, minutes + 1, len(listed))
    delays = np.where(random.random(len(listed)) < 0.1, much, little)
    moved = [one._replace(received=one.minute + delay) for one, delay in zip(listed, delays.tolist(), strict=True)]
    return [moved[place] for place in np.argsort([one.received for one in moved], kind="stable").tolist()]


def _rates(plan: Plan, random: np.random.Generator) -> NDArray[np.float64]:
    """Ordinary documents a bin, shape (keys, bins)."""
    at = np.arange(plan.bins)
    hour, day = at % BINS * BIN / 60.0, at // BINS
    peak = random.normal(14.0, 2.0, (plan.keys, 1))
    depth = random.uniform(0.4, 0.8, (plan.keys, 1))
    daily = 1.0 + depth * np.cos((hour - peak) * 2.0 * np.pi / 24.0)
    weekly = np.where(day % 7 >= 5, random.uniform(0.45, 0.8, (plan.keys, 1)), 1.0)
    drift = np.exp(0.25 * np.sin(2.0 * np.pi * (at / plan.bins * random.uniform(0.5, 2.0, (plan.keys, 1)) + random.random((plan.keys, 1)))))
    volume = np.array([[plan.volume(key) / BINS] for key in range(plan.keys)])
    return np.asarray(volume * daily * weekly * drift * np.exp(plan.unrest * _wander(plan, random)))


def _shares(plan: Plan, random: np.random.Generator) -> NDArray[np.float64]:
    """Ordinary negative share of each bin, shape (keys, bins)."""
    own = np.clip(random.normal(plan.share, 0.06, (plan.keys, 1)), 0.12, 0.5)
    return np.asarray(np.clip(own + 0.03 * _wander(plan, random), 0.05, 0.6))


def _wander(plan: Plan, random: np.random.Generator) -> NDArray[np.float64]:
    """Autoregressive noise with standard deviation 1 and a memory of six hours, shape (keys, bins)."""
    keep = float(np.exp(-1.0 / _MEMORY_BINS))
    steps = random.normal(0.0, np.sqrt(1.0 - keep * keep), (plan.bins, plan.keys))
    level = random.normal(size=plan.keys)
    for bin_ in range(plan.bins):
        level = keep * level + steps[bin_]
        steps[bin_] = level
    return steps.T


def _pairs(keys: tuple[tuple[str, str], ...]) -> tuple[list[list[tuple[str, ...]]], list[list[tuple[str, ...]]]]:
    """Ids and names of every pair of keys, by their ranks; a key with itself is one."""
    ids: list[list[tuple[str, ...]]] = [[(one,) if one == other else (one, other) for other, _ in keys] for one, _ in keys]
    names: list[list[tuple[str, ...]]] = [[(name,) if one == other else (name, named) for other, named in keys] for one, name in keys]
    return ids, names
