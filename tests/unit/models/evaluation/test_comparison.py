from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ModelError
from models.evaluation.comparison import compare
from models.evaluation.measuring import ScoredSet
from models.evaluation.metrics import macro_f1

metrics = pytest.importorskip("sklearn.metrics")


def scored(labels: list[int], answers: list[int], task: str = "sentiment", langs: list[str] | None = None) -> ScoredSet:
    return ScoredSet(task, langs or ["en"] * len(labels), np.array(labels), np.eye(4, dtype=np.float32)[answers], "abcd")


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40))
def test_figures_are_those_of_scikit_learn_and_the_bounds_are_ordered(rows: list[tuple[int, int, int]]) -> None:
    labels, first, second = (list(column) for column in zip(*rows, strict=True))
    tone = compare(("a", {"s": scored(labels, first)}), ("b", {"s": scored(labels, second)}), draws=20).differences
    topic = compare(("a", {"s": scored(labels, first, "topic")}), ("b", {"s": scored(labels, second, "topic")}), draws=20).differences
    assert tone[0].first == pytest.approx(100 * metrics.accuracy_score(labels, first))
    assert tone[1].second == pytest.approx(macro_f1(np.array(second), np.array(labels)))
    assert topic[1].second == pytest.approx(100 * metrics.f1_score(labels, second, average="weighted", zero_division=0))
    assert all(one.low <= one.high for one in (*tone, *topic))


def test_a_model_against_itself_differs_nowhere() -> None:
    same = scored([0, 1, 2, 1] * 10, [0, 1, 1, 2] * 10)
    for one in compare(("a", {"s": same}), ("a", {"s": same})).differences:
        assert (one.low, one.high, one.sure) == (0, 0, False)


def test_a_clear_difference_is_sure_and_a_chance_one_is_not() -> None:
    random = np.random.default_rng(5)
    labels = random.integers(0, 3, 600)

    def right(share: float) -> list[int]:
        return np.where(random.random(600) < share, labels, (labels + 1) % 3).tolist()

    before, better, alike = (scored(labels.tolist(), right(share)) for share in (0.6, 0.75, 0.605))
    assert compare(("a", {"s": before}), ("b", {"s": better})).differences[0].sure
    assert not compare(("a", {"s": before}), ("b", {"s": alike})).differences[0].sure


def test_pairing_makes_the_bounds_narrow() -> None:
    """Two models that err on the same rows but for one are told apart where two independent ones would not be."""
    labels = [0, 1] * 200
    answers = [label if row % 3 else 1 - label for row, label in enumerate(labels)]
    mended = [label if row % 3 or row < 30 else 1 - label for row, label in enumerate(labels)]
    one = compare(("a", {"s": scored(labels, answers)}), ("b", {"s": scored(labels, mended)})).differences[0]
    assert one.sure
    assert one.high - one.low < 5


def test_a_draw_keeps_the_languages_of_a_set() -> None:
    langs = ["en"] * 30 + ["de"] * 3
    labels = [0] * 30 + [1] * 3
    one = compare(("a", {"s": scored(labels, labels, langs=langs)}), ("b", {"s": scored(labels, [0] * 33, langs=langs)})).differences[0]
    assert one.low == one.high == pytest.approx(-100 * 3 / 33)


def test_the_table_shows_chance_in_brackets() -> None:
    labels = [0, 1] * 50
    table = compare(("old/1", {"s": scored(labels, labels)}), ("new/2", {"s": scored(labels, [0] * 100)})).to_markdown()
    assert "| s | accuracy | 100 | 100.0 | 50.0 | -50.0 |" in table
    assert "| (+0.0) |" in compare(("old/1", {"s": scored(labels, labels)}), ("new/2", {"s": scored(labels, labels)})).to_markdown()


def test_other_rows_are_refused() -> None:
    with pytest.raises(ModelError, match="not measured on the same rows of s"):
        compare(("a", {"s": scored([0, 1], [0, 1])}), ("b", {"s": scored([1, 1], [0, 1])}))
    with pytest.raises(ModelError, match="same rows"):
        compare(("a", {"s": scored([0, 1], [0, 1])}), ("b", {}))


def test_a_model_with_a_class_more_can_be_compared() -> None:
    labels = [0, 1, 2] * 20
    narrow = ScoredSet("sentiment", ["en"] * 60, np.array(labels), np.eye(3, dtype=np.float32)[labels], "abc")
    wide = ScoredSet("sentiment", ["en"] * 60, np.array(labels), np.eye(5, dtype=np.float32)[[4, 1, 2] * 20], "abcde")
    found = compare(("a", {"s": narrow}), ("b", {"s": wide})).differences[0]
    assert (found.first, found.second) == (100, pytest.approx(200 / 3))
