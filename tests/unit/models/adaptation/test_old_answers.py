from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.adaptation.old_answers import LEAST, OldAnswers, complaint, split_old
from models.adaptation.old_texts import OldText
from models.adaptation.problem import Kin
from models.errors import ModelError
from models.training.heads import Head

#: Features are the logits themselves.
HEADS = {
    "sentiment": Head(np.eye(3, dtype=np.float32), np.zeros(3, np.float32)),
    "topic": Head(np.eye(3, dtype=np.float32), np.zeros(3, np.float32)),
}
ALONE = Kin([0, 1, 2], np.arange(3))


def texts(count: int, answers: dict[str, int]) -> list[OldText]:
    return [OldText(f"text {number}", "en", "old", True, answers) for number in range(count)]


def features(count: int, seed: int = 1, scale: float = 1.0) -> np.ndarray:
    return (scale * np.random.default_rng(seed).normal(size=(count, 3))).astype(np.float16)


def test_too_few_old_texts_of_either_kind_are_refused() -> None:
    old = [OldText(f"text {number}", "en", "old", number < LEAST, {}) for number in range(2 * LEAST)]
    fit, check = split_old(old)
    assert (len(fit), len(check)) == (LEAST, LEAST)
    assert all(one.check for one in check)
    assert not any(one.check for one in fit)
    with pytest.raises(ModelError, match=f"{LEAST - 1} old texts to hold the model") as caught:
        split_old(old[:-1])
    assert "labels are not needed" in caught.value.mend
    with pytest.raises(ModelError, match=f"{LEAST - 1} old texts to measure decay on"):
        split_old(old[1:])


def test_labels_count_where_there_are_any() -> None:
    old = [*texts(300, {"sentiment": 2}), *texts(100, {})]
    found = OldAnswers.of(old, HEADS, features(400))
    assert found.drawn == ("topic",)
    assert found.known("sentiment").tolist() == list(range(300))
    assert len(found.known("topic")) == 400
    assert set(found.labels["sentiment"][:300]) == {2}


@given(st.integers(0, 50))
def test_labels_are_drawn_as_often_as_the_model_believes_in_them(seed: int) -> None:
    logits = features(3_000, seed)
    found = OldAnswers.of(texts(3_000, {}), HEADS, logits)
    believed = np.exp(logits.astype(np.float64))
    believed /= believed.sum(1, keepdims=True)
    shares = np.bincount(found.labels["topic"], minlength=3) / 3_000
    assert shares == pytest.approx(believed.mean(0), abs=0.05)
    right = found.labels["topic"] == found.before["topic"]
    assert right.mean() == pytest.approx(believed.max(1).mean(), abs=0.05)


def test_the_same_labels_are_drawn_every_time_and_a_sure_model_is_taken_at_its_word() -> None:
    one, other = (OldAnswers.of(texts(200, {}), HEADS, features(200, scale=200)) for _ in range(2))
    assert np.array_equal(one.labels["topic"], other.labels["topic"])
    assert np.array_equal(one.labels["topic"], one.before["topic"])


def test_every_head_is_measured_and_named_in_the_complaint() -> None:
    logits = features(2_000, scale=20)
    found = OldAnswers.of(texts(2_000, {}), HEADS, logits)
    same = found.decays(HEADS, logits, "topic", ALONE)
    assert complaint(same) is None
    turned = {**HEADS, "sentiment": Head(-HEADS["sentiment"].weights, HEADS["sentiment"].bias)}
    said = complaint(found.decays(turned, logits, "topic", ALONE))
    assert said is not None
    assert said.startswith("sentiment: en by ")
    assert "topic" not in said


def test_a_class_within_an_old_one_is_no_loss_to_the_head_that_learnt() -> None:
    logits = features(2_000, scale=20)
    found = OldAnswers.of(texts(2_000, {}), HEADS, logits)
    # A fourth class takes over the first one.
    wider = Head(np.concatenate([HEADS["topic"].weights, HEADS["topic"].weights[:, :1]], axis=1), np.array([0, 0, 0, 0.5], np.float32))
    inside, apart = Kin([0, 1, 2, 0], np.array([0, 1, 2, 0])), Kin([0, 1, 2, None], np.arange(4))
    assert complaint(found.decays({**HEADS, "topic": wider}, logits, "topic", inside)) is None
    assert complaint(found.decays({**HEADS, "topic": wider}, logits, "topic", apart)) is not None
