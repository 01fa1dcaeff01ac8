"""Measuring an artifact on labelled text, by set and language: what it gets right, and how far its probabilities are to be trusted."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact
from models.calibration.abstention import risk_coverage
from models.calibration.temperature import ReliabilityBin, expected_calibration_error, reliability_curve
from models.data import LABELS, sources
from models.evaluation.metrics import Figures, confusion, measure
from models.evaluation.sets import UNKNOWN, TextSet, read_sets
from models.inference import Encoder
from models.languages import ENCODER_LANGUAGES, REPORTED_LANGUAGES
from models.progress import Progress
from models.texts.sampling import Limit, choose

__all__ = ["COVERAGES", "Detail", "Evaluation", "ScoredSet", "evaluate", "known_classes", "score_sets", "summarise"]

STEP = 512
#: Where the risk of a risk-coverage curve is told.
COVERAGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class ScoredSet:
    """One set's answers: ``langs`` and ``labels`` ``[n]``, ``probabilities`` ``[n, classes]``, row by row.

    ``classes``: their names. ``left_out`` and ``note``: see :class:`models.evaluation.sets.TextSet`.
    """

    task: str
    langs: Sequence[str]
    labels: NDArray[np.integer[Any]]
    probabilities: NDArray[np.float32]
    classes: Sequence[str]
    left_out: Mapping[str, int] = field(default_factory=dict)
    note: str = ""

    def figures(self, rows: Sequence[int]) -> Figures:
        """Figures over the rows at these positions."""
        return measure(self.probabilities[rows], self.labels[rows])


@dataclass(frozen=True)
class Detail:
    """What stands behind the figures of a whole set.

    Attributes:
        classes: names, in the order of ``confusion``.
        confusion: counts ``[label][answer]``.
        reliability: confidence against accuracy.
        risk: share of wrong answers among the surest, at each of :data:`COVERAGES`.
        left_out, note: see :class:`models.evaluation.sets.TextSet`.
    """

    task: str
    classes: Sequence[str]
    confusion: Sequence[Sequence[int]]
    reliability: Sequence[ReliabilityBin]
    risk: Sequence[float]
    left_out: Mapping[str, int]
    note: str


@dataclass(frozen=True)
class Evaluation:
    """``sets``: set -> language -> figures; ``all`` stands for the languages that the encoder was pretrained on (or that are not stated).

    ``unseen``: the same sets over all other languages together. ``whole``: over every row. ``details``: behind ``whole``.
    ``calibration``: calibration error of each task, over all rows of its sets and as the mean of its sets.
    ``limit``: rows a set and language, ``None`` for every row; see :func:`score_sets` for what is measured whole.
    """

    model_id: str
    limit: int | None
    sets: Mapping[str, Mapping[str, Figures]]
    unseen: Mapping[str, Figures]
    whole: Mapping[str, Figures]
    details: Mapping[str, Detail]
    calibration: Mapping[str, tuple[float, float]]

    def umsab_macro_f1(self) -> float | None:
        """Mean macro-F1 over the eight languages of UMSAB."""
        return self._mean("umsab", tuple(lang for lang in self.sets.get("umsab", {}) if lang != "all"), "macro_f1")

    def sib200_accuracy(self) -> float | None:
        """Mean accuracy over :data:`REPORTED_LANGUAGES` on SIB-200 (its seven classes mapped as in ``topics.toml``)."""
        return self._mean("sib200", REPORTED_LANGUAGES, "accuracy")

    def _mean(self, name: str, languages: tuple[str, ...], figure: str) -> float | None:
        table = self.sets.get(name, {})
        values = [float(getattr(table[lang], figure)) for lang in languages if lang in table]
        return float(np.mean(values)) if values and len(values) == len(languages) else None


def _allowed(limit: int) -> Limit:
    """``limit`` rows a set and language, a tenth for languages the encoder never saw; headline and financial sets are measured whole."""
    table = sources()

    def allowed(source: str, lang: str) -> int:
        headline = source == "umsab" or (source == "sib200" and lang in REPORTED_LANGUAGES)
        finance = source in table and table[source].domain == "finance"
        if headline or finance or source == "twitter_financial_topic":
            return sys.maxsize
        return limit if lang in ENCODER_LANGUAGES or lang == UNKNOWN else max(1, limit // 10)

    return allowed


def known_classes(*artifacts: Artifact) -> dict[str, tuple[str, ...]]:
    """Task -> the classes of our tables, then those that only these models have: the new ones of an adapted head."""
    heads = {"sentiment": "sentiment_labels", "topic": "topic_labels", "event": "event_labels"}
    own = {task: [name for one in artifacts for name in getattr(one, labels)] for task, labels in heads.items()}
    return {task: tuple(dict.fromkeys([*LABELS[task], *names])) for task, names in own.items()}


def _placed(probabilities: NDArray[np.float32], own: Sequence[str], classes: Sequence[str]) -> NDArray[np.float32]:
    """``probabilities`` of the model's ``own`` classes as columns of ``classes``; those that it does not know are 0."""
    placed = np.zeros((len(probabilities), len(classes)), np.float32)
    placed[:, [classes.index(name) for name in own]] = probabilities
    return placed


def _among(probabilities: NDArray[np.float32], classes: Sequence[int]) -> NDArray[np.float32]:
    """``probabilities`` given that the answer is one of ``classes``; the others are 0."""
    if len(classes) == probabilities.shape[1]:
        return probabilities
    kept = np.zeros_like(probabilities)
    kept[:, classes] = probabilities[:, classes]
    among: NDArray[np.float32] = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-12)
    return among


def _score(
    encoder: Encoder, one: TextSet, classes: Sequence[str], limit: int | None, advance: Progress, done: int, total: int
) -> ScoredSet:
    rows = sorted(one.examples if limit is None else choose(one.examples, _allowed(limit)), key=lambda example: len(example.text))
    parts = []
    for start in range(0, len(rows), STEP):
        some = rows[start : start + STEP]
        parts.append(encoder.probabilities(one.task, [example.text for example in some], [example.lang for example in some]))
        done += len(some)
        advance(one.name, done, total)
    labels = np.array([example.targets[0] for example in rows])
    langs = [example.lang for example in rows]
    answers = _placed(np.concatenate(parts), encoder.artifact.labels(one.task), classes)
    return ScoredSet(one.task, langs, labels, _among(answers, one.classes), classes, one.left_out, one.note)


def score_sets(
    artifact: Artifact,
    data: Path,
    *,
    limit: int | None,
    progress: Progress,
    task: str | None = None,
    targets: str = "text",
    classes: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, ScoredSet]:
    """Score every set of ``data`` with ``artifact``, calibrated by language, through ONNX Runtime only.

    Args:
        data, task, targets: see :func:`models.evaluation.sets.read_sets`.
        limit: rows a set and language at most, ``None`` for all. UMSAB, the eleven reported languages of SIB-200
            and the financial sets are always measured whole; languages the encoder never saw get a tenth.
        progress: called with (set, texts done, texts in all).
        classes: task -> the classes that labels can name; None: :func:`known_classes` of the artifact. Two models that are compared
            need the same.

    Raises:
        ModelError: there is nothing to measure, or a line or label that cannot be read.
    """
    known = known_classes(artifact) if classes is None else classes
    sets = read_sets(data, task=task, targets=targets, classes=known)
    counts = [len(one.examples) if limit is None else len(choose(one.examples, _allowed(limit))) for one in sets]
    scored: dict[str, ScoredSet] = {}
    done = 0
    with Encoder(artifact) as encoder:
        for one, count in zip(sets, counts, strict=True):
            scored[one.name] = _score(encoder, one, known[one.task], limit, progress, done, sum(counts))
            done += count
    return scored


def _detail(one: ScoredSet) -> Detail:
    answers = one.probabilities.argmax(axis=1)
    shown = np.unique(np.concatenate([one.labels, answers])).tolist()
    counts = confusion(answers, one.labels, one.probabilities.shape[1])
    curve = risk_coverage(one.probabilities.max(axis=1), answers != one.labels)
    return Detail(
        task=one.task,
        classes=[one.classes[index] for index in shown],
        confusion=counts[np.ix_(shown, shown)].tolist(),
        reliability=reliability_curve(one.probabilities, one.labels),
        risk=[curve.at(coverage) for coverage in COVERAGES],
        left_out=one.left_out,
        note=one.note,
    )


def _calibration(scored: Iterable[ScoredSet]) -> dict[str, tuple[float, float]]:
    by_task: defaultdict[str, list[ScoredSet]] = defaultdict(list)
    for one in scored:
        by_task[one.task].append(one)
    found = {}
    for task, sets in by_task.items():
        pooled = expected_calibration_error(
            np.concatenate([one.probabilities for one in sets]), np.concatenate([one.labels for one in sets])
        )
        found[task] = (pooled, float(np.mean([expected_calibration_error(one.probabilities, one.labels) for one in sets])))
    return found


def summarise(artifact: Artifact, scored: Mapping[str, ScoredSet], limit: int | None) -> Evaluation:
    """Figures of what :func:`score_sets` gave, by set and language."""
    sets: dict[str, dict[str, Figures]] = {}
    unseen: dict[str, Figures] = {}
    for name, one in scored.items():
        groups: dict[str, list[int]] = defaultdict(list)
        for index, lang in enumerate(one.langs):
            groups[lang].append(index)
        known = [lang for lang in sorted(groups) if lang in ENCODER_LANGUAGES or lang == UNKNOWN]
        sets[name] = {"all": one.figures([index for lang in known for index in groups[lang]])} if known else {}
        sets[name] |= {lang: one.figures(groups[lang]) for lang in sorted(groups)}
        rest = [index for lang in sorted(set(groups) - set(known)) for index in groups[lang]]
        if rest:
            unseen[name] = one.figures(rest)
    return Evaluation(
        model_id=artifact.model_id,
        limit=limit,
        sets=sets,
        unseen=unseen,
        whole={name: one.figures(range(len(one.labels))) for name, one in scored.items()},
        details={name: _detail(one) for name, one in scored.items()},
        calibration=_calibration(scored.values()),
    )


def evaluate(artifact: Artifact, data: Path, *, limit: int | None, progress: Progress) -> Evaluation:
    """:func:`score_sets` and :func:`summarise` in one."""
    return summarise(artifact, score_sets(artifact, data, limit=limit, progress=progress), limit)
