from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data import LABELS, SENTIMENT_LABELS
from models.evaluation.synonyms import class_named


@pytest.mark.parametrize(
    ("task", "word", "named"),
    [
        ("sentiment", "Bearish", "negative"),
        ("sentiment", " POS ", "positive"),
        ("sentiment", "sideways", None),
        ("topic", "sports", "sport"),
        ("topic", "Science-and_technology", "science and technology"),
        ("event", "m&a", "mergers and acquisitions"),
    ],
)
def test_a_word_means_a_class_or_nothing(task: str, word: str, named: str | None) -> None:
    assert class_named(task, word, LABELS[task]) == named


@given(st.sampled_from(sorted(LABELS)), st.data(), st.booleans())
def test_every_class_names_itself_however_it_is_written(task: str, data: st.DataObject, loud: bool) -> None:
    name = data.draw(st.sampled_from(LABELS[task]))
    written = name.replace(" ", "_")
    assert class_named(task, written.upper() if loud else written, LABELS[task]) == name


def test_a_class_that_a_model_lacks_is_not_meant() -> None:
    assert class_named("sentiment", "bullish", SENTIMENT_LABELS[:2]) is None
    assert class_named("topic", "bullish", ["bullish", "sport"]) == "bullish", "a model that was adapted has classes of its own"
