"""How far the adapters are trained, chosen on the user's own labels, and the share of them under which nothing old decays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.adaptation.adapters import AdaptedNetwork
from models.adaptation.choice import HeldOut, choose_pull, folds
from models.adaptation.fitting import Change, NewRows, OldRows, Setting, fit_change
from models.adaptation.problem import Kin
from models.adaptation.replay import Space
from models.adaptation.tuning import Taught, Tuner, Weights, milestones
from models.errors import ModelError
from models.progress import Progress
from models.training.heads import Head

__all__ = ["SHARES", "HeadFit", "Trained", "Trial", "Trials", "final", "try_out"]

#: Of the trained adapters, tried in turn until nothing old has decayed.
SHARES = (1.0, 0.5, 0.25)
#: Cross-validation has so many folds, and stops once so many labels were held out: training a fold takes a minute.
FOLDS, HELD = 3, 200
#: Of the head that the training begins with; old texts weigh 64 times: with 16 the head alone changed a fortieth of its old answers.
START = Setting(pull=0.03, replay=64.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """``steps`` of training, and the ``share`` of the adapters that is kept. No steps: the head alone."""

    steps: int
    share: float = 1.0


@dataclass(frozen=True)
class HeadFit:
    """Fits heads on the base model's features, which the training of the adapters then begins with (Kumar et al. 2022, arXiv:2202.10054).

    ``new``: coordinates, base logits and labels of the new texts, row by row. ``head``: of the base model.
    """

    space: Space
    head: Head
    new: NewRows
    old: OldRows
    kin: Kin

    def without(self, rows: NDArray[np.int64]) -> Change:
        """The change that all new texts but ``rows`` lead to."""
        kept = np.setdiff1d(np.arange(len(self.new.labels)), rows)
        return fit_change(self.new.at(kept), self.old, START, self.kin.taught)

    def changed(self, change: Change) -> Head:
        """The head that ``change`` makes of the base model's."""
        return self.space.applied(self.head, change.matrix, change.bias)


@dataclass(frozen=True)
class Trained:
    """A network, its weights after each number of steps, and the rows of the labels that it did not see."""

    network: AdaptedNetwork
    weights: Mapping[int, Weights]
    rows: NDArray[np.int64]


class Trials:
    """The folds' networks, which can be asked about any trial; see :func:`try_out`.

    Attributes:
        rows: the labels that were held out.
        loss_alone: mean loss on these of the heads that the training began with.
        steps: chosen.
    """

    def __init__(self, tuner: Tuner, taught: Taught, base: Floats, runs: Sequence[Trained], head_alone: Floats) -> None:
        self._tuner, self._taught, self._base, self._runs = tuner, taught, base, runs
        self.rows = np.sort(np.concatenate([run.rows for run in runs]))
        self.watched = self.held([Trial(steps) for steps in runs[0].weights])
        alone = replace(self.watched, logits={Trial(0): head_alone[self.rows]})
        self.loss_alone = float(alone.losses(Trial(0)).mean())
        self.steps = choose_pull(self.watched).steps

    @property
    def base(self) -> Floats:
        """Logits of the held-out labels by the base model."""
        return np.asarray(self._base[self.rows])

    def held(self, trials: Sequence[Trial]) -> HeldOut[Trial]:
        """Logits of the held-out labels for each trial."""
        classes = len(self._taught.universe)
        logits = {trial: np.zeros((len(self._taught.labels), classes)) for trial in trials}
        for trial, found in logits.items():
            for run in self._runs:
                texts = [self._taught.texts[row] for row in run.rows]
                found[run.rows] = self._tuner.logits(run.network, run.weights[trial.steps], trial.share, texts)
        chosen = {trial: found[self.rows] for trial, found in logits.items()}
        return HeldOut(chosen, self._taught.labels[self.rows], self._taught.universe)

    def demand_more_than_the_head(self) -> None:
        """Refuse adapters that bring nothing.

        Raises:
            ModelError: the heads that the training began with are as good on the held-out labels.
        """
        loss = float(self.watched.losses(Trial(self.steps)).mean())
        if loss >= self.loss_alone:
            message = f"refused: on held-out labels the adapters add nothing to a new head, loss {self.loss_alone:.3f} -> {loss:.3f}"
            raise ModelError(message, mend="--method heads, or more labels")


def try_out(tuner: Tuner, fit: HeadFit, taught: Taught, progress: Progress) -> Trials:
    """Train without a fold of the labels, fold after fold, and choose the number of steps on what was held out."""
    fold = folds(taught.texts, taught.labels, FOLDS)
    numbers = np.unique(fold)
    held = [np.flatnonzero(fold == number) for number in numbers]
    enough = next((count for count in range(1, len(held)) if sum(map(len, held[:count])) >= HELD), len(held))
    head_alone = np.zeros((len(taught.labels), len(taught.universe)))
    stops = milestones(len(fold), tuner.chosen.batch)
    runs: list[Trained] = []
    for number, rows in enumerate(held[:enough]):
        change = fit.without(rows)
        head_alone[rows] = change.logits(fit.new.coordinates[rows], fit.new.base[rows])
        seen = np.setdiff1d(np.arange(len(fold)), rows)
        network = tuner.network(fit.changed(change))

        def advance(step: int, before: int = number * stops[-1], whole: int = enough * stops[-1]) -> None:
            progress("training without a part of the labels", before + step, whole)

        runs.append(Trained(network, tuner.run(network, taught.at(seen), stops, advance), rows))
    return Trials(tuner, taught, fit.new.base, runs, head_alone)


def final(tuner: Tuner, fit: HeadFit, taught: Taught, steps: int, progress: Progress) -> tuple[AdaptedNetwork, Weights]:
    """Train on all labels."""
    network = tuner.network(fit.changed(fit.without(np.array([], np.int64))))

    def advance(step: int) -> None:
        progress("training on all labels", step, steps)

    return network, tuner.run(network, taught, [steps], advance)[steps]
