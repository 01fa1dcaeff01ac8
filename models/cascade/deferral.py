"""What it would cost to keep a text from the encoder: a linear model of what the first stage says, taught by the encoder's own answers.

The cost of the first stage's answer is how much less probable it is than the cascade's answer would be, were the encoder asked: nought
where the two agree. No label is needed for it, so it is learned on any text that the encoder was asked about and the first stage has not
seen (a learned rule of deferral, as Mozannar and Sontag 2020, arXiv:2006.01862; its expected cost, not its class, as Narasimhan et al.
2022, "Post-hoc Estimators for Learning to Defer to an Expert").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.inference import Scores
from models.progress import Progress
from models.training.heads import fit_head

__all__ = ["TASKS", "Deferral", "confidence", "costs", "cross_fitted", "features", "fit_deferral", "sizes"]

#: Sentiment and topic: a text is answered when both are sure.
TASKS = ("sentiment", "topic")

Floats = NDArray[np.float32]

#: Bytes of UTF-8 of a text of middling length, and from which on a text is as long as any: the encoder reads no further.
_BYTES, _MOST_BYTES = 160, 480
_LEAST_BYTES = 20
#: How the cost that a text must have to be worth the encoder's time grows with its length.
_GROWTH = 0.5
#: The embedding has unit length; its parts are brought to the size of the other features.
_EMBEDDING = np.float32(5.0)
_LEAST = np.float32(1e-4)
_RANKED = 3
_DECAY = 1e-3
#: An answer of a rare class costs macro-F1 more; the factors lie between 1 / this and this.
_RARE = 2.0
_DIGITS = 6
_FOLDS = 5


def sizes(texts: Sequence[str]) -> Floats:
    """How long a text is for the encoder ``[n]``, 1 for one of middling length, growing as the root of its bytes.

    Tokens would be exact, but a stage shows its scores and not its tokens.
    """
    lengths = np.array([len(text[:_MOST_BYTES].encode("utf-8", "surrogatepass")) for text in texts], np.float32)
    grown: Floats = (np.clip(lengths, _LEAST_BYTES, _MOST_BYTES) / _BYTES) ** np.float32(_GROWTH)
    return grown


def features(scores: Scores) -> Floats:
    """What ``scores`` tell of their own worth ``[n, features]``: for both tasks the logarithms of the probabilities, by class and by rank,
    the lead of the first, the entropy and the class itself; and the embedding."""
    parts: list[Floats] = []
    for task in TASKS:
        probabilities = np.asarray(getattr(scores, task), np.float32)
        logarithms = np.log(np.maximum(probabilities, _LEAST))
        ranked = -np.sort(-probabilities, axis=1)
        parts += [logarithms, np.log(np.maximum(ranked[:, :_RANKED], _LEAST)), ranked[:, :1] - ranked[:, 1:2]]
        parts += [-(probabilities * logarithms).sum(axis=1, keepdims=True)]
        parts += [np.eye(probabilities.shape[1], dtype=np.float32)[probabilities.argmax(axis=1)]]
    whole: Floats = np.concatenate([*parts, scores.embedding * _EMBEDDING], axis=1, dtype=np.float32)
    return whole


@dataclass(frozen=True)
class Deferral:
    """For sentiment and topic the weights of :func:`features`, and a bias: the logit of the expected cost."""

    weights: tuple[tuple[float, ...], tuple[float, ...]]
    bias: tuple[float, float]

    @cached_property
    def _matrix(self) -> Floats:
        return np.array(self.weights, np.float32)

    def expected(self, scores: Scores) -> Floats:
        """Expected cost of each answer ``[tasks, n]``, 0 to 1; that of a text does not depend on the others."""
        found = features(scores)
        # Row by row and not by a matrix product, whose last bits depend on how many rows there are.
        logits = np.stack([(found * weights).sum(axis=1) + np.float32(bias) for weights, bias in zip(self._matrix, self.bias, strict=True)])
        cost: Floats = (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
        return cost


def confidence(scores: Scores, texts: Sequence[str], deferral: Deferral | None) -> Floats:
    """How sure a stage is of each text ``[tasks, n]``, 1 at most: one less the expected cost for its length, or the probability itself."""
    if deferral is None:
        return np.array([getattr(scores, task).max(axis=1) for task in TASKS], np.float32)
    doubt = np.minimum(deferral.expected(scores) / sizes(texts), np.float32(1))
    return np.float32(1) - doubt


def costs(first: Scores, mixed: Scores, labels: NDArray[np.int64]) -> Floats:
    """What the answers of ``first`` cost where ``mixed`` would be given otherwise ``[tasks, n]``, 0 to 1.

    ``labels`` ``[tasks, rows]`` (-1: none) tell how rare each class is among labelled texts: macro-F1 counts a rare one for more.
    """
    found = []
    for number, task in enumerate(TASKS):
        ours, theirs = getattr(first, task).argmax(axis=1), getattr(mixed, task)
        rows = np.arange(len(ours))
        lost = theirs.max(axis=1) - theirs[rows, ours]
        counts = np.bincount(labels[number][labels[number] >= 0], minlength=theirs.shape[1])
        mean = counts.sum() / max(1, (counts > 0).sum())
        factors = np.clip(np.sqrt(mean / np.maximum(counts, 1)), 1 / _RARE, _RARE) if counts.any() else np.ones(theirs.shape[1])
        found.append(lost * factors[theirs.argmax(axis=1)] / _RARE)
    return np.array(found, np.float32)


def fit_deferral(scores: Scores, cost: NDArray[np.floating[Any]], rows: NDArray[np.int64]) -> Deferral:
    """The logistic regression of ``cost`` ``[tasks, n]``, as :func:`costs` gives it, on what ``scores`` tell, over ``rows`` of them.

    Raises:
        ModelError: the extra ``train`` is missing.
    """
    inputs = features(Scores(*(part[rows] for part in scores)))
    fitted = []
    for one in cost[:, rows]:
        # Each text stands twice: with its cost as the weight of "costs", and the rest of one as that of "costs nothing".
        targets = np.zeros((2 * len(rows), 2), np.bool_)
        targets[: len(rows), 0], targets[len(rows) :, 1] = True, True
        weights = np.concatenate([1 - one, one]).astype(np.float32)
        fitted.append(fit_head(np.concatenate([inputs, inputs]), targets, np.ones_like(targets), weights, decay=_DECAY))
    weights = [[round(float(value), _DIGITS) for value in head.weights[:, 1] - head.weights[:, 0]] for head in fitted]
    bias = [round(float(head.bias[1] - head.bias[0]), _DIGITS) for head in fitted]
    return Deferral((tuple(weights[0]), tuple(weights[1])), (bias[0], bias[1]))


def cross_fitted(scores: Scores, cost: Floats, texts: Sequence[str], progress: Progress) -> tuple[Deferral, Floats]:
    """:func:`fit_deferral` on all rows, and the confidence ``[tasks, n]`` of each row under a model that did not learn from it.

    What is chosen on the rows that a model learned from would be chosen on too good an opinion.

    Raises:
        ModelError: the extra ``train`` is missing.
    """
    fold = np.arange(len(texts)) % _FOLDS
    found = np.zeros((len(TASKS), len(texts)), np.float32)
    for number in range(_FOLDS):
        progress("learning when to ask the encoder", number, _FOLDS + 1)
        outside = np.flatnonzero(fold == number)
        learned = fit_deferral(scores, cost, np.flatnonzero(fold != number))
        found[:, outside] = confidence(Scores(*(part[outside] for part in scores)), [texts[row] for row in outside], learned)
    progress("learning when to ask the encoder", _FOLDS, _FOLDS + 1)
    return fit_deferral(scores, cost, np.arange(len(texts))), found
