"""Which rows are used, and how much each counts, so that big sets and languages do not drown small ones."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.data import Example, sources
from models.languages import ENCODER_LANGUAGES

__all__ = ["Limit", "choose", "row_weights", "training_limit"]

#: Rows allowed of a set and language.
Limit = Callable[[str, str], int]

#: Languages the encoder never saw get a tenth: their features carry little, but a little is better than none.
UNSEEN_SHARE = 0.1


def training_limit(limit: int) -> Limit:
    """``limit`` rows a set and language, shrunk by the set's ``share``, and to a tenth for languages the encoder never saw."""
    table = sources()

    def allowed(source: str, lang: str) -> int:
        most = limit * table[source].share * (1.0 if lang in ENCODER_LANGUAGES else UNSEEN_SHARE)
        return max(1, round(most))

    return allowed


def choose(examples: Iterable[Example], allowed: Limit) -> list[Example]:
    """At most ``allowed(source, lang)`` examples of each set and language, the same on every run.

    The rows are picked by the SHA-256 of their text, so a larger limit keeps the picks of a smaller one.
    """
    groups: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for example in examples:
        groups[example.source, example.lang].append(example)
    chosen: list[Example] = []
    for (source, lang), group in sorted(groups.items()):
        group.sort(key=lambda example: hashlib.sha256(example.text.encode("utf-8", "surrogatepass")).digest())
        chosen.extend(group[: allowed(source, lang)])
    return chosen


def row_weights(examples: Sequence[Example], *, temperature: float, classes: int) -> NDArray[np.float32]:
    """Weight of each row, mean 1.

    Domains (finance, general) weigh the same; within a domain a set and language of ``n`` rows weighs ``n ** temperature`` times the
    set's own weight (temperature sampling, Conneau et al. 2020, arXiv:1911.02116); then classes weigh the same over all rows whose
    label is one class.
    """
    table = sources()
    sizes = Counter((example.source, example.lang) for example in examples)
    shares = {group: table[group[0]].weight * count**temperature for group, count in sizes.items()}
    domains: defaultdict[str, float] = defaultdict(float)
    for (source, _), share in shares.items():
        domains[table[source].domain] += share
    weights = np.array(
        [
            shares[example.source, example.lang] / sizes[example.source, example.lang] / domains[table[example.source].domain]
            for example in examples
        ],
        np.float64,
    )
    single = np.array([example.targets[0] if len(example.targets) == 1 else -1 for example in examples])
    masses = np.array([weights[single == label].sum() for label in range(classes)])
    # The square root softens the balance: a class of one small set would otherwise weigh its every row tenfold.
    factors = np.sqrt(masses.mean() / np.maximum(masses, 1e-12))
    weights *= np.where(single >= 0, factors[single], 1.0)
    balanced: NDArray[np.float32] = (weights / weights.mean()).astype(np.float32)
    return balanced
