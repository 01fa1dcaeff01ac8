"""Fitting the change of a head: what the new labels ask for, held by the old model's answers on old texts and by a pull towards it.

The change acts on the coordinates of :class:`models.adaptation.replay.Space` and starts at nought, so a change of nought is the base
head. Three terms, each a mean over its rows, are minimised together (convex; L-BFGS, Liu & Nocedal 1989):

- new rows: ``-log P(label | what could have been said)``;
- old rows: the cross-entropy of the base model's probabilities (replay with stored answers: Li & Hoiem 2016, arXiv:1606.09282; Buzzega
  et al. 2020, arXiv:2004.07211), where a new class that lies within an old one counts as the old one;
- ``pull`` times the squared norm of the change of the weights.

A new class within an old one could take all of it at no cost, so :data:`APART` says with little weight that old texts are not of the new
class: most of them are not, and nobody has said of any that it is (learning from positive and unlabelled texts, Elkan & Noto 2008).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Change", "NewRows", "OldRows", "Setting", "fit_change", "minimise"]

Floats = NDArray[np.float64]

STEPS = 150
MEMORY = 10
TOLERANCE = 1e-4
SUFFICIENT = 1e-4
TINY = 1e-12

#: Weight of the old rows as texts of no new class, against the new rows.
APART = 1.0


@dataclass(frozen=True)
class Setting:
    """``pull``: towards the base head. ``replay``: weight of the old rows, all together, against the new ones, all together.

    The new rows say what the classes look like; how often each comes in life is better known from the old rows, so these weigh more.
    """

    pull: float
    replay: float = 16.0


@dataclass(frozen=True)
class NewRows:
    """``coordinates`` ``[n, dims]``, ``base`` logits ``[n, old classes]``, ``labels`` ``[n]``; ``universe`` bool ``[classes]``."""

    coordinates: Floats
    base: Floats
    labels: NDArray[np.int64]
    universe: NDArray[np.bool_]

    def at(self, rows: NDArray[np.int64]) -> NewRows:
        """The rows at these positions."""
        return NewRows(self.coordinates[rows], self.base[rows], self.labels[rows], self.universe)


@dataclass(frozen=True)
class OldRows:
    """``coordinates`` ``[n, dims]`` and ``base`` logits ``[n, old classes]``, whose softmax is what is to be kept."""

    coordinates: Floats
    base: Floats


@dataclass(frozen=True)
class Change:
    """What is added to the base head's logits: ``coordinates @ matrix + bias``; classes beyond the base head's start from nought."""

    matrix: Floats
    bias: Floats

    def logits(self, coordinates: Floats, base: Floats) -> Floats:
        """Logits ``[n, classes]`` of the changed head."""
        changed = coordinates @ self.matrix + self.bias
        changed[:, : base.shape[1]] += base
        return changed


def _softmax(logits: Floats) -> Floats:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def fit_change(new: NewRows, old: OldRows, setting: Setting, parents: Sequence[int | None], start: Change | None = None) -> Change:
    """The change that ``setting`` leads to.

    Args:
        parents: of every class: the old class that it counts as on old rows; itself for old classes, ``None`` for a class apart.
        start: where the search begins; a change of nought by default, new classes at an even share of one row in the old rows.
    """
    dims, classes, known = new.coordinates.shape[1], len(parents), new.base.shape[1]
    teacher = _softmax(old.base)
    padded = np.pad(teacher, ((0, 0), (0, classes - known)))
    members = np.zeros((classes, known))
    for place, parent in enumerate(parents):
        if parent is not None:
            members[place, parent] = 1.0
    picked = np.arange(len(new.labels)), new.labels
    shut = np.where(new.universe, 0.0, -np.inf)

    def loss(flat: Floats) -> tuple[float, Floats]:
        change = Change(flat[: dims * classes].reshape(dims, classes), flat[dims * classes :])
        taught = _softmax(change.logits(new.coordinates, new.base) + shut)
        kept = _softmax(change.logits(old.coordinates, old.base))
        as_old = np.maximum(kept @ members, TINY)
        value = -np.log(np.maximum(taught[picked], TINY)).mean()
        value -= (
            setting.replay * (teacher * np.log(as_old)).sum(1).mean() + APART * (teacher * np.log(kept[:, :known] + TINY)).sum(1).mean()
        )
        value += setting.pull * (change.matrix**2).sum()
        taught[picked] -= 1.0
        taught /= len(taught)
        held = kept * (1.0 - (teacher / as_old) @ members.T) * (setting.replay / len(kept))
        held += (kept - padded) * (APART / len(kept))
        slope = new.coordinates.T @ taught + old.coordinates.T @ held + 2 * setting.pull * change.matrix
        return float(value), np.concatenate([slope.ravel(), taught.sum(0) + held.sum(0)])

    if start is None:
        bias = np.zeros(classes)
        # As likely as one row of the old ones: below every class that the base model would answer.
        bias[known:] = np.logaddexp.reduce(old.base, axis=None) - np.log(len(old.base)) - np.log(len(old.base) + 1)
        start = Change(np.zeros((dims, classes)), bias)
    flat = minimise(loss, np.concatenate([start.matrix.ravel(), start.bias]))
    return Change(flat[: dims * classes].reshape(dims, classes), flat[dims * classes :])


def minimise(loss: Callable[[Floats], tuple[float, Floats]], start: Floats) -> Floats:
    """The minimum of a smooth convex ``loss`` (value and gradient), from ``start``: L-BFGS with a backtracking line search."""
    point = start.copy()
    value, slope = loss(point)
    moves: list[Floats] = []
    turns: list[Floats] = []
    for _ in range(STEPS):
        if np.abs(slope).max() < TOLERANCE:
            break
        way = _direction(slope, moves, turns)
        descent = float(slope @ way)
        size = 1.0 if moves else min(1.0, 1.0 / float(np.abs(slope).sum()))
        while True:
            ahead, ahead_slope = loss(point + size * way)
            if ahead <= value + SUFFICIENT * size * descent:
                break
            size /= 2
            if size < 1e-10:
                return point
        move, turn = size * way, ahead_slope - slope
        if float(move @ turn) > 1e-12:
            moves, turns = [*moves[1 - MEMORY :], move], [*turns[1 - MEMORY :], turn]
        point, value, slope = point + move, ahead, ahead_slope
    return point


def _direction(slope: Floats, moves: Sequence[Floats], turns: Sequence[Floats]) -> Floats:
    """The two-loop recursion: minus the approximate inverse Hessian times ``slope``."""
    way = -slope
    shares: list[float] = []
    for move, turn in zip(reversed(moves), reversed(turns), strict=True):
        share = float(move @ way) / float(move @ turn)
        shares.append(share)
        way = way - share * turn
    if moves:
        way = way * (float(moves[-1] @ turns[-1]) / float(turns[-1] @ turns[-1]))
    for move, turn, share in zip(moves, turns, reversed(shares), strict=True):
        way = way + move * (share - float(turn @ way) / float(move @ turn))
    return way
