"""How steady a model's tone is: changes that leave the meaning alone, and names that must not count.

The score is positive - negative, in [-1, 1]. Invariance and directional tests after Ribeiro et al. 2020 (CheckList); names in fixed
sentences after Kiritchenko & Mohammad 2018. Intervals are percentile bootstraps over sentences, for sentences are what another writer
would change.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.data import Example
from models.evaluation.metrics import macro_f1
from models.inference import Encoder
from models.progress import Progress
from models.robustness.sentences import TONES, Frame, Sentences
from models.texts.perturbations import PERTURBATIONS, Perturbation

__all__ = ["BOUND", "Change", "Interval", "Name", "Negation", "Robustness", "measure_robustness"]

#: No name and no gender may move the score by more than this, in the mean over sentences and languages. The score's range is 2.
BOUND = 0.05

DRAWS = 2_000
LEVEL = 0.95
STEP = 256

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean and the bounds of ``LEVEL`` of its bootstrap."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Floats, seed: int = 0) -> Interval:
        """Over ``values`` ``[n]``, one a sentence. Of no values everything is nought."""
        if not len(values):
            return cls(0.0, 0.0, 0.0)
        rows = np.random.default_rng(seed).integers(0, len(values), (DRAWS, len(values)))
        low, high = np.quantile(values[rows].mean(1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return cls(float(values.mean()), float(low), float(high))


@dataclass(frozen=True)
class Change:
    """What one harmless change did to the score of ``rows`` sentences.

    Attributes:
        moved: how far the score moved, without its sign.
        drift: how far it moved, with its sign.
        largest: the farthest move.
        flips: share of sentences whose label changed.
        by_language: mean of ``moved``.
        worst: the sentence, changed, that moved farthest.
        f1: macro-F1 in percent before and after, where the texts are labelled; ``f1_change``: after - before.
    """

    name: str
    rows: int
    moved: Interval
    drift: Interval
    largest: float
    flips: Interval
    by_language: Mapping[str, float]
    worst: str
    f1: tuple[float, float] | None = None
    f1_change: Interval | None = None


@dataclass(frozen=True)
class Name:
    """How far one name moves the score from the mean of all names in the same sentence; ``holds``: no farther than ``BOUND``."""

    group: str
    name: str
    moved: Interval

    @property
    def holds(self) -> bool:
        """Whether the mean lies within the bound."""
        return abs(self.moved.mean) <= BOUND


@dataclass(frozen=True)
class Spread:
    """All names of one ``group`` together: the mean and the largest move from a sentence's mean, and labels other than its usual one."""

    group: str
    rows: int
    moved: Interval
    largest: float
    worst: str
    flips: float
    by_language: Mapping[str, float]


@dataclass(frozen=True)
class Negation:
    """Negated sentences whose affirmed form has a ``tone``.

    Attributes:
        turned: share whose score moved away from the tone.
        left: share whose label is no longer the tone, of those affirmed sentences that the model labels rightly.
        by_language: share of ``left``; a language without a right one is absent.
    """

    tone: str
    rows: int
    right: int
    turned: Interval
    left: Interval
    by_language: Mapping[str, float]


@dataclass(frozen=True)
class Robustness:
    """Everything found. ``sentences``: changes to the package's sentences; ``real``: to labelled texts, where some were given."""

    model_id: str
    sentences: Sequence[Change]
    real: Sequence[Change]
    negations: Sequence[Negation]
    spreads: Sequence[Spread]
    names: Sequence[Name]
    genders: Change

    @property
    def genders_hold(self) -> bool:
        """Whether a man's and a woman's sentence score alike, within the bound."""
        return abs(self.genders.drift.mean) <= BOUND


class _Asked:
    """The model's answers, each text scored once."""

    def __init__(self, encoder: Encoder, texts: Sequence[str], progress: Progress) -> None:
        unique = sorted(set(texts), key=lambda text: (len(text), text))
        labels = encoder.artifact.sentiment_labels
        self._at = {text: index for index, text in enumerate(unique)}
        parts = []
        for start in range(0, len(unique), STEP):
            parts.append(encoder.score(unique[start : start + STEP]).sentiment)
            progress("sentences", min(start + STEP, len(unique)), len(unique))
        probabilities = np.concatenate(parts).astype(np.float64)
        self._scores = probabilities[:, labels.index("positive")] - probabilities[:, labels.index("negative")]
        self._labels = probabilities.argmax(1)
        self._names = labels

    def scores(self, texts: Sequence[str]) -> Floats:
        return np.asarray(self._scores[[self._at[text] for text in texts]])

    def answers(self, texts: Sequence[str]) -> NDArray[np.int64]:
        return np.asarray(self._labels[[self._at[text] for text in texts]])

    def label(self, text: str) -> str:
        return self._names[int(self._labels[self._at[text]])]


#: (language, text as it is, text changed)
Pair = tuple[str, str, str]


def _perturbed(texts: Sequence[tuple[str, str]], perturb: Perturbation, seed: int) -> list[Pair]:
    chance = random.Random(seed)  # noqa: S311 - drawn to be repeated, not to be secret
    pairs = [(lang, text, perturb(text, chance)) for lang, text in texts]
    return [pair for pair in pairs if pair[1] != pair[2]]


def _by_language(langs: Sequence[str], values: Floats) -> dict[str, float]:
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for lang, value in zip(langs, values, strict=True):
        groups[lang].append(float(value))
    return {lang: float(np.mean(group)) for lang, group in sorted(groups.items())}


def _f1_change(before: NDArray[np.int64], after: NDArray[np.int64], truth: NDArray[np.int64]) -> Interval:
    """Macro-F1 after - before, over the same draws of rows for both."""
    draws = np.random.default_rng(0).integers(0, len(truth), (DRAWS // 4, len(truth)))
    changes = [macro_f1(after[rows], truth[rows]) - macro_f1(before[rows], truth[rows]) for rows in draws]
    low, high = np.quantile(changes, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(macro_f1(after, truth) - macro_f1(before, truth), float(low), float(high))


def _change(asked: _Asked, name: str, pairs: Sequence[Pair], labels: Mapping[str, int] | None = None) -> Change:
    langs, before, after = ([pair[part] for pair in pairs] for part in range(3))
    moves = asked.scores(after) - asked.scores(before)
    flips = (asked.answers(after) != asked.answers(before)).astype(np.float64)
    farthest = int(np.abs(moves).argmax())
    f1, f1_change = None, None
    if labels is not None:
        truth = np.array([labels[text] for text in before])
        f1 = (macro_f1(asked.answers(before), truth), macro_f1(asked.answers(after), truth))
        f1_change = _f1_change(asked.answers(before), asked.answers(after), truth)
    shares = _by_language(langs, np.abs(moves))
    return Change(
        name=name,
        rows=len(pairs),
        moved=Interval.of(np.abs(moves)),
        drift=Interval.of(moves),
        largest=float(np.abs(moves).max()),
        flips=Interval.of(flips),
        by_language=shares,
        worst=f"{before[farthest]} → {after[farthest]} ({moves[farthest]:+.2f})",
        f1=f1,
        f1_change=f1_change,
    )


def _names(asked: _Asked, group: str, frames: Sequence[Frame]) -> tuple[Spread, list[Name]]:
    keys = list(frames[0].names)
    texts = [[frame.filled()[key] for key in keys] for frame in frames]
    scores = np.stack([asked.scores(row) for row in texts])
    moves = scores - scores.mean(1, keepdims=True)
    answers = np.stack([asked.answers(row) for row in texts])
    usual = np.array([np.bincount(row).argmax() for row in answers])
    row, column = np.unravel_index(int(np.abs(moves).argmax()), moves.shape)
    spread = Spread(
        group=group,
        rows=moves.size,
        moved=Interval.of(np.abs(moves).mean(1)),
        largest=float(np.abs(moves).max()),
        worst=f"{texts[row][column]} ({moves[row, column]:+.2f} from the mean of all names)",
        flips=float((answers != usual[:, None]).mean()),
        by_language=_by_language([frame.lang for frame in frames], np.abs(moves).mean(1)),
    )
    return spread, [Name(group, key, Interval.of(moves[:, index])) for index, key in enumerate(keys)]


def _negation(asked: _Asked, tone: str, rows: Sequence[tuple[str, str, str, str]]) -> Negation:
    affirmed, negated = [row[2] for row in rows], [row[3] for row in rows]
    moves = asked.scores(negated) - asked.scores(affirmed)
    turned = (moves < 0) if tone == "positive" else (moves > 0)
    right = [index for index, text in enumerate(affirmed) if asked.label(text) == tone]
    left = np.array([asked.label(negated[index]) != tone for index in right], np.float64)
    shares = _by_language([rows[index][0] for index in right], left)
    return Negation(tone, len(rows), len(right), Interval.of(turned.astype(np.float64)), Interval.of(left), shares)


def measure_robustness(
    encoder: Encoder, table: Sentences, progress: Progress, *, real: Sequence[Example] = (), seed: int = 0
) -> Robustness:
    """Measure ``encoder`` on ``table`` and, where given, on labelled ``real`` texts. The same call always gives the same report.

    Args:
        real: sentiment examples whose label is one of the three classes.
        seed: of the places of slips and the choice of emoji.
    """
    plain = table.plain()
    own = {name: _perturbed(plain, perturb, seed) for name, perturb in PERTURBATIONS.items()}
    own["a part in another language"] = list(table.switches)
    labels = {example.text: example.targets[0] for example in real}
    langs = [(example.lang, example.text) for example in real]
    others = {name: _perturbed(langs, perturb, seed) for name, perturb in PERTURBATIONS.items()}
    frames = {"companies": table.companies, "countries": table.countries}
    texts = [text for pairs in (*own.values(), *others.values(), table.genders) for pair in pairs for text in pair[1:]]
    texts += [text for group in frames.values() for frame in group for text in frame.filled().values()]
    texts += [text for row in table.negations for text in row[2:]]
    asked = _Asked(encoder, texts, progress)
    spreads, names = zip(*(_names(asked, group, rows) for group, rows in frames.items()), strict=True)
    by_tone = {tone: [row for row in table.negations if row[1] == tone] for tone in TONES}
    return Robustness(
        model_id=encoder.artifact.model_id,
        sentences=[_change(asked, name, pairs) for name, pairs in own.items() if pairs],
        real=[_change(asked, name, pairs, labels) for name, pairs in others.items() if pairs],
        negations=[_negation(asked, tone, rows) for tone, rows in by_tone.items() if rows],
        spreads=list(spreads),
        names=[name for group in names for name in group],
        genders=_change(asked, "a woman in a man's place", table.genders),
    )
