"""Our detector on NAB: causal, spoken as the engine speaks, and well above what was asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streams.alerts.benchmark.nab.corpus import TimeSeries, read_corpus, read_profiles
from streams.alerts.benchmark.nab.measuring import RULE, leave_one_out, measure, spoken
from streams.alerts.benchmark.nab.ours import assessments, notices
from streams.alerts.benchmark.nab.scoring import score_corpus
from streams.alerts.detectors.contract import Assessment
from streams.alerts.detectors.registry import build
from streams.alerts.rules.model import Rule
from streams.alerts.rules.reading import read_rules
from streams.errors import BellwetherError, SettingsError

NAB = Path(__file__).resolve().parents[6] / "shared" / "data" / "streams" / "nab"

needs_series = pytest.mark.skipif(not NAB.is_dir(), reason="../shared/data/streams/nab is absent")


def series(values: NDArray[np.float64], *windows: tuple[int, int]) -> TimeSeries:
    return TimeSeries("made/Up_volume_X.csv", 1_425_000_000 + 300 * np.arange(len(values), dtype=np.int64), values, windows)


def ordinary(rows: int, seed: int = 1) -> NDArray[np.float64]:
    rhythm = 30.0 * (1.0 + 0.6 * np.sin(np.arange(rows) * 2 * np.pi / 288))
    return np.asarray(np.random.default_rng(seed).poisson(rhythm), dtype=np.float64)


def shipped() -> Rule:
    return read_rules(RULE).rules[0]


def test_a_row_is_judged_by_what_came_before_it() -> None:
    values = ordinary(2_000)
    changed = values.copy()
    changed[1_500:] += 1_000.0
    rule = shipped()
    first, second = (assessments(series(some), rule, build(rule)) for some in (values, changed))
    assert first[:1_500] == second[:1_500]
    assert first[1_500] != second[1_500]


def test_a_surge_is_told_once() -> None:
    values = ordinary(3_000)
    values[2_000:2_060] *= 12.0
    told = np.flatnonzero(spoken(series(values), shipped()))
    during = told[(told >= 2_000) & (told < 2_100)]
    assert len(during) == 1
    assert during[0] < 2_012
    assert len(told) <= 3


def test_episodes_keep_the_cool_down() -> None:
    rule = Rule.model_validate(
        {"name": "x", "signal": "documents", "window": "5m", "hop": "5m", "cool_down": "1h", "detector": {"type": "return_period"}}
    )
    quiet = Assessment(False, False, 0.1, 0.9, 1.0, 1.0, 0.0, 2.0, 0, 0.0, "")
    loud = Assessment(True, False, 0.9, 1e-9, 50.0, 1.0, 0.0, 2.0, 0, 0.0, "")
    told = notices([None, quiet, loud, loud, quiet, loud, *[quiet] * 10, loud, quiet], rule)
    assert np.flatnonzero(told).tolist() == [2, 16]
    assert told[2] == 0.9


def test_rows_at_another_distance_than_the_hop_are_refused() -> None:
    with pytest.raises(SettingsError, match="not 5 minutes apart"):
        assessments(TimeSeries("x", np.array([0, 600, 1200]), np.ones(3), ()), shipped(), build(shipped()))


@needs_series
def test_ours_scores_above_75_on_the_shared_series() -> None:
    report = measure(NAB, wide=False)
    rows = {row.detector: row for row in report.rows}
    assert rows["ours"].fixed.normalised > 85.0
    assert rows["windowed Gaussian"].fixed.normalised == pytest.approx(66.464, abs=0.001)
    assert rows["ours"].fixed.normalised <= rows["ours"].optimised.normalised
    assert sum(file.found for file in rows["ours"].fixed.files) == 14


@needs_series
def test_leave_one_out_never_looks_at_the_series_itself() -> None:
    corpus, profile = read_corpus(NAB), read_profiles(NAB / "profiles.json")["standard"]
    perfect = {one.name: np.isin(np.arange(len(one)), [first for first, _ in one.windows]).astype(float) for one in corpus}
    silent = {one.name: np.zeros(len(one)) for one in corpus}
    for place, one in enumerate(corpus):
        grid = {(120, 5): perfect | {one.name: silent[one.name]}, (120, 7): silent | {one.name: perfect[one.name]}}
        left, _ = leave_one_out(corpus, grid, profile)
        assert left[place].once_in == 5
        assert left[place].normalised == 0.0
    left, total = leave_one_out(corpus, {(120, 5): perfect}, profile)
    assert total == pytest.approx(score_corpus(corpus, perfect, 0.5, profile).normalised) == pytest.approx(100.0)


def test_an_unknown_profile_is_named(tmp_path: Path) -> None:
    (tmp_path / "combined_windows.json").write_text("{}", encoding="utf-8")
    (tmp_path / "profiles.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BellwetherError, match="no NAB profile"):
        measure(tmp_path, "generous")
