from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cascade.deferral import Deferral, confidence, costs, cross_fitted, features, fit_deferral, sizes
from models.inference import Scores

ROWS = 1_500


def scores(rows: int = ROWS, seed: int = 5) -> Scores:
    random = np.random.default_rng(seed)
    sentiment, topic = (random.dirichlet(np.full(classes, 0.5), rows).astype(np.float32) for classes in (3, 5))
    embedding = random.normal(0, 1, (rows, 6)).astype(np.float32)
    return Scores(sentiment, topic, embedding / np.linalg.norm(embedding, axis=1, keepdims=True))


def test_a_long_text_is_larger_and_beyond_what_the_encoder_reads_none_grows() -> None:
    found = sizes(["x" * 20, "x" * 160, "\u0436" * 80, "x" * 480, "x" * 9_000, ""])
    assert found[1] == found[2] == pytest.approx(1)
    assert found[0] < found[1] < found[3] == found[4]
    assert found[5] == found[0] > 0


@given(st.integers(1, 40), st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_the_confidence_in_a_text_does_not_depend_on_the_others(rows: int, seed: int) -> None:
    one = scores(rows, seed)
    width = features(one).shape[1]
    random = np.random.default_rng(seed)
    learned = Deferral(*((tuple(random.normal(0, 1, width).tolist()), tuple(random.normal(0, 1, width).tolist())), (0.1, -0.2)))
    texts = ["word " * (1 + row) for row in range(rows)]
    together = confidence(one, texts, learned)
    assert together.shape == (2, rows)
    assert together.max() <= 1
    assert together.min() >= 0
    for row in range(rows):
        alone = confidence(Scores(*(part[row : row + 1] for part in one)), texts[row : row + 1], learned)
        assert np.array_equal(alone[:, 0], together[:, row])


def test_without_anything_learned_the_probability_is_the_confidence() -> None:
    one = scores(7)
    assert np.array_equal(confidence(one, ["x"] * 7, None), [one.sentiment.max(axis=1), one.topic.max(axis=1)])


def test_an_answer_costs_what_the_better_one_is_more_probable_and_more_for_a_rare_class() -> None:
    first = Scores(np.array([[0.8, 0.2], [0.3, 0.7], [0.9, 0.1]], np.float32), np.array([[1.0, 0.0]] * 3, np.float32), np.zeros((3, 1)))
    mixed = Scores(np.array([[0.9, 0.1], [0.6, 0.4], [0.4, 0.6]], np.float32), np.array([[0.7, 0.3]] * 3, np.float32), np.zeros((3, 1)))
    even = costs(first, mixed, np.array([[0, 1], [-1, -1]]))
    assert even[0].tolist() == pytest.approx([0.0, 0.1, 0.1])
    assert even[1].tolist() == [0, 0, 0], "they agree"
    uneven = costs(first, mixed, np.array([[0, 0, 0, 0, 0, 0, 0, 1], [-1] * 8]))
    assert uneven[0, 2] == pytest.approx(0.2), "the second class is rare"
    assert uneven[0, 1] < even[0, 1], "and the first is not"


def test_it_learns_where_the_first_stage_costs_and_is_tried_on_rows_it_has_not_seen() -> None:
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    one = scores()
    dear = one.embedding[:, 0] > 0.3
    cost = np.array([np.where(dear, 0.6, 0.02), np.full(ROWS, 0.1)], np.float32)
    learned = fit_deferral(one, cost, np.arange(ROWS // 2))
    expected = learned.expected(one)[:, ROWS // 2 :]
    assert expected[0][dear[ROWS // 2 :]].mean() > 0.4 > 0.15 > expected[0][~dear[ROWS // 2 :]].mean()
    assert expected[1].mean() == pytest.approx(0.1, abs=0.02)
    texts = ["x" * 160] * ROWS
    whole, found = cross_fitted(one, cost, texts, lambda *_: None)
    assert found.shape == (2, ROWS)
    assert found[0][~dear].mean() > found[0][dear].mean() + 0.3
    assert not np.array_equal(found, confidence(one, texts, whole)), "no row is judged by a model that learned from it"


def test_noise_is_not_learned_for_rows_it_is_tried_on() -> None:
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    one = scores(300)
    cost = np.random.default_rng(1).uniform(0, 1, (2, 300)).astype(np.float32)
    _, found = cross_fitted(one, cost, ["x" * 160] * 300, lambda *_: None)
    assert abs(float(np.corrcoef(1 - found[0], cost[0])[0, 1])) < 0.2
