"""Fitting and measuring a cascade on the news-like mix: its plan, and documents a second against macro-F1 of every point."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact
from models.cascade.deferral import Deferral, confidence, costs, cross_fitted
from models.cascade.fitting import BUDGETS, NEVER, Fitted, Judged, Thresholds, best_blend, cautious, fit_thresholds, judge, labels_of, mixed
from models.cascade.mix import NewsMix
from models.cascade.plan import Plan, Scorer, Stage, Temperatures, answer, file_digest, open_stage
from models.cascade.sharpness import answer_temperatures
from models.inference import Encoder, Scores
from models.progress import Progress

__all__ = ["CascadeReport", "Point", "StageFile", "build_cascade", "speeds"]

#: Texts of one call while speed is measured: what a busy service takes at once.
STEP = 256

#: From fewer texts no confidence is learned: a regression with some 450 weights would know them by heart.
LEAST = 2_000


@dataclass(frozen=True)
class StageFile:
    """A model in ``path`` (in the artifact's folder) that may become a stage of this ``name``."""

    name: str
    path: Path


@dataclass(frozen=True)
class Point:
    """``documents``: a second, on the timed texts. ``macro_f1`` and ``lost``: of each task on the held-out rows, in percent and points.

    ``share``: of all texts of the mix that each stage answers; ``thresholds``: sentiment and topic of each stage before the last.
    """

    name: str
    documents: float
    macro_f1: Mapping[str, float]
    lost: Mapping[str, float]
    share: Sequence[float]
    thresholds: Thresholds


@dataclass(frozen=True)
class CascadeReport:
    """``alone``: each stage by itself, the encoder last; ``curve``: cascades from careful to careless; ``chosen``: the one in the plan.

    ``fitted_on`` (with a label), ``learned_on`` (without), ``held_out``, ``stream``, ``timed``: texts. ``learned``: whether the stages'
    confidence is. ``blends``: share of the first stage in what each later one says, the encoder last. ``stream_share``: of the stream
    texts that each stage of the chosen one answers. ``most``: points of macro-F1 the chosen one might lose on the rows it was fitted on,
    and ``lost_on_fit`` what it lost there.
    """

    model_id: str
    names: Sequence[str]
    alone: Sequence[Point]
    curve: Sequence[Point]
    chosen: Point
    most: float
    lost_on_fit: Mapping[str, float]
    blends: Sequence[tuple[float, float]]
    learned: bool
    stream_share: Sequence[float]
    fitted_on: int
    learned_on: int
    held_out: int
    stream: int
    timed: int
    threads: int

    @property
    def faster(self) -> float:
        """Documents a second of the chosen cascade against those of the encoder alone."""
        return self.chosen.documents / self.alone[-1].documents

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {**asdict(self), "faster": round(self.faster, 2)}


def speeds(scorers: Mapping[str, Scorer], texts: Sequence[str], rounds: int, progress: Progress) -> dict[str, float]:
    """Documents a second of each scorer over ``texts``: the best of ``rounds``, all scorers taking turns in each round."""
    best: dict[str, float] = {}
    for number in range(rounds):
        for place, (name, scorer) in enumerate(scorers.items()):
            progress("measuring speed", number * len(scorers) + place, rounds * len(scorers))
            start = time.perf_counter()
            for first in range(0, len(texts), STEP):
                scorer(texts[first : first + STEP])
            best[name] = max(best.get(name, 0.0), len(texts) / (time.perf_counter() - start))
    return best


def _scored(scorer: Scorer, texts: Sequence[str], name: str, progress: Progress) -> Scores:
    """Scores of ``texts``, in steps that show how far it is."""
    parts = []
    for first in range(0, len(texts), STEP):
        progress(f"scoring the mix: {name}", first, len(texts))
        parts.append(scorer(texts[first : first + STEP]))
    return Scores(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _cut(scores: Scores, rows: slice | np.ndarray[Any, Any]) -> Scores:
    return Scores(*(part[rows] for part in scores))


def _share(stage: NDArray[np.int64], stages: int) -> list[float]:
    return [round(float(one), 4) for one in np.bincount(stage, minlength=stages) / max(1, len(stage))]


def _point(name: str, held: Judged, thresholds: Thresholds, documents: float) -> Point:
    stage = held.stage(thresholds)
    whole, found = held.whole, held.macro_f1(stage)
    lost = {task: round(whole[task] - found[task], 2) for task in whole}
    scores = {task: round(value, 2) for task, value in found.items()}
    return Point(name, round(documents, 1), scores, lost, _share(stage, len(thresholds) + 1), thresholds)


def _gates(
    files: Sequence[StageFile],
    scorers: Sequence[Scorer],
    thresholds: Thresholds,
    learned: Sequence[Deferral],
    blends: Sequence[tuple[float, float]],
) -> list[tuple[Stage, Scorer]]:
    """The stages that are asked at all."""
    deferrals: Sequence[Deferral | None] = learned or [None] * len(files)
    return [
        (Stage(file.name, file.path.name, file_digest(file.path), *pair, deferral=deferral, blend=blend), scorer)
        for file, scorer, pair, deferral, blend in zip(files, scorers, thresholds, deferrals, [(0.0, 0.0), *blends[:-1]], strict=True)
        if max(pair) < NEVER
    ]


def _cascade(gates: Sequence[tuple[Stage, Scorer]], last: Scorer, blend: tuple[float, float]) -> Scorer:
    return lambda texts: answer(gates, last, texts, blend).scores


def _alone(number: int, stages: int) -> Thresholds:
    """Thresholds that let the stage ``number`` answer everything."""
    return tuple((0.0, 0.0) if place == number else (NEVER, NEVER) for place in range(stages - 1))


def _weights(lengths: NDArray[np.int64], labelled: int) -> NDArray[np.float32]:
    """Share in time of each row ``[n]``, 1 in the mean: by its length in tokens, the ``labelled`` rows together as often as the others."""
    half = np.full(len(lengths), 1.0)
    if 0 < labelled < len(lengths):
        half[:labelled], half[labelled:] = 0.5 / labelled, 0.5 / (len(lengths) - labelled)
    times = half * lengths
    shares: NDArray[np.float32] = (times / times.mean()).astype(np.float32)
    return shares


@dataclass(frozen=True)
class _Fitting:
    """The cascades of one kind of confidence, from careful to careless; ``best``: the fastest that is not likely to lose too much."""

    deferrals: Sequence[Deferral]
    curve: Sequence[Fitted]
    best: Fitted


def _fit(judged: Judged, seconds: Sequence[float], most: float, deferrals: Sequence[Deferral] = ()) -> _Fitting:
    curve = fit_thresholds(judged, seconds, (*BUDGETS, most))
    # Where no cascade is safe enough, the one that loses least is.
    safe = [one for one in curve if cautious(judged, one) <= most] or [min(curve, key=lambda one: one.worst)]
    return _Fitting(deferrals, curve, min(safe, key=lambda one: one.time))


def _temperatures(fit: Judged, answers: Sequence[Scores], thresholds: Thresholds) -> Temperatures:
    """Those of the ``answers`` of the stages that are asked at all, and of the encoder's."""
    found = answer_temperatures(answers, fit.stage(thresholds), fit.labels)
    return (*(pair for pair, limits in zip(found, thresholds, strict=False) if max(limits) < NEVER), found[-1])


def build_cascade(
    artifact: Artifact, files: Sequence[StageFile], mix: NewsMix, *, most: float, timed: int, rounds: int, threads: int, progress: Progress
) -> tuple[Plan, CascadeReport]:
    """Fit the blends, the confidence and the thresholds of ``files`` before the encoder of ``artifact``, and measure.

    All is chosen on ``mix.fit`` and ``mix.choosing`` for at most ``most`` points of macro-F1 lost (sentiment and topic each), standard
    errors included (:func:`models.cascade.fitting.cautious`), and reported on ``mix.held_out`` and ``mix.stream``. The confidence of
    the stages is their probability or what is learned from the encoder's answers, whichever makes the faster cascade. A stage that does not
    pay is left out of the plan.

    Raises:
        ModelError: a file is missing, damaged or of another tokenizer, or the extra ``train`` is missing.
    """
    with ExitStack() as stack:
        encoder = stack.enter_context(Encoder(artifact, threads))
        scorers: list[Scorer] = []
        for file in files:
            scorer, closer = open_stage(file.path, encoder)
            stack.callback(closer)
            scorers.append(scorer)
        scorers.append(encoder.score)
        names = [*(file.name for file in files), "encoder"]
        singles = dict(zip(names, scorers, strict=True))
        texts = [*(one.text for one in mix.fit), *mix.choosing, *(one.text for one in mix.held_out), *mix.stream]
        scores = [_scored(scorer, texts, name, progress) for name, scorer in singles.items()]
        fit_rows, chooses = len(mix.fit), slice(len(mix.fit) + len(mix.choosing))
        known = [_cut(one, chooses) for one in scores]
        blends = [best_blend(_cut(known[0], slice(fit_rows)), _cut(one, slice(fit_rows)), mix.fit) for one in known[1:]]
        answers = mixed(known, blends)
        weights = _weights(np.array([len(ids) for ids in encoder.tokenize(texts[chooses])], np.int64), fit_rows)
        labels, enough = labels_of(fit_rows, mix.fit), chooses.stop >= LEAST
        taught = [cross_fitted(one, costs(one, answers[-1], labels), texts[chooses], progress) for one in answers[:-1]] if enough else []
        deferrals, learned = [deferral for deferral, _ in taught], [found for _, found in taught]
        timing = mix.timed(timed)
        pace = speeds(singles, timing, 1, progress)
        progress("choosing thresholds", 0, 1)
        seconds = [1 / pace[name] for name in names]
        plain = _fit(judge(known, mix.fit, blends, weight=weights, stand_in=True), seconds, most)
        wise = _fit(judge(known, mix.fit, blends, learned, weights, stand_in=True), seconds, most, deferrals) if enough else plain
        fitted = min(plain, wise, key=lambda one: one.best.time)
        choosing = judge(known, mix.fit, blends, learned if fitted.deferrals else ())
        temperatures = _temperatures(choosing, answers, fitted.best.thresholds)
        tried = _distinct(fitted.curve)
        cascades = {name: _gates(files, scorers[:-1], one.thresholds, fitted.deferrals, blends) for name, one in tried.items()}
        runs = {name: _cascade(gates, encoder.score, blends[-1]) for name, gates in cascades.items()}
        documents = speeds({**singles, **runs}, timing, rounds, progress)
    rest = [_cut(one, slice(chooses.stop, None)) for one in scores]
    sure = [confidence(one, texts[chooses.stop :], known) for one, known in zip(mixed(rest, blends), fitted.deferrals, strict=False)]
    held = judge(rest, mix.held_out, blends, sure)
    curve = [_point(name, held, one.thresholds, documents[name]) for name, one in tried.items()]
    bare = judge(rest, mix.held_out)
    alone = [_point(name, bare, _alone(number, len(names)), documents[name]) for number, name in enumerate(names)]
    chosen = next(point for point in curve if point.thresholds == fitted.best.thresholds)
    languages = tuple(sorted({one.lang for one in mix.fit}))
    plan = Plan(artifact.model_id, tuple(stage for stage, _ in cascades[chosen.name]), blends[-1], languages, temperatures)
    lost = {task: round(value, 2) for task, value in fitted.best.lost.items()}
    shares = _share(held.stage(chosen.thresholds)[len(mix.held_out) :], len(names))
    counts = (len(mix.fit), len(mix.choosing), len(mix.held_out), len(mix.stream), len(timing))
    made = (blends, bool(fitted.deferrals), shares, *counts, encoder.threads)
    return plan, CascadeReport(artifact.model_id, names, alone, curve, chosen, most, lost, *made)


def _distinct(fitted: Sequence[Fitted]) -> dict[str, Fitted]:
    """Each cascade once, from careful to careless, under a name of its own."""
    once = {one.thresholds: one for one in fitted}
    return {f"cascade {number}": one for number, one in enumerate(sorted(once.values(), key=lambda one: -one.time), start=1)}
