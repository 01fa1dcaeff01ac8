"""How strong the pull must be, and what the adaptation gains, both from the user's own few labels.

Every label is answered once by a head that was fitted without it (cross-validation). The pull is the strongest one whose loss is within
one standard error of the least, text by text (Breiman et al. 1984). As it was chosen on the same answers, their figures would flatter
it; they are corrected by bootstrapping the answers: choose on the rows drawn, measure on those left out (Tsamardinos et al. 2018,
"Bootstrapping the out-of-sample predictions", arXiv:1708.07180). The spread of these draws is the interval.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.adaptation.fitting import Change, NewRows, OldRows, Setting, fit_change
from models.evaluation.metrics import macro_f1
from models.texts.mixture import normalised

__all__ = ["PULLS", "Choice", "Held", "HeldOut", "choose_pull", "estimate", "folds", "held_out"]

#: From strong to weak: each fit starts from the one before.
PULLS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)
FOLDS = 5
DRAWS = 1_000

Floats = NDArray[np.float64]
#: What is chosen among: a setting of the pull, or of how far adapters are trained.
Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Held:
    """A figure before and after, in percent, on texts that were held out; ``low`` and ``high`` bound the difference (95%)."""

    before: float
    after: float
    low: float
    high: float


@dataclass(frozen=True)
class HeldOut(Generic[Choice]):
    """Logits ``[n, classes]`` of every row by heads that did not see it, for each setting, from the most careful one on."""

    logits: Mapping[Choice, Floats]
    labels: NDArray[np.int64]
    universe: NDArray[np.bool_]

    def losses(self, setting: Choice) -> Floats:
        """Negative log-likelihood of each row, among the classes that could have been said."""
        shut = self.logits[setting] + np.where(self.universe, 0.0, -np.inf)
        peak = shut.max(axis=1)
        total = peak + np.log(np.exp(shut - peak[:, None]).sum(axis=1))
        return np.asarray(total - shut[np.arange(len(self.labels)), self.labels])

    def answers(self, setting: Choice) -> NDArray[np.int64]:
        """The best class of each row, among those that could have been said."""
        return np.asarray((self.logits[setting] + np.where(self.universe, 0.0, -np.inf)).argmax(1))


def folds(texts: Sequence[str], labels: NDArray[np.int64], count: int = FOLDS) -> NDArray[np.int64]:
    """Fold of each row, every class spread evenly, near-duplicates together; the same on every run."""
    keys = [hashlib.sha256(normalised(text).encode("utf-8")).digest() for text in texts]
    fold = np.zeros(len(texts), np.int64)
    place: dict[bytes, int] = {}
    dealt: defaultdict[int, int] = defaultdict(int)
    for row in sorted(range(len(texts)), key=keys.__getitem__):
        label = int(labels[row])
        if keys[row] not in place:
            # Small classes begin at different folds, so that no fold gets them all.
            place[keys[row]] = (dealt[label] + label) % count
            dealt[label] += 1
        fold[row] = place[keys[row]]
    return fold


def held_out(
    new: NewRows, old: OldRows, fold: NDArray[np.int64], settings: Sequence[Setting], parents: Sequence[int | None]
) -> dict[Setting, Floats]:
    """Logits of every row, for each setting, by heads fitted without the row's fold."""
    logits = {setting: np.zeros((len(fold), len(parents))) for setting in settings}
    for number in np.unique(fold):
        inside, outside = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        start: Change | None = None
        for setting in settings:
            start = fit_change(new.at(outside), old, setting, parents, start)
            logits[setting][inside] = start.logits(new.coordinates[inside], new.base[inside])
    return logits


def _best(losses: Floats) -> int:
    """Row of ``losses`` ``[settings, n]``, strong pulls first: the first that is within one standard error of the least, row by row."""
    excess = losses - losses[losses.mean(axis=1).argmin()]
    error = excess.std(axis=1, ddof=1) / np.sqrt(losses.shape[1])
    return int(np.flatnonzero(excess.mean(axis=1) <= error)[0])


def choose_pull(held: HeldOut[Choice]) -> Choice:
    """The setting to fit with."""
    settings = list(held.logits)
    return settings[_best(np.stack([held.losses(setting) for setting in settings]))]


def estimate(held: HeldOut[Choice], base: Floats, *, seed: int = 0) -> dict[str, Held]:
    """Accuracy and macro-F1 of the adapted against the base head, as they are to be expected on new texts of this kind.

    Args:
        base: the base head's logits ``[n, old classes]``; it cannot answer a new class, and is wrong there.
    """
    settings = list(held.logits)
    losses = np.stack([held.losses(setting) for setting in settings])
    answers = np.stack([held.answers(setting) for setting in settings])
    first = (base + np.where(held.universe[: base.shape[1]], 0.0, -np.inf)).argmax(1)
    random = np.random.default_rng(seed)
    drawn: dict[str, list[tuple[float, float]]] = {"accuracy": [], "macro_f1": []}
    rows = len(held.labels)
    while len(drawn["accuracy"]) < DRAWS:
        inside = random.integers(0, rows, rows)
        outside = np.setdiff1d(np.arange(rows), inside)
        if len(outside) == 0:
            continue
        labels, last = held.labels[outside], answers[_best(losses[:, inside])][outside]
        drawn["accuracy"].append((100 * float((first[outside] == labels).mean()), 100 * float((last == labels).mean())))
        drawn["macro_f1"].append((macro_f1(first[outside], labels), macro_f1(last, labels)))
    figures = {}
    for name, pairs in drawn.items():
        values = np.array(pairs)
        low, high = np.quantile(values[:, 1] - values[:, 0], [0.025, 0.975])
        figures[name] = Held(float(values[:, 0].mean()), float(values[:, 1].mean()), float(low), float(high))
    return figures
