"""Fitting and measuring a cascade on the news-like mix: its plan, and documents a second against macro-F1 of every point."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.artifact import Artifact
from models.cascade.fitting import BUDGETS, NEVER, Fitted, Judged, Thresholds, best_blend, best_within, fit_thresholds, judge
from models.cascade.mix import NewsMix
from models.cascade.plan import Plan, Scorer, Stage, answer, file_digest, open_stage
from models.inference import Encoder, Scores
from models.progress import Progress

__all__ = ["CascadeReport", "Point", "StageFile", "build_cascade", "speeds"]

#: Texts of one call while speed is measured: what a busy service takes at once.
STEP = 256


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

    ``fitted_on``, ``held_out``, ``stream``, ``timed``: texts. ``most``: points of macro-F1 the chosen one might lose on the rows it was
    fitted on, and ``lost_on_fit`` what it lost there.
    """

    model_id: str
    names: Sequence[str]
    alone: Sequence[Point]
    curve: Sequence[Point]
    chosen: Point
    most: float
    lost_on_fit: Mapping[str, float]
    fitted_on: int
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


def _point(name: str, held: Judged, thresholds: Thresholds, documents: float) -> Point:
    stage = held.stage(thresholds)
    whole, found = held.whole, held.macro_f1(stage)
    share = np.bincount(stage, minlength=len(thresholds) + 1) / max(1, len(stage))
    lost = {task: round(whole[task] - found[task], 2) for task in whole}
    scores = {task: round(value, 2) for task, value in found.items()}
    return Point(name, round(documents, 1), scores, lost, [round(float(one), 4) for one in share], thresholds)


def _gates(files: Sequence[StageFile], scorers: Sequence[Scorer], thresholds: Thresholds) -> list[tuple[Stage, Scorer]]:
    """The stages that are asked at all."""
    return [
        (Stage(file.name, file.path.name, file_digest(file.path), *pair), scorer)
        for file, scorer, pair in zip(files, scorers, thresholds, strict=True)
        if max(pair) < NEVER
    ]


def _cascade(gates: Sequence[tuple[Stage, Scorer]], last: Scorer, blend: tuple[float, float]) -> Scorer:
    return lambda texts: answer(gates, last, texts, blend).scores


def _alone(number: int, stages: int) -> Thresholds:
    """Thresholds that let the stage ``number`` answer everything."""
    return tuple((0.0, 0.0) if place == number else (NEVER, NEVER) for place in range(stages - 1))


def build_cascade(
    artifact: Artifact, files: Sequence[StageFile], mix: NewsMix, *, most: float, timed: int, rounds: int, threads: int, progress: Progress
) -> tuple[Plan, CascadeReport]:
    """Fit the thresholds of ``files`` before the encoder of ``artifact``, and measure.

    The thresholds are chosen on ``mix.fit`` for at most ``most`` points of macro-F1 lost (sentiment and topic each), reported on
    ``mix.held_out``; a stage that does not pay is left out of the plan.

    Raises:
        ModelError: a file is missing, damaged or of another tokenizer.
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
        texts = [*(one.text for one in mix.fit), *(one.text for one in mix.held_out), *mix.stream]
        scores = [_scored(scorer, texts, name, progress) for name, scorer in zip(names, scorers, strict=True)]
        fit_rows, rest = len(mix.fit), np.arange(len(mix.fit), len(texts))
        stream_rows = np.arange(fit_rows + len(mix.held_out), len(texts))
        chooses = np.concatenate([np.arange(fit_rows), stream_rows])
        blend = best_blend(_cut(scores[0], slice(fit_rows)), _cut(scores[-1], slice(fit_rows)), mix.fit)
        fit = judge([_cut(one, chooses) for one in scores], mix.fit, blend)
        held = judge([_cut(one, rest) for one in scores], mix.held_out, blend)
        timing = mix.timed(timed)
        singles = dict(zip(names, scorers, strict=True))
        pace = speeds(singles, timing, 1, progress)
        progress("choosing thresholds", 0, 1)
        fitted = fit_thresholds(fit, [1 / pace[name] for name in names], (*BUDGETS, most))
        best = best_within(fitted, most)
        tried = _distinct(fitted)
        cascades = {name: _gates(files, scorers[:-1], one.thresholds) for name, one in tried.items()}
        runs = {name: _cascade(gates, encoder.score, blend) for name, gates in cascades.items()}
        documents = speeds({**singles, **runs}, timing, rounds, progress)
    curve = [_point(name, held, one.thresholds, documents[name]) for name, one in tried.items()]
    bare = judge([_cut(one, rest) for one in scores], mix.held_out)
    alone = [_point(name, bare, _alone(number, len(names)), documents[name]) for number, name in enumerate(names)]
    chosen = next(point for point in curve if point.thresholds == best.thresholds)
    languages = tuple(sorted({one.lang for one in mix.fit}))
    plan = Plan(artifact.model_id, tuple(stage for stage, _ in cascades[chosen.name]), blend, languages)
    lost = {task: round(value, 2) for task, value in best.lost.items()}
    counts = (len(mix.fit), len(mix.held_out), len(mix.stream), len(timing))
    return plan, CascadeReport(artifact.model_id, names, alone, curve, chosen, most, lost, *counts, encoder.threads)


def _distinct(fitted: Sequence[Fitted]) -> dict[str, Fitted]:
    """Each cascade once, from careful to careless, under a name of its own."""
    once = {one.thresholds: one for one in fitted}
    return {f"cascade {number}": one for number, one in enumerate(sorted(once.values(), key=lambda one: -one.time), start=1)}
