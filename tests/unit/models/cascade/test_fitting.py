from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cascade.fitting import ASKED, NEVER, Fitted, Judged, best_blend, best_within, cautious, fit_thresholds, judge, measured
from models.data import Example
from models.evaluation.metrics import macro_f1
from models.inference import Scores

SECONDS = (0.01, 0.25, 1.0)


def judged(rows: int = 900, seed: int = 3, right: tuple[float, ...] = (0.6, 0.8, 0.9)) -> Judged:
    """Three stages, each right as often as it believes; the later ones are right more often. Half the rows have each label."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, (2, rows))
    confidence = np.clip(random.normal(np.array(right)[:, None, None], 0.18, (3, 2, rows)), 0.34, 0.999).astype(np.float32)
    hit = random.random((3, 2, rows)) < confidence
    predicted = np.where(hit, truth[None], (truth[None] + 1) % 3)
    labels = truth.copy()
    labels[0, rows // 2 :], labels[1, : rows // 2] = -1, -1
    return Judged(confidence, predicted, labels, predicted[-1], np.ones(rows, np.float32))


def test_stages_are_those_that_the_runtime_takes() -> None:
    one = judged(200)
    thresholds = ((0.7, 0.6), (0.8, 0.5))
    stage = one.stage(thresholds)
    for row in range(200):
        sure = [bool((one.confidence[number, :, row] >= np.float32(thresholds[number])).all()) for number in range(2)]
        assert stage[row] == next((number for number in range(2) if sure[number]), 2)


def test_macro_f1_is_over_the_rows_with_a_label_for_the_task() -> None:
    one = judged(200)
    found = one.macro_f1(np.zeros(200, np.int64))
    assert found["sentiment"] == pytest.approx(macro_f1(one.predicted[0, 0, :100], one.labels[0, :100]))
    assert found["topic"] == pytest.approx(macro_f1(one.predicted[0, 1, 100:], one.labels[1, 100:]))


def test_a_row_pays_for_every_stage_it_was_shown_to() -> None:
    one = Judged(
        np.array([[[0.9, 0.2]] * 2, [[0.9, 0.9]] * 2], np.float32),
        np.zeros((2, 2, 2), np.int64),
        np.zeros((2, 2), np.int64),
        np.zeros((2, 2), np.int64),
        np.ones(2, np.float32),
    )
    got = measured(one, ((0.5, 0.5),), (0.1, 1.0))
    assert got.share == (0.5, 0.5)
    assert got.time == pytest.approx((0.1 + 1.1) / 2)
    assert measured(one, ((NEVER, NEVER),), (0.1, 1.0)).time == 1.0, "a stage that is never asked costs nothing"
    longer = dataclasses.replace(one, weight=np.array([0.5, 1.5], np.float32))
    assert measured(longer, ((0.5, 0.5),), (0.1, 1.0)).time == pytest.approx((0.5 * 0.1 + 1.5 * 1.1) / 2), "the second one is long"


@given(st.integers(0, 30), st.sampled_from([0.0, 0.5, 1.5]))
@settings(max_examples=3, deadline=None)
def test_what_is_chosen_loses_no_more_than_was_allowed_and_more_leave_is_never_slower(seed: int, most: float) -> None:
    fitted = fit_thresholds(judged(200, seed), SECONDS, (most, most + 1))
    best, looser = best_within(fitted, most), best_within(fitted, most + 1)
    assert best.worst <= most
    assert looser.time <= best.time <= 1.0


def test_a_careful_cascade_is_slower_and_loses_less_than_a_careless_one() -> None:
    careful, careless = fit_thresholds(judged(400), SECONDS, (10.0, 0.2))
    assert careful.worst <= 0.2 < careless.worst <= 10.0
    assert careless.time < careful.time < 1.0


def test_a_stage_that_is_as_dear_as_the_encoder_is_left_out() -> None:
    (best,) = fit_thresholds(judged(400), (0.01, 1.0, 1.0), (5.0,))
    assert best.thresholds[1] == (NEVER, NEVER)
    assert best.thresholds[0] != (NEVER, NEVER)


def test_a_budget_below_nought_is_kept_to_where_it_can_be_and_has_no_cascade_where_not() -> None:
    one = judged(400, right=(0.8, 0.8, 0.9))
    worse = dataclasses.replace(one, alone=one.predicted[0])
    fitted = fit_thresholds(worse, SECONDS, (-60.0, -1.0, 0.5))
    assert len(fitted) == 2
    assert fitted[0].worst <= -1.0
    assert fitted[1].time <= fitted[0].time


def test_caution_adds_the_standard_error_and_fewer_rows_have_a_larger_one() -> None:
    thresholds = ((0.5, 0.5), (NEVER, NEVER))
    few, many = judged(200), judged(4_000)
    doubts = [cautious(one, measured(one, thresholds, SECONDS)) - measured(one, thresholds, SECONDS).worst for one in (few, many)]
    assert doubts[0] > 2 * doubts[1] > 0
    same = measured(few, ((ASKED, ASKED), (NEVER, NEVER)), SECONDS)
    assert cautious(few, same) == 0, "the encoder alone loses nothing against itself, on any text"


def test_without_labels_there_is_nothing_to_lose() -> None:
    one = judged(50)
    bare = Judged(one.confidence, one.predicted, np.full_like(one.labels, -1), one.alone, one.weight)
    assert measured(bare, ((0.0, 0.0), (0.0, 0.0)), SECONDS) == Fitted(((0.0, 0.0), (0.0, 0.0)), (1.0, 0.0, 0.0), 0.01, {})


def test_scores_are_judged_row_by_row_and_rows_behind_the_labelled_have_no_label() -> None:
    sentiment = np.array([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1], [0.1, 0.8, 0.1]], np.float32)
    topic = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]], np.float32)
    scores = Scores(sentiment, topic, np.zeros((3, 2), np.float32))
    first = Example("a", "en", "umsab", "dev", "sentiment", (2,), (0, 1, 2))
    second = Example("b", "es", "noticias_es", "dev", "topic", (1,), tuple(range(12)))
    one = judge([scores, scores], [first, second])
    assert one.labels.tolist() == [[2, -1, -1], [-1, 1, -1]]
    assert one.predicted[0].tolist() == [[2, 0, 1], [0, 1, 0]]
    assert one.confidence[1, 0].tolist() == pytest.approx([0.5, 0.7, 0.8])
    learned = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], np.float32)
    stood_in = judge([scores, scores], [first], stand_in=True)
    assert stood_in.labels.tolist() == [[2, -1, -1], [0, 1, 0]], "no label tells of topics"
    told = judge([scores, scores], [first, second], learned=[learned])
    assert np.array_equal(told.confidence[0], learned)
    assert np.array_equal(told.confidence[1], one.confidence[1])


def test_the_blend_is_the_share_that_errs_least_and_nought_where_it_gains_nothing() -> None:
    encoder = Scores(
        np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]] * 5, np.float32), np.array([[0.9, 0.1]] * 10, np.float32), np.zeros((10, 1))
    )
    first = Scores(np.array([[0.1, 0.8, 0.1], [0.3, 0.5, 0.2]] * 5, np.float32), np.array([[0.8, 0.2]] * 10, np.float32), np.zeros((10, 1)))
    tone = [Example(str(row), "en", "sentfin", "dev", "sentiment", (1,), (0, 1, 2)) for row in range(10)]
    sentiment, topic = best_blend(first, encoder, tone)
    assert 0.3 <= sentiment <= 0.35, "the least share from which the first stage carries the day"
    assert topic == 0.0
    told = [Example(str(row), "en", "tnews_zh", "dev", "topic", (0,), tuple(range(12))) for row in range(10)]
    assert best_blend(first, encoder, told) == (0.0, 0.0)
    one = judge([first, encoder], tone, [(sentiment, topic)])
    assert one.predicted[-1, 0].tolist() == [1] * 10
    assert one.alone[0].tolist() == [0, 1] * 5
    assert one.whole["sentiment"] < 100 == one.macro_f1(np.full(10, 1))["sentiment"]
    assert measured(one, ((ASKED, ASKED),), (0.1, 1.0)).time == pytest.approx(1.1), "asked for the blend's sake"


def test_a_stage_between_is_judged_with_its_own_share_of_the_first() -> None:
    def says(negative: float) -> Scores:
        rest = (1 - negative) / 2
        return Scores(np.array([[negative, rest, rest]], np.float32), np.array([[negative, 1 - negative]], np.float32), np.zeros((1, 1)))

    one = judge([says(0.1), says(0.9), says(0.6)], [], [(0.5, 1.0), (0.0, 0.25)])
    assert one.confidence[1, 0].tolist() == pytest.approx([0.5])
    assert one.confidence[1, 1].tolist() == pytest.approx([0.9]), "nothing but the first one's topic"
    assert one.predicted[:, 1, 0].tolist() == [1, 1, 1], "a quarter of the first one turns the last one's topic"
    assert one.alone[:, 0].tolist() == [0, 0], "what is lost is against the last one by itself"
