"""NAB's scoring: worked numbers of its definition, properties, and published scores of published detectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.alerts.benchmark.nab.baselines import null, random, windowed_gaussian
from streams.alerts.benchmark.nab.corpus import Profile, TimeSeries, read_corpus, read_profiles
from streams.alerts.benchmark.nab.scoring import best_threshold, probation, row_weights, scaled_sigmoid, score_corpus, score_file
from streams.errors import BellwetherError

NAB = Path(__file__).resolve().parents[6] / "shared" / "data" / "streams" / "nab"
STANDARD = Profile("standard", 1.0, 0.11, 1.0)

needs_series = pytest.mark.skipif(not NAB.is_dir(), reason="../shared/data/streams/nab is absent")


def series(rows: int, *windows: tuple[int, int]) -> TimeSeries:
    return TimeSeries("made/Up_volume_X.csv", 300 * np.arange(rows, dtype=np.int64), np.zeros(rows), windows)


def flags(rows: int, *at: int) -> NDArray[np.float64]:
    marks = np.zeros(rows)
    marks[list(at)] = 1.0
    return marks


def test_the_sigmoid_has_the_values_of_the_paper() -> None:
    assert scaled_sigmoid(-1.0) == pytest.approx(0.98661, abs=1e-5)
    assert scaled_sigmoid(-0.5) == pytest.approx(0.84828, abs=1e-5)
    assert scaled_sigmoid(0.0) == 0.0
    assert scaled_sigmoid(1.0) == pytest.approx(-0.98661, abs=1e-5)


def test_probation_is_15_percent_of_at_most_5000_rows() -> None:
    assert probation(1_000) == 150
    assert probation(4_032) == 604
    assert probation(15_902) == 750


def test_the_first_row_of_a_window_is_worth_one_and_later_ones_less() -> None:
    weights, member = row_weights(series(1_000, (400, 499)), STANDARD)
    assert weights[400] == pytest.approx(1.0)
    assert weights[449] == pytest.approx(scaled_sigmoid(-0.51) / scaled_sigmoid(-1.0))
    assert (np.diff(weights[400:500]) < 0).all()
    assert weights[499] > 0
    assert (member[400:500] == 0).all()
    assert (member[:400] == -1).all()


def test_a_row_behind_a_window_costs_less_than_one_far_away() -> None:
    weights, _ = row_weights(series(1_000, (400, 499)), STANDARD)
    assert weights[399] == -0.11
    assert weights[999] == -0.11
    assert weights[500] == pytest.approx(0.11 * scaled_sigmoid(1 / 99))
    assert (np.diff(weights[500:]) <= 0).all()


def test_the_best_row_of_a_window_counts_once() -> None:
    one = series(1_000, (400, 499))
    several = score_file(one, flags(1_000, 410, 450, 480), 0.5, STANDARD)
    assert several.points == score_file(one, flags(1_000, 410), 0.5, STANDARD).points
    assert (several.true_positives, several.false_negatives, several.found) == (3, 97, 1)


def test_rows_in_probation_neither_gain_nor_cost() -> None:
    one = series(1_000, (100, 199), (400, 499))
    assert score_file(one, flags(1_000, 10, 120, 149), 0.5, STANDARD).points == -2.0
    assert score_file(one, flags(1_000, 150), 0.5, STANDARD).points > -1.0


@pytest.mark.parametrize("profile", [STANDARD, Profile("fp", 1.0, 0.22, 1.0), Profile("fn", 1.0, 0.11, 2.0)])
def test_silence_is_0_and_perfection_100(profile: Profile) -> None:
    corpus = (series(1_000, (400, 499), (700, 799)),)
    name = corpus[0].name
    assert score_corpus(corpus, {name: flags(1_000)}, 0.5, profile).normalised == 0.0
    assert score_corpus(corpus, {name: flags(1_000, 400, 700)}, 0.5, profile).normalised == pytest.approx(100.0)
    assert score_corpus(corpus, {name: np.ones(1_000)}, 0.5, profile).normalised < 0.0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.7, 0.9, 1.0]), min_size=60, max_size=60), st.integers(12, 40), st.integers(2, 12))
def test_the_best_threshold_is_the_best_of_all(levels: list[float], first: int, length: int) -> None:
    corpus = (series(60, (first, first + length)),)
    scores = {corpus[0].name: np.array(levels)}
    found = best_threshold(corpus, scores, STANDARD)
    tried = [score_corpus(corpus, scores, threshold, STANDARD).normalised for threshold in [*sorted(set(levels)), 1.1]]
    assert found.normalised == pytest.approx(max(tried))
    assert score_corpus(corpus, scores, found.threshold, STANDARD).normalised == found.normalised


# numenta/NAB at commit de8e91a, results/windowedGaussian/windowedGaussian_standard_scores.csv: threshold 1.0, full corpus 39.6.
PUBLISHED = {
    "AAPL": (1.51399683626, 42, 13540, 24, 1546),
    "AMZN": (1.55848299457, 10, 13481, 20, 1570),
    "CRM": (0.763845764094, 10, 13559, 0, 1583),
    "CVS": (0.773682061394, 22, 13559, 18, 1504),
}


@needs_series
def test_windowed_gaussian_has_its_published_scores_and_counts() -> None:
    corpus, profile = read_corpus(NAB), read_profiles(NAB / "profiles.json")["standard"]
    scores = {one.name: windowed_gaussian(one) for one in corpus}
    result = score_corpus(corpus, scores, 1.0, profile)
    assert [one.title for one in corpus] == list(PUBLISHED)
    for one, file in zip(corpus, result.files, strict=True):
        points, *counts = PUBLISHED[one.title]
        assert file.points == pytest.approx(points, abs=1e-10)
        assert [file.true_positives, file.true_negatives, file.false_positives, file.false_negatives] == counts
    assert best_threshold(corpus, scores, profile).threshold == 1.0


@needs_series
def test_null_is_zero_and_noise_is_little() -> None:
    corpus, profiles = read_corpus(NAB), read_profiles(NAB / "profiles.json")
    assert set(profiles) == {"standard", "reward_low_FP_rate", "reward_low_FN_rate"}
    assert best_threshold(corpus, {one.name: null(one) for one in corpus}, profiles["standard"]).normalised == 0.0
    silent = score_corpus(corpus, {one.name: null(one) for one in corpus}, 0.6, profiles["standard"])
    assert [file.points for file in silent.files] == [-4.0, -4.0, -3.0, -3.0]  # numenta/NAB, results/null
    assert [file.true_negatives for file in silent.files] == [13564, 13501, 13559, 13577]
    noise = [best_threshold(corpus, {one.name: random(one, seed) for one in corpus}, profiles["standard"]).normalised for seed in range(3)]
    assert 0.0 < max(noise) < 45.0


def test_noise_is_reproducible() -> None:
    one = series(500)
    assert (random(one, 1) == random(one, 1)).all()
    assert (random(one, 1) != random(one, 2)).any()


@pytest.mark.parametrize(
    ("rows", "windows", "says"),
    [
        ("timestamp,value\n", "{}", "none"),
        ("timestamp,value\n2015-01-01 00:05:00,1\n2015-01-01 00:00:00,1\n", "{}", "ascending"),
        ("timestamp,value\nyesterday,1\n", "{}", "no series"),
        ("time,value\n2015-01-01 00:00:00,1\n", "{}", "no series"),
        ("timestamp,value\n2015-01-01 00:00:00,1\n", '[["2016-01-01 00:00:00", "2016-01-02 00:00:00"]]', "outside"),
    ],
)
def test_a_broken_series_is_named(tmp_path: Path, rows: str, windows: str, says: str) -> None:
    (tmp_path / "X.csv").write_text(rows, encoding="utf-8")
    (tmp_path / "combined_windows.json").write_text(f'{{"made/X.csv": {windows.replace("{}", "[]")}}}', encoding="utf-8")
    with pytest.raises(BellwetherError, match=says):
        read_corpus(tmp_path)


def test_a_folder_without_windows_and_a_broken_profile_are_named(tmp_path: Path) -> None:
    with pytest.raises(BellwetherError, match="combined_windows"):
        read_corpus(tmp_path)
    (tmp_path / "profiles.json").write_text('{"standard": {}}', encoding="utf-8")
    with pytest.raises(BellwetherError, match="profiles"):
        read_profiles(tmp_path / "profiles.json")
