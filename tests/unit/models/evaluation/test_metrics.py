from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from models.evaluation.metrics import Figures, confusion, macro_f1, measure, weighted_f1


def test_macro_f1_by_hand() -> None:
    labels = np.array([0, 0, 1, 1, 2])
    predicted = np.array([0, 1, 1, 1, 0])
    f1 = (2 * 1 / (2 + 2), 2 * 2 / (3 + 2), 0.0)
    assert macro_f1(predicted, labels) == pytest.approx(100 * np.mean(f1))


def test_an_answer_outside_the_labels_costs_recall_only() -> None:
    labels, predicted = np.array([0, 0, 1]), np.array([0, 7, 1])
    assert macro_f1(predicted, labels) == pytest.approx(100 * (2 / 3 + 1) / 2)


def test_macro_f1_agrees_with_scikit_learn() -> None:
    reference = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    random = np.random.default_rng(1)
    labels, predicted = random.integers(0, 4, 300), random.integers(0, 4, 300)
    assert macro_f1(predicted, labels) == pytest.approx(100 * reference.f1_score(labels, predicted, average="macro"))


def test_measure_counts_and_rounds() -> None:
    figures = measure(np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]), np.array([0, 1, 1]))
    assert figures.rows == 3
    assert figures.rounded() == {
        "rows": 3,
        "accuracy": 66.67,
        "macro_f1": 66.67,
        "weighted_f1": 66.67,
        "ece": round(figures.ece, 4),
        "nll": round(float(-np.log([0.8, 0.7, 0.4]).mean()), 4),
        "brier": round((2 * 0.04 + 2 * 0.09 + 2 * 0.36) / 3, 4),
        "aurc": round((0 + 0 + 1 / 3) / 3, 4),
    }


def test_measure_of_nothing_is_zero() -> None:
    assert measure(np.zeros((0, 3)), np.zeros(0, int)).rounded() == dict.fromkeys(asdict(Figures(0, 0, 0, 0, 0, 0, 0, 0)), 0)


def test_the_weighted_mean_goes_by_rows_and_the_confusion_counts_them() -> None:
    labels, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    assert weighted_f1(predicted, labels) == pytest.approx(100 * (3 * 0.8 + 1 * 2 / 3) / 4)
    assert macro_f1(predicted, labels) == pytest.approx(100 * (0.8 + 2 / 3) / 2)
    assert confusion(predicted, labels, 3).tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
