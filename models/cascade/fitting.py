"""Choosing the thresholds of a cascade on labelled rows: the most speed for what macro-F1 it may cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.cascade.deferral import TASKS
from models.cascade.plan import blended
from models.data import Example
from models.inference import Scores

__all__ = [
    "ASKED",
    "BLENDS",
    "BUDGETS",
    "NEVER",
    "Fitted",
    "Judged",
    "Thresholds",
    "best_blend",
    "best_within",
    "cautious",
    "fit_thresholds",
    "judge",
    "labels_of",
    "measured",
    "mixed",
]

#: No probability reaches it: a stage with this threshold is not asked at all.
NEVER = 1.01

#: Nor this: the first stage is asked, for the sake of the blend, and answers nothing.
ASKED = 1.005

#: Candidates of a threshold: this many quantiles of the confidences that occur.
CANDIDATES = 20

#: Points of macro-F1 that may be lost (below nought: must be gained): one cascade of the curve for each.
BUDGETS = (-1.0, -0.5, -0.25, 0.0, 0.15, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)

#: Standard errors of the points lost that are added to them where a cascade is chosen: what is lost on other texts will be another number.
CAUTION = 1.0
_DRAWS = 200

#: Shares of the whole encoder's time that a point of macro-F1 is worth while the ground is explored, from careful to careless.
_PRICES = (0.5, 0.1, 0.02)
#: Candidates of the share of the first stage in the encoder's answer.
BLENDS = tuple(step / 20 for step in range(17))

_ROUNDS = 3

#: A threshold for each of :data:`TASKS`, a pair for each stage before the last.
Thresholds = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Judged:
    """What every stage says of ``n`` rows, the last stage being the whole encoder.

    ``confidence`` ``[stages, tasks, n]``: as :func:`models.cascade.deferral.confidence` has it. ``predicted`` ``[stages, tasks, n]``: the
    best class. ``labels`` ``[tasks, n]``: the right class, -1 where the row has no label for the task. ``alone`` ``[tasks, n]``: the class
    that the encoder says without the blend; what a cascade loses is against that. ``weight`` ``[n]``: share of a row in time, 1 in the
    mean: a long text costs more, and a text may stand for several.
    """

    confidence: NDArray[np.float32]
    predicted: NDArray[np.int64]
    labels: NDArray[np.int64]
    alone: NDArray[np.int64]
    weight: NDArray[np.float32]

    @cached_property
    def labelled(self) -> list[NDArray[np.int64]]:
        """Rows with a label, for each task."""
        return [np.flatnonzero(row >= 0) for row in self.labels]

    @cached_property
    def whole(self) -> dict[str, float]:
        """Macro-F1 of the encoder alone."""
        rows = dict(zip(TASKS, self.labelled, strict=True))
        pairs = {task: (self.alone[number, rows[task]], self.labels[number, rows[task]]) for number, task in enumerate(TASKS)}
        return {task: _macro_f1(*pair) for task, pair in pairs.items() if len(pair[0])}

    def stage(self, thresholds: Thresholds) -> NDArray[np.int64]:
        """Which stage answers each row ``[n]``."""
        answered = np.full(self.labels.shape[1], len(self.confidence) - 1, np.int64)
        for number in reversed(range(len(thresholds))):
            reached = self.confidence[number] >= np.array(thresholds[number], np.float32)[:, None]
            answered[reached.all(axis=0)] = number
        return answered

    def macro_f1(self, stage: NDArray[np.int64]) -> dict[str, float]:
        """Macro-F1 in percent of each task that has labels, when row ``i`` is answered by ``stage[i]``."""
        scores = {}
        for number, task in enumerate(TASKS):
            rows = self.labelled[number]
            if len(rows):
                scores[task] = _macro_f1(self.predicted[stage[rows], number, rows], self.labels[number, rows])
        return scores


def _macro_f1(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """:func:`models.evaluation.metrics.macro_f1` by one count, for it is asked tens of thousands of times."""
    classes = int(max(predicted.max(), labels.max())) + 1
    table = np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)
    present = table.sum(axis=1) > 0
    totals = table.sum(axis=0) + table.sum(axis=1)
    return 100 * float((2 * np.diagonal(table)[present] / totals[present]).mean())


def labels_of(rows: int, labelled: Sequence[Example]) -> NDArray[np.int64]:
    """The labels ``[tasks, rows]`` of ``labelled`` and, behind them, of rows without one: -1 where there is none."""
    labels = np.full((len(TASKS), rows), -1, np.int64)
    for row, example in enumerate(labelled):
        if example.label is not None and example.task in TASKS:
            labels[TASKS.index(example.task), row] = example.label
    return labels


def best_blend(first: Scores, later: Scores, labelled: Sequence[Example]) -> tuple[float, float]:
    """The shares of the first stage, of :data:`BLENDS`, whose :func:`models.cascade.plan.blended` answers have the highest macro-F1."""
    labels = labels_of(len(first.sentiment), labelled)
    found: dict[str, float] = dict.fromkeys(TASKS, 0.0)
    for number, task in enumerate(TASKS):
        rows = np.flatnonzero(labels[number] >= 0)
        if len(rows):
            answers = [getattr(blended(later, first, (share, share)), task)[rows].argmax(axis=1) for share in BLENDS]
            # Where two are equal the smaller share is taken.
            found[task] = BLENDS[int(np.argmax([_macro_f1(one, labels[number, rows]) for one in answers]))]
    return found["sentiment"], found["topic"]


def mixed(scores: Sequence[Scores], blends: Sequence[tuple[float, float]]) -> list[Scores]:
    """What each stage says with its share of the first one, ``blends`` being those of the later ones; none: ``scores`` as they are."""
    return [scores[0], *(blended(one, scores[0], share) for one, share in zip(scores[1:], blends, strict=True))] if blends else list(scores)


def judge(
    scores: Sequence[Scores],
    labelled: Sequence[Example],
    blends: Sequence[tuple[float, float]] = (),
    learned: Sequence[NDArray[np.float32]] = (),
    weight: NDArray[np.float32] | None = None,
    *,
    stand_in: bool = False,
) -> Judged:
    """``scores`` of each stage for the ``labelled`` rows and, behind them, any number of rows without label.

    ``blends``: share of the first stage in what each later one says, by default none. ``learned``: confidence ``[tasks, n]`` of each stage
    before the last, by default the probability of its best class. ``weight``: of :class:`Judged`, by default 1 each. ``stand_in``: for a
    task without a single label the encoder's answers count as right, so that no threshold is chosen as if nothing could be lost.
    """
    rows = len(scores[0].sentiment)
    alone = np.array([getattr(scores[-1], task).argmax(axis=1) for task in TASKS], np.int64)
    labels = labels_of(rows, labelled)
    if stand_in:
        labels = np.where((labels >= 0).any(axis=1, keepdims=True), labels, alone)
    stages = mixed(scores, blends)
    probabilities = [[np.asarray(getattr(one, task)) for task in TASKS] for one in stages]
    confidence = np.array([[part.max(axis=1) for part in one] for one in probabilities], np.float32)
    for number, one in enumerate(learned):
        confidence[number] = one
    return Judged(
        confidence,
        np.array([[part.argmax(axis=1) for part in one] for one in probabilities], np.int64),
        labels,
        alone,
        np.ones(rows, np.float32) if weight is None else weight,
    )


@dataclass(frozen=True)
class Fitted:
    """``thresholds``; ``share`` of the rows each stage answers; ``time`` a text, as a share of the whole encoder's; macro-F1 ``lost``.

    ``lost``: points of each task, below nought where the cascade is the better one.
    """

    thresholds: Thresholds
    share: tuple[float, ...]
    time: float
    lost: Mapping[str, float]

    @property
    def worst(self) -> float:
        """Points lost where most are lost."""
        return max(self.lost.values(), default=0.0)


def measured(judged: Judged, thresholds: Thresholds, seconds: Sequence[float]) -> Fitted:
    """What a cascade of ``thresholds`` gives on ``judged``, when a text costs each stage ``seconds``."""
    stage = judged.stage(thresholds)
    # A text has paid for every stage it was shown to; a stage that is never asked costs nothing.
    asked = [cost if one[0] < NEVER and one[1] < NEVER else 0.0 for one, cost in zip(thresholds, seconds, strict=False)]
    paid = np.cumsum([*asked, seconds[-1]])
    time = float((paid[stage] * judged.weight).mean() / seconds[-1])
    share = np.bincount(stage, minlength=len(seconds)) / max(1, len(stage))
    whole, found = judged.whole, judged.macro_f1(stage)
    lost = {task: whole[task] - found[task] for task in whole}
    return Fitted(thresholds, tuple(float(one) for one in share), time, lost)


def _candidates(judged: Judged, number: int) -> list[tuple[float, float]]:
    """Pairs of thresholds of one stage: quantiles of its confidences, cut to six decimals as they will be written."""
    quantiles = [np.quantile(judged.confidence[number, task], np.linspace(0, 1, CANDIDATES)) for task in range(len(TASKS))]
    steps = [sorted({float(np.floor(one * 1e6) / 1e6) for one in values}) for values in quantiles]
    silent = ASKED if number == 0 else NEVER
    return [(silent, silent), *((first, second) for first in steps[0] for second in steps[1])]


def _priced(price: float) -> Callable[[Fitted], float]:
    """Time plus ``price`` for each point lost where most are lost."""
    return lambda one: one.time + price * max(0.0, one.worst)


def _within(most: float) -> Callable[[Fitted], float]:
    """Time, where no more than ``most`` points are lost."""
    return lambda one: one.time if one.worst <= most else math.inf


def _descend(start: Fitted, judged: Judged, seconds: Sequence[float], worth: Callable[[Fitted], float]) -> Iterator[Fitted]:
    """Coordinate descent over the stages toward the least ``worth``: every cascade that is tried."""
    candidates = [_candidates(judged, number) for number in range(len(seconds) - 1)]
    best = start
    for _ in range(_ROUNDS):
        before = best
        for number, pairs in enumerate(candidates):
            for pair in pairs:
                tried = measured(judged, (*best.thresholds[:number], pair, *best.thresholds[number + 1 :]), seconds)
                yield tried
                if worth(tried) < worth(best):
                    best = tried
        if best is before:
            return


def fit_thresholds(judged: Judged, seconds: Sequence[float], budgets: Sequence[float] = BUDGETS) -> list[Fitted]:
    """The fastest cascade found for each of ``budgets``, points of macro-F1 lost at most where most are lost; the careful ones first.

    A budget below nought that nothing keeps to gets none.

    The ground is explored by coordinate descent on time plus a price for each point lost, from a cascade where only the encoder answers;
    from the best that was met within each budget a second descent, on time alone, keeps to that budget.
    """
    known = [measured(judged, ((ASKED, ASKED), *((NEVER, NEVER) for _ in seconds[2:])), seconds)]
    start = known[0]
    for price in _PRICES:
        worth = _priced(price)
        known += _descend(start, judged, seconds, worth)
        # The next, less careful descent begins where this one ended.
        start = min(known, key=worth)
    made = []
    for budget in sorted(budgets):
        if budget < min(one.worst for one in known):
            continue
        best = best_within(known, budget)
        known += _descend(best, judged, seconds, _within(budget))
        made.append(best_within(known, budget))
    return made


def best_within(fitted: Sequence[Fitted], most: float) -> Fitted:
    """The fastest of ``fitted`` that loses ``most`` points at most where most are lost; what :func:`fit_thresholds` gives has one."""
    return min((one for one in fitted if one.worst <= most), key=lambda one: one.time)


def cautious(judged: Judged, one: Fitted) -> float:
    """Points that ``one`` loses where most are lost, with :data:`CAUTION` standard errors of them (bootstrap over the labelled rows)."""
    stage, random = judged.stage(one.thresholds), np.random.default_rng(0)
    found = []
    for number, (task, rows) in enumerate(zip(TASKS, judged.labelled, strict=True)):
        if not len(rows):
            continue
        answered, alone, labels = judged.predicted[stage[rows], number, rows], judged.alone[number, rows], judged.labels[number, rows]
        draws = (random.integers(0, len(rows), len(rows)) for _ in range(_DRAWS))
        lost = [_macro_f1(alone[drawn], labels[drawn]) - _macro_f1(answered[drawn], labels[drawn]) for drawn in draws]
        found.append(one.lost[task] + CAUTION * float(np.std(lost)))
    return max(found, default=0.0)
