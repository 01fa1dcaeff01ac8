"""Explanations of the shipped model: true of the model, in many languages, in bounded work."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.explanation.faithfulness import deletion
from models.explanation.occlusion import TOKENS, TURNING, Explanation, explain
from models.inference import Encoder
from models.robustness.cli import real_examples

#: (language, a text with a clear tone, words of which one must be the strongest)
CLEAR = [
    ("en", "Shares of the bank plunged after it reported heavy losses.", {"plunged", "losses"}),
    ("en", "What a wonderful product, I am delighted!", {"wonderful", "delighted"}),
    ("de", "Das ist ein wunderbares Produkt, ich bin begeistert.", {"wunderbares", "begeistert"}),
    ("es", "Me encanta este servicio, gracias.", {"encanta", "gracias"}),
    ("fr", "Ce service est catastrophique.", {"catastrophique"}),
    ("ru", "Ужасный банк, никому не советую.", {"Ужасный", "не", "советую", "никому"}),
    ("ar", "أعلنت الشركة عن خسائر فادحة في الربع الأخير.", {"خسائر", "فادحة"}),
    ("hi", "कंपनी का मुनाफा बढ़ा, निवेशक खुश हैं।", {"खुश", "बढ़ा"}),
    ("ko", "정말 훌륭한 영화였다", {"훌륭한", "영화였다"}),
    ("tr", "Harika bir ürün, çok memnunum", {"Harika", "memnunum"}),
    ("id", "Saham bank anjlok setelah skandal korupsi", {"anjlok", "skandal", "korupsi"}),
]
UNSPACED = [("zh", "股价大跌，投资者损失"), ("ja", "素晴らしい商品で大満足です"), ("th", "บริการแย่มาก ไม่ประทับใจเลย")]
IDS = [f"{lang}{index}" for index, (lang, *_) in enumerate(CLEAR)]


def score(encoder: Encoder, text: str) -> float:
    negative, _, positive = encoder.score([text]).sentiment[0]
    return float(positive) - float(negative)


def without(found: Explanation, index: int) -> str:
    word = found.words[index]
    return " ".join((found.text[: word.start] + found.text[word.end :]).split())


@pytest.mark.parametrize(("lang", "text", "expected"), CLEAR, ids=IDS)
def test_the_word_that_a_reader_would_name_is_the_strongest(encoder: Encoder, lang: str, text: str, expected: set[str]) -> None:
    found = explain(encoder, text)
    assert found.strongest(1)[0].text in expected, [(word.text, round(word.effect, 3)) for word in found.words]
    assert found.score == pytest.approx(score(encoder, text), abs=1e-6)


@pytest.mark.parametrize(("lang", "text"), [*((lang, text) for lang, text, _ in CLEAR), *UNSPACED])
def test_removing_the_top_word_moves_the_score_as_told(encoder: Encoder, lang: str, text: str) -> None:
    found = explain(encoder, text)
    for sign in (1, -1):
        index = max(range(len(found.words)), key=lambda at: sign * found.words[at].effect)
        effect = found.words[index].effect
        if sign * effect > 0:
            moved = found.score - score(encoder, without(found, index))
            assert sign * moved > 0
            assert moved == pytest.approx(effect, abs=1e-6)


@pytest.mark.parametrize(("lang", "text"), [*((lang, text) for lang, text, _ in CLEAR[::3]), *UNSPACED])
def test_without_the_turning_words_the_answer_is_the_one_told(encoder: Encoder, lang: str, text: str) -> None:
    found = explain(encoder, text)
    assert found.turning, "a clear short sentence turns within six words"
    assert len(set(found.turning)) == len(found.turning) <= TURNING
    left, at = "", 0
    for word in [found.words[index] for index in sorted(found.turning)]:
        left, at = left + found.text[at : word.start], word.end
    labels = encoder.artifact.sentiment_labels
    answer = labels[int(encoder.score([" ".join((left + found.text[at:]).split())]).sentiment[0].argmax())]
    assert answer == found.turned != found.label


def test_words_of_scripts_without_blanks_are_whole(encoder: Encoder) -> None:
    words = {word.text for _, text in UNSPACED for word in explain(encoder, text).words}
    assert {"股价", "投资者", "损失", "商品", "บริการ"} <= words


def test_the_same_text_has_the_same_explanation_in_any_process_of_threads(encoder: Encoder) -> None:
    text = CLEAR[0][1]
    first = explain(encoder, text)
    assert explain(encoder, text) == first
    with Encoder(encoder.artifact, threads=1) as alone:
        assert explain(alone, text) == first


class _Counting:
    """The encoder, counting the tokens that run through it."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self.tokens = encoder, 0
        self.prefix, self.tokenizer, self.artifact = encoder.prefix, encoder.tokenizer, encoder.artifact

    def score(self, texts: list[str]) -> object:
        self.tokens += sum(map(len, self._encoder.tokenize(texts)))
        return self._encoder.score(texts)


def test_a_long_text_costs_no_more_than_the_budget(encoder: Encoder) -> None:
    text = " ".join(["The company said on Monday that sales in the region were stable."] * 6) + " However the outlook is terrible."
    counting = _Counting(encoder)
    found = explain(counting, text)  # type: ignore[arg-type]
    assert found.strongest(1)[0].text == "terrible"
    assert found.read <= len(text)
    assert counting.tokens <= 1.5 * TOKENS + 4 * encoder.artifact.max_length


def test_past_what_the_model_reads_nothing_is_explained(encoder: Encoder) -> None:
    found = explain(encoder, "calm words here " * 80 + "terrible")
    assert found.read < len(found.text)
    assert "terrible" not in {word.text for word in found.words}


def test_named_words_cost_real_texts_more_than_others(encoder: Encoder, shared_data: Path) -> None:
    texts = [one.text for one in real_examples(shared_data, 2)]
    found = deletion(encoder, texts)
    assert found.rows >= 10
    for low, _ in found.interval:
        assert low > 0.1, found
    assert found.turned > 0.7
