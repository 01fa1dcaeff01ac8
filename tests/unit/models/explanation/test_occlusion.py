from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lexicon_encoder import LexiconEncoder

from models.errors import ModelError
from models.explanation.occlusion import TURNING, explain

WEIGHTS = {"great": 2.0, "good": 1.0, "bad": -1.0, "awful": -3.0}


def lexicon(**more: Any) -> Any:
    return LexiconEncoder(WEIGHTS, **more)


def score(text: str) -> float:
    negative, _, positive = lexicon().score([text]).sentiment[0].astype(np.float64)
    return float(positive - negative)


def test_an_effect_is_what_the_score_loses_without_the_word() -> None:
    found = explain(lexicon(), "A great day, bad weather.")
    assert [word.text for word in found.words] == ["A", "great", "day", "bad", "weather"]
    effects = {word.text: word.effect for word in found.words}
    assert effects["great"] == pytest.approx(score("great bad") - score("bad"))
    assert effects["bad"] == pytest.approx(score("great bad") - score("great"))
    assert effects["A"] == effects["day"] == effects["weather"] == 0
    assert (found.score, found.without) == (pytest.approx(score("great bad")), 0)
    assert found.strongest(2) == [found.words[1], found.words[3]]
    assert (found.label, found.target, found.model_id) == ("positive", "sentiment", "lexicon/1+00000000")


def test_words_stand_where_they_say() -> None:
    text = "  Good — not awful; 5% 🚀"
    found = explain(lexicon(), text)
    assert (
        [text[word.start : word.end] for word in found.words] == [word.text for word in found.words] == ["Good", "not", "awful", "5%", "🚀"]
    )


@pytest.mark.parametrize("text", ["", "   ", "… —"])
def test_a_text_without_words_is_its_own_ground(text: str) -> None:
    found = explain(lexicon(), text)
    assert (found.words, found.turning, found.turned) == ((), (), "")
    assert found.score == found.without


def test_the_effect_of_the_only_word_is_all_the_difference() -> None:
    found = explain(lexicon(), "Awful!")
    assert [word.text for word in found.words] == ["Awful", "!"]
    single = explain(lexicon(), "awful")
    assert single.words[0].effect == pytest.approx(single.score - single.without)


def test_words_that_say_the_same_are_taken_out_together_until_the_answer_turns() -> None:
    found = explain(lexicon(), "great news and great people")
    alone = [word.effect for word in found.words if word.text == "great"]
    assert max(alone) < 0.3
    assert sorted(found.turning) == [0, 3]
    assert found.turned == "neutral"


def test_the_strongest_word_turns_the_answer_first() -> None:
    found = explain(lexicon(), "good but awful")
    assert [found.words[index].text for index in found.turning] == ["awful"]
    assert found.turned == "positive"


def test_no_turn_is_told_where_it_would_take_too_many_words() -> None:
    found = explain(lexicon(), "great " * (TURNING + 2))
    assert (found.turning, found.turned) == ((), "")


def test_a_long_text_is_read_by_spans_and_closely_where_it_matters() -> None:
    text = " ".join(["calm"] * 40 + ["awful"] + ["calm"] * 9)
    encoder = lexicon()
    found = explain(encoder, text, tokens=50 * 20)
    by_word = {word.text: word for word in found.words}
    assert by_word["awful"].together == 1
    assert by_word["awful"].effect == pytest.approx(score("awful"))
    assert {word.together for word in found.words} > {1}
    assert found.strongest(1)[0].text == "awful"
    assert len(encoder.asked) <= 4 + 20 + 10
    assert [found.words[index].text for index in found.turning] == ["awful"]


def test_spans_share_their_effect_evenly() -> None:
    found = explain(lexicon(), "good bad calm great calm calm calm calm", tokens=2 * 8)
    assert len(found.words) == 8
    shared = [word for word in found.words if word.together > 1]
    assert len({word.effect for word in shared if word.start < 20}) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["calm", "Great", "bad,", "awful", "公司宣布", "กำไร", "🚀"]), max_size=50), st.integers(1, 4000))
def test_any_text_under_any_budget(pieces: list[str], tokens: int) -> None:
    text = " ".join(pieces)
    encoder = lexicon()
    found = explain(encoder, text, tokens=tokens)
    runs = max(2, tokens // max(1, len(pieces)))
    assert len(encoder.asked) <= 4 + runs + max(2 * (TURNING - 1), runs // 2)
    assert [(word.start, word.end) for word in found.words] == sorted((word.start, word.end) for word in found.words)
    assert all(np.isfinite(word.effect) for word in found.words)
    assert all(found.words[index].together == 1 for index in found.turning)
    assert bool(found.turning) == bool(found.turned)
    assert found.turned != found.label
    assert found == explain(lexicon(), text, tokens=tokens)


def test_only_what_the_model_reads_is_explained() -> None:
    text = "calm good " + "calm " * 20 + "awful"
    found = explain(lexicon(max_length=5), text)
    assert [word.text for word in found.words] == ["calm", "good", "calm", "calm", "calm"]
    assert text[: found.read] == "calm good calm calm calm"
    assert found.text == text
    assert found.score == pytest.approx(score("good"))


def test_a_huge_text_is_bounded_before_it_is_read() -> None:
    found = explain(lexicon(max_length=5), "x" * 10_000)
    assert found.read == 5 * 64


def test_a_topic_is_explained_by_its_probability() -> None:
    found = explain(lexicon(), "the match was good", target="topic")
    assert (found.target, found.label, found.score) == ("sport", "sport", pytest.approx(0.9))
    assert {word.text: round(word.effect, 3) for word in found.words} == {"the": 0, "match": 0.7, "was": 0, "good": 0}
    assert ([found.words[index].text for index in found.turning], found.turned) == (["match"], "health")


def test_a_topic_that_is_not_the_answer_can_be_asked_for() -> None:
    found = explain(lexicon(), "the match was good", target="health")
    assert (found.target, found.label, found.score) == ("health", "sport", pytest.approx(0.1))
    assert found.strongest(1)[0].effect == pytest.approx(-0.7)


def test_an_unknown_topic_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match="'opera'") as caught:
        explain(lexicon(), "x", target="opera")
    assert "health; sport" in caught.value.mend


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        explain(lexicon(), "good \ud800")


def test_the_json_holds_everything() -> None:
    found = explain(lexicon(), "good but awful")
    record = json.loads(json.dumps(found.to_json()))
    assert set(record) == set(found.__slots__)
    assert record["words"][2] == {"text": "awful", "start": 9, "end": 14, "effect": round(found.words[2].effect, 6), "together": 1}
    assert record["turning"] == [2]
