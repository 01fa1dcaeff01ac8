"""Views made by hand: a window, what came just before it, and the hours of the past."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from streams.alerts.tally import NOTHING, Buckets, Tally, View

START = 168 * 60 * 52
"""First minute of the judged window: a whole hour, a whole week."""


def spread(tally: Tally, count: int) -> list[Tally]:
    """`tally` in `count` equal buckets."""
    return [Tally(*(part / count for part in tally))] * count


def buckets(tallies: Sequence[Tally], end: int, step: int) -> Buckets:
    table = np.array(tallies, dtype=np.float64).reshape(-1, 4)
    return Buckets(end - step * len(table), step, *(table[:, column].copy() for column in range(4)))


@pytest.fixture(scope="session")
def look():
    """Make a view: `window` and each of `before` (windows, oldest first) are (documents, negative[, score]); `hours` is an array
    of documents an hour, with `negative` and `score` beside it; a past of no `known_since` is known from its first hour or window."""

    def counted(values):
        documents, negative, score = (*values, 0.0)[:3] if len(values) < 3 else values
        return Tally(float(documents), float(documents), float(negative), float(score))

    def make(
        window,
        *,
        hours=(),
        negative=None,
        score=None,
        before=(),
        minutes=180,
        size=3,
        start=START,
        known_since=None,
        world=NOTHING,
        **voices,
    ):
        documents = np.asarray(hours, dtype=np.float64)
        zeros = np.zeros_like(documents)
        last = start // 60 * 60
        past = Buckets(
            last - 60 * len(documents),
            60,
            documents,
            documents,
            zeros if negative is None else np.asarray(negative, dtype=np.float64),
            zeros if score is None else np.asarray(score, dtype=np.float64),
        )
        tallies = [bucket for one in (*before, window) for bucket in spread(counted(one), size)]
        recent = buckets(tallies, start + minutes, minutes // size)
        known = min(past.start, recent.start) if known_since is None else known_since
        return View(start + minutes, size, counted(window), recent, past, known, world, **voices)

    return make
