"""NAB measured: ours beside the baselines, how much the parameters matter, and what they score on a series they never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.alerts.benchmark.nab.baselines import null, random, windowed_gaussian
from streams.alerts.benchmark.nab.corpus import Profile, TimeSeries, read_corpus, read_profiles
from streams.alerts.benchmark.nab.ours import assessments, notices
from streams.alerts.benchmark.nab.scoring import CorpusScore, best_threshold, score_corpus
from streams.alerts.detectors.anomaly_score import from_p_value
from streams.alerts.detectors.contract import Assessment
from streams.alerts.detectors.registry import build
from streams.alerts.rules.detectors import ReturnPeriodSpec
from streams.alerts.rules.model import Rule
from streams.alerts.rules.reading import read_rules
from streams.errors import SettingsError

__all__ = ["GRID", "LeftOut", "NabReport", "NabRow", "leave_one_out", "measure", "sensitivity", "spoken"]

RULE = Path(__file__).with_name("volume.yaml")

GRID: tuple[tuple[int, int], ...] = tuple(product((120, 180, 240, 360), (5, 7, 10, 14, 21)))
"""Minutes of the window and days of the return period around the chosen ones."""

_FIXED = {"null": 0.6, "random": 0.999, "windowed Gaussian": 1.0, "ours": 0.5}
_SEED = 0


@dataclass(frozen=True, slots=True)
class NabRow:
    """One detector: at a threshold that was fixed beforehand, and at the best one for the whole corpus."""

    detector: str
    fixed: CorpusScore
    optimised: CorpusScore


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A series, the parameters that were best for all others, and its own score with them."""

    series: str
    window: int
    once_in: int
    normalised: float


@dataclass(frozen=True, slots=True)
class NabReport:
    """All of it. `grid` holds the score for each pair of `GRID`."""

    profile: Profile
    titles: tuple[str, ...]
    rows: tuple[NabRow, ...]
    grid: Mapping[tuple[int, int], float]
    left_out: tuple[LeftOut, ...]
    left_out_normalised: float


def measure(folder: Path, profile: str = "standard", *, rule: Path | None = None, wide: bool = True) -> NabReport:
    """Score the corpus in `folder`, which also holds ``profiles.json``.

    Args:
        profile: name of the profile.
        rule: a rule file whose first rule is ours; absent: the one that is shipped.
        wide: also the grid and leave-one-out, which take some times as long.

    Raises:
        BellwetherError: a file is absent or malformed, or there is no such profile.
    """
    corpus, profiles = read_corpus(folder), read_profiles(folder / "profiles.json")
    if profile not in profiles:
        raise SettingsError(f"there is no NAB profile {profile}", mend=f"one of {', '.join(profiles)}")
    costs = profiles[profile]
    chosen = read_rules(rule or RULE).rules[0]
    detectors = {
        "null": {series.name: null(series) for series in corpus},
        "random": {series.name: random(series, _SEED) for series in corpus},
        "windowed Gaussian": {series.name: windowed_gaussian(series) for series in corpus},
        "ours": {series.name: spoken(series, chosen) for series in corpus},
    }
    rows = tuple(
        NabRow(name, score_corpus(corpus, scores, _FIXED[name], costs), best_threshold(corpus, scores, costs))
        for name, scores in detectors.items()
    )
    grid = sensitivity(corpus, chosen) if wide else {}
    left_out, normalised = leave_one_out(corpus, grid, costs) if wide else ((), 0.0)
    scores_of = {pair: score_corpus(corpus, scores, 0.5, costs).normalised for pair, scores in grid.items()}
    return NabReport(costs, tuple(series.title for series in corpus), rows, scores_of, left_out, normalised)


def spoken(series: TimeSeries, rule: Rule) -> NDArray[np.float64]:
    """Scores of the rows at which `rule` would speak of `series`; 0 elsewhere."""
    return notices(assessments(series, rule, build(rule)), rule)


def sensitivity(corpus: Sequence[TimeSeries], rule: Rule) -> dict[tuple[int, int], dict[str, NDArray[np.float64]]]:
    """What `rule` would say with each pair of `GRID` in place of its own window and return period.

    The return period only moves the limit of the p-value, so that each window is judged once.
    """
    spec = rule.detector
    if not isinstance(spec, ReturnPeriodSpec):
        raise SettingsError(f"rule {rule.name}: its detector has no return period to vary", mend="leave --sensitivity out")
    found: dict[tuple[int, int], dict[str, NDArray[np.float64]]] = {pair: {} for pair in GRID}
    for window, series in product(sorted({window for window, _ in GRID}), corpus):
        other = rule.model_copy(update={"window": timedelta(minutes=window)})
        judged = assessments(series, other, build(other))
        for days in sorted({days for _, days in GRID}):
            limit = window / (days * 1440)
            found[window, days][series.name] = notices([_with_limit(one, limit, spec.min_factor) for one in judged], other)
    return found


def _with_limit(assessment: Assessment | None, limit: float, least: float) -> Assessment | None:
    if assessment is None or assessment.p_value is None:
        return assessment
    holds = assessment.p_value <= limit and assessment.value >= least * assessment.expected
    return replace(assessment, holds=holds, score=from_p_value(assessment.p_value, limit))


def leave_one_out(
    corpus: Sequence[TimeSeries], grid: Mapping[tuple[int, int], Mapping[str, NDArray[np.float64]]], profile: Profile
) -> tuple[tuple[LeftOut, ...], float]:
    """For each series the parameters that are best for the others, its score with them; and the score of all these together."""
    found = []
    points = windows = 0.0
    for series in corpus:
        others = [other for other in corpus if other is not series]
        window, days = max(grid, key=lambda pair: score_corpus(others, grid[pair], 0.5, profile).normalised)
        own = score_corpus([series], grid[window, days], 0.5, profile)
        found.append(LeftOut(series.title, window, days, own.normalised))
        points += own.files[0].points + profile.false_negative * own.files[0].windows
        windows += own.files[0].windows
    return tuple(found), 100.0 * points / (windows * (profile.true_positive + profile.false_negative)) if windows else 0.0
