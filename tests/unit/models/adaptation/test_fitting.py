from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.adaptation.fitting import Change, NewRows, OldRows, Setting, fit_change, minimise

DIMS = 6


def rows(random: np.random.Generator, count: int, classes: int, known: int = 3) -> tuple[NewRows, OldRows]:
    new = NewRows(
        random.normal(size=(count, DIMS)),
        random.normal(size=(count, known)),
        random.integers(0, classes, count),
        np.ones(classes, np.bool_),
    )
    return new, OldRows(random.normal(size=(4 * count, DIMS)), random.normal(size=(4 * count, known)))


def answers(change: Change, of: OldRows) -> np.ndarray:
    return change.logits(of.coordinates, of.base).argmax(1)


def test_the_minimum_of_a_parabola_is_found() -> None:
    random = np.random.default_rng(0)
    half = random.normal(size=(12, 12))
    matrix, shift = half @ half.T + np.eye(12), random.normal(size=12)
    found = minimise(lambda at: (0.5 * float(at @ matrix @ at) - float(shift @ at), matrix @ at - shift), np.zeros(12))
    np.testing.assert_allclose(found, np.linalg.solve(matrix, shift), atol=1e-3)


def test_nothing_near_the_fit_is_better() -> None:
    """The fit is a minimum of the loss as the module says it, written down a second time and plainly."""
    random = np.random.default_rng(1)
    new, old = rows(random, 40, 4)
    parents = [0, 1, 2, 1]
    setting = Setting(0.05, 2.0)
    found = fit_change(new, old, setting, parents)

    def softmax(logits: np.ndarray) -> np.ndarray:
        powers = np.exp(logits)
        return np.asarray(powers / powers.sum(1, keepdims=True))

    def loss(change: Change) -> float:
        said = softmax(change.logits(new.coordinates, new.base))
        kept = softmax(change.logits(old.coordinates, old.base))
        teacher = softmax(old.base)
        grouped = np.stack([kept[:, 0], kept[:, 1] + kept[:, 3], kept[:, 2]], axis=1)
        value = -np.log(said[np.arange(40), new.labels]).mean() - 2.0 * (teacher * np.log(grouped)).sum(1).mean()
        return float(value - (teacher * np.log(kept[:, :3])).sum(1).mean() + 0.05 * (found_square(change)))

    def found_square(change: Change) -> float:
        return float((change.matrix**2).sum())

    least = loss(found)
    for _ in range(50):
        step = Change(
            found.matrix + 0.02 * random.normal(size=found.matrix.shape), found.bias + 0.02 * random.normal(size=found.bias.shape)
        )
        assert loss(step) > least - 1e-6


def test_a_strong_pull_leaves_the_weights_and_a_weak_one_moves_them() -> None:
    new, old = rows(np.random.default_rng(2), 60, 3)
    norms = [float(np.abs(fit_change(new, old, Setting(pull), [0, 1, 2]).matrix).max()) for pull in (1e3, 1.0, 1e-2)]
    assert norms[0] < 1e-3 < norms[1] < norms[2]


def test_heavier_old_rows_keep_more_of_the_old_answers() -> None:
    random = np.random.default_rng(3)
    new, old = rows(random, 60, 3)
    before = old.base.argmax(1)
    kept = [float((answers(fit_change(new, old, Setting(1e-3, weight), [0, 1, 2]), old) == before).mean()) for weight in (0.1, 1.0, 100.0)]
    assert kept[0] < kept[1] < kept[2]
    assert kept[2] > 0.97


@pytest.mark.parametrize("parent", [None, 0])
def test_a_new_class_does_not_take_old_texts(parent: int | None) -> None:
    """Apart or within an old class: old texts of which nobody said so are not of the new class."""
    random = np.random.default_rng(4)
    new, old = rows(random, 50, 4)
    new = NewRows(new.coordinates + 3.0 * np.eye(DIMS)[0], new.base, np.full(50, 3), new.universe)
    change = fit_change(new, old, Setting(1e-2), [0, 1, 2, parent])
    assert (change.logits(new.coordinates, new.base).argmax(1) == 3).mean() > 0.8
    assert (answers(change, old) == 3).mean() < 0.05


def test_a_class_that_could_not_be_said_is_left_alone() -> None:
    new, old = rows(np.random.default_rng(5), 80, 3)
    new = NewRows(new.coordinates, new.base, np.where(new.labels == 1, 0, new.labels), np.array([True, False, True]))
    change = fit_change(new, old, Setting(1e-2, 1.0), [0, 1, 2])
    shared = change.logits(old.coordinates, old.base)
    silenced = shared[:, 1] - np.log(np.exp(shared[:, [0, 2]]).sum(1))
    assert abs(float(silenced.mean()) - float((old.base[:, 1] - np.log(np.exp(old.base[:, [0, 2]]).sum(1))).mean())) < 0.2


@pytest.mark.parametrize("height", [100.0, 5_000.0])
def test_logits_of_any_height_say_the_same(height: float) -> None:
    """Only their differences count; a head that learned to be very sure of itself has large ones."""
    new, old = rows(np.random.default_rng(5), 60, 5)
    raised = dataclasses.replace(new, base=new.base + height), dataclasses.replace(old, base=old.base + height)
    parents, setting = [0, 1, 2, None, 1], Setting(pull=0.1, replay=4.0)
    one, other = fit_change(new, old, setting, parents), fit_change(*raised, setting, parents)
    assert np.isfinite(other.bias).all()
    assert other.matrix == pytest.approx(one.matrix, abs=1e-3)
    assert other.bias[3:] - height == pytest.approx(one.bias[3:], abs=1e-2)
