"""What was counted: sums over a span of event time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["NOTHING", "Buckets", "Tally", "View"]

Floats = NDArray[np.float64]


class Tally(NamedTuple):
    """Weighted sums over a span: near-copies and capped authors weigh less than one each.

    Attributes:
        documents: all documents, scored or not.
        scored: those with a sentiment.
        negative: of these, the negative ones.
        score: sum of their scores (each in [-1, 1]).
    """

    documents: float
    scored: float
    negative: float
    score: float

    @property
    def share(self) -> float:
        """Negative share of the scored ones, in [0, 1]; 0 without any."""
        return self.negative / self.scored if self.scored else 0.0

    @property
    def mean(self) -> float:
        """Mean score, in [-1, 1]; 0 without any."""
        return self.score / self.scored if self.scored else 0.0

    def __add__(self, other: object) -> Tally:
        if not isinstance(other, Tally):
            return NotImplemented
        return Tally(*(a + b for a, b in zip(self, other, strict=True)))


NOTHING = Tally(0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Buckets:
    """Consecutive spans of equal length, oldest first; all arrays float64 of one length.

    Attributes:
        start: first minute of the first bucket (minutes since 1970-01-01 UTC).
        step: minutes of a bucket.
    """

    start: int
    step: int
    documents: Floats
    scored: Floats
    negative: Floats
    score: Floats

    def __len__(self) -> int:
        return len(self.documents)

    @property
    def end(self) -> int:
        """Minute after the last bucket."""
        return self.start + self.step * len(self)

    def total(self, first: int = 0, last: int | None = None) -> Tally:
        """Sum of the buckets [first, last)."""
        part = slice(first, last)
        return Tally(
            float(self.documents[part].sum()),
            float(self.scored[part].sum()),
            float(self.negative[part].sum()),
            float(self.score[part].sum()),
        )


@dataclass(frozen=True, slots=True)
class View:
    """All that a detector may know of a key when it judges one window.

    Attributes:
        end: minute after the window's last one; a multiple of ``recent.step``.
        size: buckets in the window: it is the last `size` buckets of `recent`.
        window: sum of the window.
        recent: the latest buckets, the window included; at least ``size * Detector.lookback`` of them.
        hours: whole hours before the window's start (step 60, starts are multiples of 60), at most the rule's baseline;
            dense: hours without documents are zeros. May be empty.
        known_since: minute since which the counts of this key are complete. Zeros before it are ignorance, not silence.
        world: sum over all keys of the rule of finished days before the window; the ordinary of a key of which little is known.
        sources, languages: number of distinct ones among the window's documents that count.
        negative_sources, negative_languages: the same among its negative ones.
    """

    end: int
    size: int
    window: Tally
    recent: Buckets
    hours: Buckets
    known_since: int
    world: Tally = NOTHING
    sources: int = 0
    languages: int = 0
    negative_sources: int = 0
    negative_languages: int = 0

    @property
    def start(self) -> int:
        """First minute of the window."""
        return self.end - self.size * self.recent.step
