from __future__ import annotations

import numpy as np
import pytest

from models.calibration.temperature import at_temperature, expected_calibration_error
from models.cascade.plan import tempered
from models.cascade.sharpness import LEAST_ROWS, answer_temperatures
from models.inference import Scores

ROWS = 3000


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right, and labels drawn by them."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet([0.6, 0.6, 0.6], ROWS).astype(np.float32)
    return probabilities, np.array([random.choice(3, p=row / row.sum()) for row in probabilities.astype(np.float64)])


def test_a_stage_that_is_less_sure_than_it_may_be_is_sharpened_for_its_own_answers() -> None:
    right, labels = drawn(1)
    shy = at_temperature(right, 2.0)
    embedding = np.zeros((ROWS, 1), np.float32)
    stage = np.arange(ROWS) % 2
    found = answer_temperatures([Scores(shy, right, embedding), Scores(right, shy, embedding)], stage, np.stack([labels, labels]))
    assert found[0] == pytest.approx((0.5, 1.0), abs=0.1)
    assert found[1] == pytest.approx((1.0, 0.5), abs=0.1)
    mended = tempered(Scores(shy, right, embedding), 0, found).sentiment
    assert expected_calibration_error(mended, labels) < expected_calibration_error(shy, labels) / 3
    assert (mended.argmax(axis=1) == shy.argmax(axis=1)).all()


def test_too_few_labels_give_no_temperature() -> None:
    right, labels = drawn(2)
    scores = Scores(at_temperature(right, 2.0), right, np.zeros((ROWS, 1), np.float32))
    few = np.where(np.arange(ROWS) < LEAST_ROWS - 1, labels, -1)
    enough = np.where(np.arange(ROWS) < LEAST_ROWS, labels, -1)
    stage = np.zeros(ROWS, np.int64)
    assert answer_temperatures([scores, scores], stage, np.stack([few, np.full(ROWS, -1)])) == ((1.0, 1.0), (1.0, 1.0))
    assert answer_temperatures([scores, scores], stage, np.stack([enough, few]))[0][0] < 0.8
