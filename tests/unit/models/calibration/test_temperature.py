from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration.temperature import (
    at_temperature,
    brier_score,
    expected_calibration_error,
    fit_temperature,
    logs,
    negative_log_likelihood,
    reliability_curve,
    softmax,
)


def sampled(true_temperature: float, rows: int = 6_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose honest probabilities are ``softmax(logits / true_temperature)``, and labels drawn from those."""
    random = np.random.default_rng(3)
    logits = random.normal(0, 3, (rows, 3))
    labels = np.array([random.choice(3, p=row) for row in softmax(logits / true_temperature)])
    return logits, labels


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(true: float) -> None:
    logits, labels = sampled(true)
    assert fit_temperature(logits, labels) == pytest.approx(true, rel=0.06)


def test_scaling_lowers_the_calibration_error_of_an_overconfident_head() -> None:
    logits, labels = sampled(2.5)
    before = expected_calibration_error(softmax(logits), labels)
    after = expected_calibration_error(softmax(logits / fit_temperature(logits, labels)), labels)
    assert before > 0.1
    assert after < 0.03


def test_no_neighbouring_temperature_is_better() -> None:
    logits, labels = sampled(1.7, 500)
    best = fit_temperature(logits, labels)
    for factor in (0.97, 1.03):
        assert negative_log_likelihood(logits, labels, best) < negative_log_likelihood(logits, labels, best * factor)


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    labels = np.array([0, 1, 0, 0])
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.5 * abs(0.9 - 0.5) + 0.5 * abs(0.6 - 1.0))


def test_certain_and_right_has_no_error_and_nothing_has_none() -> None:
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0.0
    assert expected_calibration_error(np.zeros((0, 3)), np.zeros(0, int)) == 0.0


def test_nothing_to_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="no rows"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, int))


@given(st.lists(st.lists(st.floats(-500, 500), min_size=3, max_size=3), min_size=1, max_size=8), st.floats(0.1, 10))
def test_softmax_is_a_distribution_and_temperature_keeps_the_winner(rows: list[list[float]], temperature: float) -> None:
    logits = np.array(rows)
    probabilities = softmax(logits)
    assert np.all(probabilities >= 0)
    assert probabilities.sum(axis=1) == pytest.approx(1.0)
    winners = logits.argmax(axis=1)
    cooled = softmax(logits / temperature)
    assert np.all(cooled[np.arange(len(rows)), winners] >= cooled.max(axis=1) - 1e-12)


def test_probabilities_at_a_temperature_are_those_of_the_logits_at_it() -> None:
    logits, _ = sampled(1.0, 50)
    for temperature in (0.4, 1.0, 3.0):
        assert at_temperature(softmax(logits), temperature) == pytest.approx(softmax(logits / temperature), abs=1e-6)


def test_each_row_has_its_own_temperature_and_one_changes_not_a_bit() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]], np.float32)
    found = at_temperature(probabilities, np.array([1.0, 2.0]))
    assert found[0].tolist() == probabilities[0].tolist()
    assert found[1] == pytest.approx(np.sqrt(probabilities[1]) / np.sqrt(probabilities[1]).sum())


def test_a_probability_of_nought_stays_next_to_nothing() -> None:
    found = at_temperature(np.array([[1.0, 0.0]], np.float32), 2.0)
    assert np.isfinite(found).all()
    assert found[0, 1] < 1e-5


def test_the_temperature_of_probabilities_is_that_of_their_logits() -> None:
    logits, labels = sampled(1.8, 800)
    assert fit_temperature(logs(softmax(logits)), labels) == pytest.approx(fit_temperature(logits, labels), rel=1e-3)


def test_brier_score_by_hand() -> None:
    probabilities = np.array([[0.8, 0.2, 0.0], [0.0, 0.0, 1.0]])
    assert brier_score(probabilities, np.array([0, 1])) == pytest.approx(((0.04 + 0.04) + (1 + 1)) / 2)
    assert brier_score(np.zeros((0, 3)), np.zeros(0, int)) == 0.0


def test_the_curve_has_only_bins_with_rows_and_every_row_once() -> None:
    probabilities = np.array([[0.95, 0.05], [1.0, 0.0], [0.55, 0.45]])
    low, high = reliability_curve(probabilities, np.array([0, 1, 0]), bins=10)
    assert (low.low, low.high, low.rows, low.confidence, low.accuracy) == (0.5, 0.6, 1, 0.55, 1.0)
    assert (high.rows, high.accuracy) == (2, 0.5)
    assert high.confidence == pytest.approx(0.975)
    assert reliability_curve(np.zeros((0, 2)), np.zeros(0, int)) == ()
