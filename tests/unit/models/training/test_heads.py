from __future__ import annotations

import numpy as np
import pytest

from models.calibration.temperature import softmax
from models.data import Example
from models.training.heads import Head, fit_head, label_masks

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")


def example(targets: tuple[int, ...], universe: tuple[int, ...] = (0, 1, 2)) -> Example:
    return Example("x", "en", "umsab", "train", "sentiment", targets, universe)


def clouds(rows: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Three overlapping clouds in eight dimensions, on features of very different scale."""
    random = np.random.default_rng(2)
    labels = random.integers(0, 3, rows)
    centres = random.normal(0, 1.5, (3, 8))
    return ((centres[labels] + random.normal(0, 1, (rows, 8))) * np.logspace(-2, 2, 8) + 5).astype(np.float32), labels


def masks(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return label_masks([example((int(label),)) for label in labels], 3)


def test_agrees_with_scikit_learn_on_whole_labels() -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    features, labels = clouds()
    head = fit_head(features, *masks(labels), np.ones(len(labels), np.float32), decay=0.01)
    standard = (features - features.mean(0)) / (features.std(0) + 1e-6)
    # scikit-learn minimises sum of losses + |W|^2 / (2 C): C = 1 / (2 n decay)
    reference = linear.LogisticRegression(C=1 / (2 * len(labels) * 0.01), max_iter=500, tol=1e-8).fit(standard, labels)
    assert softmax(head.logits(features)) == pytest.approx(reference.predict_proba(standard), abs=2e-3)


def test_a_two_class_row_moves_negative_against_positive_and_not_neutral() -> None:
    features, labels = clouds()
    keep = labels != 1
    binary = label_masks([example((int(label),), (0, 2)) for label in labels[keep]], 3)
    head = fit_head(features[keep], *binary, np.ones(int(keep.sum()), np.float32), decay=0.001)
    logits = head.logits(features[keep])
    right = (logits[:, 2] > logits[:, 0]) == (labels[keep] == 2)
    assert right.mean() > 0.9
    assert np.abs(head.weights[:, 1]).max() < 1e-4 * np.abs(head.weights).max()


def test_an_either_or_label_raises_both_of_its_classes() -> None:
    features, labels = clouds()
    either = [example((0,)) if label == 0 else example((1, 2)) for label in labels]
    head = fit_head(features, *label_masks(either, 3), np.ones(len(labels), np.float32), decay=0.001)
    probabilities = softmax(head.logits(features))
    assert ((probabilities[:, 0] > 0.5) == (labels == 0)).mean() > 0.9


def test_a_row_without_weight_teaches_nothing() -> None:
    features, labels = clouds()
    wrong = labels.copy()
    wrong[:300] = (labels[:300] + 1) % 3
    weights = np.ones(len(labels), np.float32)
    weights[:300] = 0
    head = fit_head(features, *masks(wrong), weights, decay=0.001)
    assert (head.logits(features).argmax(1) == labels).mean() > 0.85


def test_a_head_at_a_temperature_is_the_softmax_at_it() -> None:
    head = Head(np.eye(3, dtype=np.float32), np.array([0.1, 0.2, 0.3], np.float32))
    values = np.random.default_rng(0).normal(size=(4, 3))
    assert softmax(head.at_temperature(2.5).logits(values)) == pytest.approx(softmax(head.logits(values) / 2.5), abs=1e-6)
