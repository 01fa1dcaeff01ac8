"""One head, a user's labels and a model's replay rows, put together: what is fitted, and what is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.adaptation.choice import PULLS, Choice, HeldOut, choose_pull, held_out
from models.adaptation.decay import Decay, measure_decay
from models.adaptation.fitting import Change, NewRows, OldRows, Setting, fit_change
from models.adaptation.replay import Replay
from models.calibration.temperature import expected_calibration_error, fit_temperature, softmax
from models.errors import ModelError
from models.progress import Progress
from models.training.heads import Head

__all__ = ["MEND", "STRONGER", "Kin", "Outcome", "Problem", "calibrated", "make_problem", "related", "solve", "universe_of"]

#: Where the first fit has decayed: (how many times the pull, weight of the old texts), tried in turn.
STRONGER = ((1.0, 64.0), (3.0, 64.0), (10.0, 256.0), (100.0, 256.0))
#: So many settings are tried for one without suspects; the stronger ones after them cost too much of what was to be learnt.
CAREFUL = 3

MEND = "label texts of old classes too; name the class that a new one is a part of (--within NEW=OLD); give more old text (--replay)"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Kin:
    """What a class counts as on old texts.

    Attributes:
        taught: of every class the class of the base head that takes it in while the fit is held to the base head's answers: itself,
            for a new class the one that it lies within, ``None`` for a new class apart.
        measured: of every class the one that old labels know it as: itself, or the outermost class that it lies within.
    """

    taught: Sequence[int | None]
    measured: NDArray[np.int64]


def related(classes: Sequence[str], known: Sequence[str], within: Mapping[str, str], inherited: Mapping[str, str]) -> Kin:
    """``within``: new class -> the class of ``known`` that it is a part of. ``inherited``: the same of earlier adaptations.

    Raises:
        ModelError: ``within`` names a class that is not new, or an outer one that the head does not have.
    """
    for name, outer in within.items():
        if name not in classes or name in known:
            raise ModelError(f"{name!r} is not a new class of the labels", mend="write the class as the labels file has it")
        if outer not in known:
            raise ModelError(f"the model has no class {outer!r}", mend=f"use one of: {'; '.join(known)}")
    all_within = {**inherited, **within}
    taught: list[int | None] = []
    measured: list[int] = []
    for place, name in enumerate(classes):
        taught.append(place if place < len(known) else known.index(within[name]) if name in within else None)
        outermost = name
        while outermost in all_within:
            outermost = all_within[outermost]
        measured.append(list(classes).index(outermost))
    return Kin(taught, np.array(measured))


@dataclass(frozen=True)
class Problem:
    """``old``: rows that hold the head. ``check``, ``labels``, ``langs``: rows that decay is measured on, ``by_class`` too."""

    new: NewRows
    old: OldRows
    check: OldRows
    labels: NDArray[np.int64]
    langs: NDArray[np.str_]
    kin: Kin
    by_class: bool

    def decay(self, change: Change) -> Decay:
        """What ``change`` does to the old texts."""
        before = self.kin.measured[self.check.base.argmax(1)]
        after = self.kin.measured[change.logits(self.check.coordinates, self.check.base).argmax(1)]
        return measure_decay(before, after, self.labels, self.langs, by_class=self.by_class)


@dataclass(frozen=True)
class Outcome:
    """The fit that forgets nothing. ``refused``: settings tried before it, and what each would have done.

    ``calibration``: expected calibration error on the held-out labels, of the base head and of this one at ``temperature``.
    """

    change: Change
    setting: Setting
    decay: Decay
    held: HeldOut[Setting]
    refused: Sequence[tuple[Setting, str]]
    temperature: float
    calibration: tuple[float, float]


def universe_of(task: str, classes: Sequence[str], places: Sequence[int]) -> NDArray[np.bool_]:
    """Which of ``classes`` the labels could have said, bool ``[classes]``."""
    universe = np.ones(len(classes), np.bool_)
    if task == "sentiment" and "neutral" not in {classes[place] for place in places}:
        # A file of two classes says nothing about the third, as with the two-class sets that the model was trained on.
        universe[list(classes).index("neutral")] = False
    return universe


def make_problem(
    task: str, head: Head, classes: Sequence[str], places: Sequence[int], features: NDArray[np.float16], replay: Replay, kin: Kin
) -> Problem:
    """Put together what :func:`solve` needs; ``places`` and ``features`` are those of the new texts, row by row.

    Raises:
        ModelError: the replay rows have no labels for ``task``.
    """
    known = len(head.bias)
    answers = replay.answers.get(task)
    labelled = np.zeros(len(replay), np.bool_) if answers is None else replay.check & (answers >= 0)
    if answers is None or not labelled.any() or replay.check.all():
        raise ModelError(f"the replay rows have no labels for {task}", mend="make them anew with `bellwether models replay`")

    def rows(chosen: NDArray[np.bool_]) -> OldRows:
        coordinates = replay.coordinates(chosen)
        return OldRows(coordinates, replay.space.logits(head, coordinates)[:, :known])

    new = NewRows(
        replay.space.coordinates(features),
        head.logits(features).astype(np.float64),
        np.array(places, np.int64),
        universe_of(task, classes, places),
    )
    outermost = kin.measured[answers[labelled].astype(np.int64)]
    return Problem(new, rows(~replay.check), rows(labelled), outermost, replay.langs[labelled], kin, task == "sentiment")


def solve(problem: Problem, fold: NDArray[np.int64], progress: Progress) -> Outcome:
    """Choose the pull on the held-out labels, fit, and pull harder until nothing has decayed.

    Raises:
        ModelError: every fit would make an old language decay.
    """
    progress("choosing the pull on held-out labels", 0, 1)
    settings = [Setting(pull) for pull in PULLS]
    new, taught = problem.new, problem.kin.taught
    held = HeldOut(held_out(new, problem.old, fold, settings, taught), new.labels, new.universe)
    chosen = choose_pull(held)
    refused: list[tuple[Setting, str]] = []
    fitted: list[tuple[Setting, Change, Decay]] = []
    tried = [chosen, *(Setting(chosen.pull * times, weight) for times, weight in STRONGER)]
    for number, setting in enumerate(tried):
        if fitted and number >= CAREFUL:
            break
        progress("fitting, and measuring the old languages", number, len(tried))
        change = fit_change(new, problem.old, setting, taught)
        decay = problem.decay(change)
        if decay.complaint is None:
            fitted.append((setting, change, decay))
            if decay.clean:
                break
        else:
            refused.append((setting, decay.complaint))
    if not fitted:
        message = f"refused: the old languages would decay, {refused[-1][1]}, even with {STRONGER[-1][0]:.0f} times the pull"
        raise ModelError(message, mend=MEND)
    setting, change, decay = next((one for one in fitted if one[2].clean), fitted[0])
    if setting != chosen:
        held = HeldOut(held_out(new, problem.old, fold, [setting], taught), new.labels, new.universe)
    return Outcome(change, setting, decay, held, refused, *_calibrated(problem, held, setting, change))


def _calibrated(problem: Problem, held: HeldOut[Setting], setting: Setting, change: Change) -> tuple[float, tuple[float, float]]:
    """:func:`calibrated` for the head that ``change`` makes."""
    old = change.logits(problem.check.coordinates, problem.check.base)
    return calibrated(problem.kin, held, setting, problem.new.base, old, problem.labels)


def calibrated(
    kin: Kin, held: HeldOut[Choice], setting: Choice, base: Floats, old: Floats, labels: NDArray[np.int64]
) -> tuple[float, tuple[float, float]]:
    """One temperature for the held-out labels and the labelled old texts together, and the calibration error on the former.

    Args:
        base: logits of the held-out labels by the base head.
        old, labels: the changed head's logits of old texts, and the outermost class of each.
    """
    shut = np.where(held.universe, 0.0, -np.inf)
    parts = set(np.flatnonzero(kin.measured != np.arange(len(kin.measured))).tolist())
    outer = np.isin(labels, [int(kin.measured[part]) for part in parts])
    certain = np.concatenate([old[~outer], held.logits[setting]]) if held.universe.all() else old[~outer]
    known = np.concatenate([labels[~outer], held.labels]) if held.universe.all() else labels[~outer]
    temperature = fit_temperature(certain, known)
    before = softmax(base + shut[: base.shape[1]])
    after = softmax((held.logits[setting] + shut) / temperature)
    return temperature, (expected_calibration_error(before, held.labels), expected_calibration_error(after, held.labels))
