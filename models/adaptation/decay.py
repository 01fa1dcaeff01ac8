"""Whether a changed head still knows what the old one knew, by language, told apart from chance.

Old and new head answer the same labelled rows, so only rows count that one gets right and the other wrong. A language with
:data:`ENOUGH` rows is a group of its own; smaller ones are pooled by their group in ``language_groups.toml``. A head has decayed

- if a group lost more than :data:`LIMIT` points of accuracy and chance does not explain it: fewer than 5 of 100 fair coins would fall
  that unevenly on the rows that changed sides (exact one-sided McNemar test). The test is not corrected for the number of groups: a
  false alarm costs the user a little gain, a missed one costs a language;
- or if, over all rows together, it is not proven that it has not: the 95% upper bound of the loss of accuracy, and for sentiment of
  macro-F1 too, is above the limit (paired bootstrap). Of many small classes the macro-F1 is too uncertain to prove anything.

Short of that a head is suspect if a group lost more than the limit and chance explains it less than well (20 of 100): a setting without
suspects goes before one with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.language_groups import OTHERS, group_of

__all__ = ["ENOUGH", "LIMIT", "Decay", "Group", "measure_decay"]

#: Points of accuracy or macro-F1.
LIMIT = 0.5
#: From so many rows on one row is half a point, and a language is looked at by itself.
ENOUGH = 200
CHANCE = 0.05
SUSPECT = 0.2
DRAWS = 400
#: Pools too small for themselves.
REST = "other languages"

Answers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Group:
    """``before`` and ``after``: accuracy in percent. ``lost``, ``gained``: rows that changed sides. ``chance``: p of the test."""

    name: str
    rows: int
    before: float
    after: float
    lost: int
    gained: int
    chance: float

    @property
    def decayed(self) -> bool:
        """Whether it lost more than the limit, beyond chance."""
        return self.before - self.after > LIMIT and self.chance < CHANCE

    @property
    def suspect(self) -> bool:
        """Whether it lost more than the limit, and chance is a poor explanation."""
        return self.before - self.after > LIMIT and self.chance < SUSPECT


@dataclass(frozen=True)
class Decay:
    """Every group, and the whole. ``macro_f1``: before and after, in percent. ``bounds``: figure -> 95% upper bound of its loss."""

    groups: Sequence[Group]
    whole: Group
    macro_f1: tuple[float, float]
    bounds: Mapping[str, float]

    @property
    def clean(self) -> bool:
        """Whether nothing has decayed and no group is suspect."""
        return self.complaint is None and not any(one.suspect for one in self.groups)

    @property
    def complaint(self) -> str | None:
        """What has decayed, in words; ``None`` if nothing has."""
        worst = sorted((one for one in self.groups if one.decayed), key=lambda one: one.after - one.before)
        if worst:
            return ", ".join(f"{one.name} by {one.before - one.after:.1f} points ({one.rows} rows)" for one in worst[:4])
        figure, bound = max(self.bounds.items(), key=lambda one: one[1])
        if bound > LIMIT:
            return f"all languages together by up to {bound:.2f} points of {figure} (95% bound, {self.whole.rows} rows)"
        return None


def _tail(lost: int, gained: int) -> float:
    """Probability of at least ``lost`` of ``lost + gained`` heads of a fair coin."""
    flips = lost + gained
    return sum(comb(flips, heads) for heads in range(lost, flips + 1)) / (1 << flips)


def _group(name: str, before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Group:
    lost, gained = int((before & ~after).sum()), int((~before & after).sum())
    return Group(name, len(before), 100 * float(before.mean()), 100 * float(after.mean()), lost, gained, _tail(lost, gained))


def _macro_f1(answers: Answers, labels: Answers, classes: int, weights: NDArray[np.float64]) -> float:
    """Macro-F1 in percent over the classes that have rows, each row counted ``weights`` times."""
    hits = np.bincount(labels, weights * (answers == labels), classes)
    support = np.bincount(labels, weights, classes)
    total = support + np.bincount(answers, weights, classes)
    f1: NDArray[np.float64] = 2 * hits / np.maximum(total, 1e-12)
    return 100 * float(f1[support > 0].mean())


def _pools(langs: NDArray[np.str_]) -> list[str]:
    """The group that each row counts in."""
    counts = Counter(map(str, langs))
    kin = {lang: f"other {group_of(lang)}".replace("_", " ") if group_of(lang) != OTHERS else REST for lang in counts}
    names = [lang if counts[lang] >= ENOUGH else kin[lang] for lang in map(str, langs)]
    sizes = Counter(names)
    return [name if sizes[name] >= ENOUGH else REST for name in names]


def measure_decay(before: Answers, after: Answers, labels: Answers, langs: NDArray[np.str_], *, by_class: bool, seed: int = 0) -> Decay:
    """Compare the answers ``before`` and ``after`` ``[n]`` with ``labels`` ``[n]``.

    ``after`` may hold classes that ``labels`` does not know: they count as wrong. ``by_class``: whether macro-F1 is to be proven too.

    Raises:
        ValueError: there are no rows.
    """
    if len(labels) == 0:
        raise ValueError("no rows to measure decay on")
    right, still = before == labels, after == labels
    names = np.array(_pools(langs))
    groups = [_group(str(name), right[names == name], still[names == name]) for name in np.unique(names)]
    classes = int(max(before.max(), labels.max(), after.max())) + 1
    random = np.random.default_rng(seed)
    losses = np.zeros((DRAWS, 2))
    for draw in range(DRAWS):
        weights = np.bincount(random.integers(0, len(labels), len(labels)), minlength=len(labels)).astype(np.float64)
        losses[draw, 0] = 100 * float((weights * (right.astype(np.float64) - still)).sum()) / len(labels)
        losses[draw, 1] = _macro_f1(before, labels, classes, weights) - _macro_f1(after, labels, classes, weights)
    bounds = np.quantile(losses, 0.95, axis=0)
    every = np.ones(len(labels))
    return Decay(
        groups=sorted(groups, key=lambda one: (one.name.startswith("other "), -one.rows, one.name)),
        whole=_group("all", right, still),
        macro_f1=(_macro_f1(before, labels, classes, every), _macro_f1(after, labels, classes, every)),
        bounds=dict(zip(("accuracy", "macro-F1") if by_class else ("accuracy",), map(float, bounds), strict=False)),
    )
