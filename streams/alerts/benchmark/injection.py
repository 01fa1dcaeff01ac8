"""Incidents of known key, start, size and shape, put into a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from streams.alerts.backtest.incidents import Incident
from streams.alerts.benchmark.plan import BIN, BINS, KINDS, SHAPES, Plan

__all__ = ["Injected", "apply", "inject", "profile"]

_HOURS = {"step": (24, 36), "ramp": (24, 36), "spike": (8, 14), "slow_burn": (48, 72)}
_SHARES = (0.4, 0.5, 0.6)
_FACTORS = (4.0, 6.0, 10.0)
_QUIET = 0.02
_LEAST_FOR_SHARE = 100.0
"""Documents a day below which a shift of the share alone shows to nobody: two of three documents are no news."""
_LEAST_EXTRA = 20.0
"""Negative documents that a shift of the share alone brings at least: fewer are no incident."""
_LEAST_FOR_SILENCE = 80.0
_LEAST_SURGE = 200.0
"""Documents a day that a surge brings at least at its height: an incident of a quiet key is news all the same."""
_GAP = 4 * BINS
_TRIES = 200


@dataclass(frozen=True, slots=True)
class Injected:
    """One incident: minutes since 1970-01-01 UTC, the end excluded.

    `size` is what its height adds to the negative share (kind ``negative``), else how many times as much is said
    (``both``: the share rises by 0.35 too). A slow burn has two thirds of the shift and half of the rise.
    """

    key: str
    start: int
    end: int
    kind: str
    shape: str
    size: float

    @property
    def incident(self) -> Incident:
        """As the backtest matches it with alerts."""
        return Incident(self.key, self.start, self.end, kind=self.kind)


def profile(shape: str, bins: int) -> NDArray[np.float64]:
    """Part of its size in [0, 1] that an incident of `shape` has in each of its `bins`."""
    place = (np.arange(bins) + 0.5) / bins
    if shape == "ramp":
        return np.minimum(1.0, place * 3.0)
    if shape == "spike":
        return np.asarray(np.exp(-1.5 * place))
    return np.full(bins, 0.6 if shape == "slow_burn" else 1.0)


def inject(plan: Plan, names: list[str], random: np.random.Generator) -> list[tuple[int, Injected]]:
    """Draw the incidents of a stream: rank of the key and incident, ordered by start. No two of a key within four days.

    Where there is no room for one, it is left out.
    """
    busy: list[list[tuple[int, int]]] = [[] for _ in range(plan.keys)]
    found = []
    for kind, shape, size in _wanted(plan):
        least = {"negative": _LEAST_FOR_SHARE, "silence": _LEAST_FOR_SILENCE}.get(kind, 0.0)
        able = [key for key in range(plan.keys) if plan.volume(key) >= least]
        for _ in range(_TRIES if able else 0):
            key = able[int(random.integers(len(able)))]
            length = int(random.integers(_HOURS[shape][0] * 60 // BIN, _HOURS[shape][1] * 60 // BIN + 1))
            begin = int(random.integers(plan.warm_up * BINS, plan.bins - length - BINS))
            extra = plan.volume(key) * length / BINS * size * float(profile(shape, length).mean())
            if kind == "negative" and extra < _LEAST_EXTRA:
                continue
            if all(begin > last + _GAP or begin + length < first - _GAP for first, last in busy[key]):
                break
        else:
            continue
        busy[key].append((begin, begin + length))
        start = plan.start + begin * BIN
        found.append((key, Injected(names[key], start, start + length * BIN, kind, shape, size)))
    return sorted(found, key=lambda item: (item[1].start, item[0]))


def _wanted(plan: Plan) -> Iterator[tuple[str, str, float]]:
    for _ in range(plan.silences):
        yield "silence", "step", _QUIET
    for number, kind, shape in product(range(plan.incidents), KINDS[:3], SHAPES):
        yield kind, shape, (_SHARES if kind == "negative" else _FACTORS)[number % 3]


def apply(plan: Plan, found: list[tuple[int, Injected]], rates: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
    """Work the incidents into `rates` (documents a bin) and `shares` (negative), both of shape (keys, bins), in place."""
    for key, incident in found:
        begin = (incident.start - plan.start) // BIN
        span = slice(begin, begin + (incident.end - incident.start) // BIN)
        part = profile(incident.shape, span.stop - span.start)
        if incident.kind == "silence":
            rates[key, span] *= incident.size
            continue
        if incident.kind == "negative":
            shares[key, span] += incident.size * part
            continue
        usual = plan.volume(key) / BINS
        rates[key, span] += np.maximum(rates[key, span] * (incident.size - 1.0), max(_LEAST_SURGE / BINS, usual)) * part
        if incident.kind == "both":
            shares[key, span] += 0.35 * part
