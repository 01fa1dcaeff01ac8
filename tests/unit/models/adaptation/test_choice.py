from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.adaptation.choice import PULLS, HeldOut, choose_pull, estimate, folds, held_out
from models.adaptation.fitting import NewRows, OldRows, Setting

THREE = np.ones(3, np.bool_)


def logits_of(answers: np.ndarray, sureness: float = 2.0) -> np.ndarray:
    return sureness * np.eye(3)[answers]


def test_every_fold_gets_its_share_of_every_class() -> None:
    labels = np.array([0] * 20 + [1] * 20 + [2] * 5)
    fold = folds([f"text {chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(45)], labels)
    for label, each in ((0, 4), (1, 4), (2, 1)):
        assert np.bincount(fold[labels == label], minlength=5).tolist() == [each] * 5


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["rate hike", "Rate hike!", "RATE HIKE 3", "oil", "goal"]), st.integers(0, 2)), min_size=1))
def test_near_duplicates_are_never_on_both_sides(rows: list[tuple[str, int]]) -> None:
    fold = folds([text for text, _ in rows], np.array([label for _, label in rows]))
    hikes = {int(number) for number, (text, _) in zip(fold, rows, strict=True) if "hike" in text.lower()}
    assert len(hikes) <= 1
    assert set(fold.tolist()) <= set(range(5))


def test_of_pulls_that_chance_cannot_tell_apart_the_strongest_is_taken() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 60)
    weak, strong, worse = Setting(0.01), Setting(0.1), Setting(1.0)
    near = logits_of(labels) + random.normal(0, 0.3, (60, 3))
    held = HeldOut({worse: logits_of((labels + 1) % 3), strong: near, weak: near + random.normal(0, 0.05, near.shape)}, labels, THREE)
    assert choose_pull(held) == strong


def test_a_gain_is_found_where_there_is_one() -> None:
    labels = np.arange(90) % 3
    after = np.where(np.arange(90) % 10 == 0, (labels + 1) % 3, labels)
    figures = estimate(HeldOut({Setting(0.1): logits_of(after)}, labels, THREE), logits_of((labels + (np.arange(90) % 2)) % 3))
    assert abs(figures["accuracy"].before - 50) < 3
    assert abs(figures["accuracy"].after - 90) < 3
    assert figures["accuracy"].low > 0


def test_the_best_of_many_settings_that_know_nothing_gains_nothing() -> None:
    """Chosen and measured on the same rows, the luckiest of twenty guessers would seem to beat chance; here it must not."""
    after, before = [], []
    for seed in range(12):
        random = np.random.default_rng(seed)
        labels = random.integers(0, 3, 45)
        guesses = {Setting(float(number)): logits_of(random.integers(0, 3, 45)) for number in range(20)}
        figures = estimate(HeldOut(guesses, labels, THREE), logits_of(random.integers(0, 3, 45)), seed=seed)
        after.append(figures["accuracy"].after)
        before.append(figures["accuracy"].before)
        assert figures["accuracy"].low < 0 < figures["accuracy"].high
    assert abs(float(np.mean(after)) - float(np.mean(before))) < 8


def test_a_class_that_could_not_be_said_is_never_the_answer() -> None:
    labels = np.array([0, 2, 0, 2, 0, 2])
    two = np.array([True, False, True])
    held = HeldOut({Setting(0.1): np.tile([0.0, 9.0, 1.0], (6, 1))}, labels, two)
    assert held.answers(Setting(0.1)).tolist() == [2] * 6
    assert np.isfinite(held.losses(Setting(0.1))).all()


def test_rows_are_answered_by_heads_that_did_not_see_them() -> None:
    """Labels at random: whoever has seen a row knows its label, whoever has not can only guess."""
    random = np.random.default_rng(4)
    labels = random.integers(0, 3, 60)
    new = NewRows(random.normal(size=(60, 40)), np.zeros((60, 3)), labels, THREE)
    old = OldRows(random.normal(size=(80, 40)), np.zeros((80, 3)))
    setting = Setting(PULLS[-1], 0.01)
    fold = np.arange(60) % 5
    unseen = held_out(new, old, fold, [setting], [0, 1, 2])[setting].argmax(1)
    assert (unseen == labels).mean() < 0.6
