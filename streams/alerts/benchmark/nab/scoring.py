"""NAB's score: early detections of a window are worth most, every wrong row costs, the corpus is normalised to 0-100.

Sources: A. Lavin, S. Ahmad, "Evaluating Real-time Anomaly Detection Algorithms - the Numenta Anomaly Benchmark", ICMLA 2015
(sigmoid, profiles, probation, normalisation). Two details follow NAB 1.1 so that published numbers can be reproduced: a true
positive is divided by the weight of a window's first row, and the position within a window of n rows runs from -1 to -1/n.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.alerts.benchmark.nab.corpus import Profile, TimeSeries

__all__ = ["CorpusScore", "FileScore", "best_threshold", "probation", "row_weights", "scaled_sigmoid", "score_corpus", "score_file"]

_PROBATION = 0.15
_PROBATION_ROWS = 5_000
_FAR = 3.0
"""Window lengths after a window at which a false positive costs its full weight."""

Scores = Mapping[str, NDArray[np.float64]]
"""Anomaly scores in [0, 1], one for each row, by name of the series."""


@dataclass(frozen=True, slots=True)
class FileScore:
    """Score of one file, in raw points, and its rows outside probation by kind."""

    name: str
    points: float
    true_positives: int
    true_negatives: int
    false_positives: int
    false_negatives: int
    windows: int
    found: int


@dataclass(frozen=True, slots=True)
class CorpusScore:
    """Score of several files at one threshold.

    Attributes:
        normalised: 0 for a detector that never speaks, 100 for a perfect one; below 0 for one that is worse than silence.
    """

    profile: Profile
    threshold: float
    normalised: float
    files: tuple[FileScore, ...]


def scaled_sigmoid(position: float) -> float:
    """Weight in (-1, 1) at `position`, in lengths of the window: -1 its left edge, 0 its right edge, above 0 behind it."""
    return 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def probation(rows: int) -> int:
    """Rows at the beginning of a series of `rows` in which nothing is scored: 15 % of at most 5,000."""
    return math.ceil(min(math.floor(_PROBATION * rows), _PROBATION * _PROBATION_ROWS))


def row_weights(series: TimeSeries, profile: Profile) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What a detection at each row is worth (negative outside windows), and the window that it lies in (-1: none)."""
    rows = len(series)
    weights = np.full(rows, -profile.false_positive)
    member = np.full(rows, -1, dtype=np.int64)
    for index, (first, last) in enumerate(series.windows):
        length = last - first + 1
        following = series.windows[index + 1][0] if index + 1 < len(series.windows) else rows
        for row in range(last + 1, following):
            position = (row - last) / max(length - 1, 1)
            weights[row] = profile.false_positive * (scaled_sigmoid(position) if position < _FAR else -1.0)
        for row in range(first, last + 1):
            weights[row] = profile.true_positive * scaled_sigmoid(-(last - row + 1) / length) / scaled_sigmoid(-1.0)
            member[row] = index
    return weights, member


def score_file(series: TimeSeries, scores: NDArray[np.float64], threshold: float, profile: Profile) -> FileScore:
    """Score of one series: rows whose anomaly score is at least `threshold` are its detections."""
    weights, member = row_weights(series, profile)
    counted = np.arange(len(series)) >= probation(len(series))
    flagged = counted & (scores >= threshold)
    inside = member >= 0
    points, found, windows = float(weights[flagged & ~inside].sum()), 0, 0
    for index in range(len(series.windows)):
        of_window = counted & (member == index)
        if not of_window.any():
            continue
        windows += 1
        hits = weights[of_window & flagged]
        found += bool(len(hits))
        points += float(hits.max()) if len(hits) else -profile.false_negative
    return FileScore(
        series.name,
        points,
        int((flagged & inside).sum()),
        int((counted & ~flagged & ~inside).sum()),
        int((flagged & ~inside).sum()),
        int((counted & ~flagged & inside).sum()),
        windows,
        found,
    )


def score_corpus(corpus: Sequence[TimeSeries], scores: Scores, threshold: float, profile: Profile) -> CorpusScore:
    """Score of all series of `corpus` at one threshold, normalised between the silent and the perfect detector."""
    files = tuple(score_file(series, scores[series.name], threshold, profile) for series in corpus)
    points, windows = sum(file.points for file in files), sum(file.windows for file in files)
    return CorpusScore(profile, threshold, _normalised(points, windows, profile), files)


def best_threshold(corpus: Sequence[TimeSeries], scores: Scores, profile: Profile) -> CorpusScore:
    """Score at the one threshold for all files that is best for them together, as NAB's optimiser chooses it."""
    points: list[NDArray[np.float64]] = []
    levels: list[NDArray[np.float64]] = []
    windows: list[NDArray[np.int64]] = []
    silence, count = 0.0, 0
    for series in corpus:
        weights, member = row_weights(series, profile)
        counted = slice(probation(len(series)), None)
        shown = np.unique(member[counted][member[counted] >= 0])
        silence -= profile.false_negative * len(shown)
        points.append(weights[counted])
        levels.append(scores[series.name][counted])
        windows.append(np.where(member[counted] >= 0, member[counted] + count, -1))
        count += len(series.windows)
    level, gain, window = np.concatenate(levels), np.concatenate(points), np.concatenate(windows)
    best, total, threshold = silence, silence, math.nextafter(max(1.0, float(level.max(initial=0.0))), math.inf)
    reached = np.full(count, -profile.false_negative)
    order = np.argsort(-level, kind="stable")
    for place, row in enumerate(order):
        if window[row] < 0:
            total += gain[row]
        elif gain[row] > reached[window[row]]:
            total += gain[row] - reached[window[row]]
            reached[window[row]] = gain[row]
        if (place + 1 == len(order) or level[order[place + 1]] != level[row]) and total > best:
            best, threshold = total, float(level[row])
    return score_corpus(corpus, scores, threshold, profile)


def _normalised(points: float, windows: int, profile: Profile) -> float:
    silence, perfect = -profile.false_negative * windows, profile.true_positive * windows
    return 100.0 * (points - silence) / (perfect - silence) if windows else 0.0
