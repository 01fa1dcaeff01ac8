from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration import expected_calibration_error, fit_temperature, negative_log_likelihood, softmax


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
