from __future__ import annotations

from typing import Any

import pytest
from lexicon_encoder import LexiconEncoder

from models.explanation.faithfulness import LEAST_WORDS, SHARES, deletion

WEIGHTS = {"great": 2.0, "awful": -3.0}
TEXTS = ["the awful food came late again today", "what a great and calm evening it was", "calm", "a calm day without any news here"]


def lexicon(**weights: float) -> Any:
    return LexiconEncoder(WEIGHTS | weights)


def test_named_words_cost_more_than_others() -> None:
    found = deletion(lexicon(), TEXTS)
    assert found.rows == 2
    assert len(found.named) == len(found.chance) == len(found.interval) == len(SHARES)
    assert found.named[0] > found.chance[0]
    assert found.interval[0][0] <= found.named[0] - found.chance[0] <= found.interval[0][1]
    assert found.turned == 1.0
    assert found == deletion(lexicon(), TEXTS)


def test_where_every_word_is_alike_naming_gains_nothing() -> None:
    found = deletion(lexicon(), ["awful awful awful awful awful awful"])
    assert found.named == pytest.approx(found.chance)


def test_short_and_neutral_texts_are_no_evidence() -> None:
    with pytest.raises(ValueError, match="none of the texts"):
        deletion(lexicon(), ["calm", "great " * (LEAST_WORDS - 1), "one two three four five six"])
