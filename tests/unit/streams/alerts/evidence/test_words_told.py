"""What is told of an explanation: few words, as they stand in the document, in any script."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.casing import unshouted
from models.explanation.occlusion import Explanation as Occlusion
from models.explanation.occlusion import WordEffect as Moved
from models.explanation.segmentation import segment
from streams.alerts.evidence.passages import Passage
from streams.alerts.evidence.words_told import MAX_WORDS, as_written, explanation_of, telling_words
from streams.documents import Alert, AlertStatus, Evidence, Explanation, Key, Observation, WordEffect

AT = datetime(2026, 3, 31, 12, tzinfo=UTC)


def occlusion(*effects: tuple[str, float], label: str = "negative", score: float = -0.8, turning: tuple[int, ...] = ()) -> Occlusion:
    words, at, parts = [], 0, []
    for text, effect in effects:
        words.append(Moved(text, at, at + len(text), effect))
        parts.append(text)
        at += len(text) + 1
    text = " ".join(parts)
    return Occlusion("m", text, len(text), "sentiment", label, score, 0.1, tuple(words), turning, "neutral" if turning else "")


def passage(text: str) -> Passage:
    return Passage("", text, "m", scored=True)


def test_the_strongest_words_of_one_side_each_once() -> None:
    found = occlusion(("loss", -0.2), ("good", 0.5), ("Loss", -0.3), ("the", -0.001), ("crash", -0.25), turning=(2, 4))
    told = explanation_of(found, passage(found.text), negative=True)
    assert [(word.text, word.effect) for word in told.words] == [("Loss", -0.3), ("crash", -0.25)]
    assert (told.turning, told.turned, told.reason) == (("Loss", "crash"), "neutral", None)
    assert (told.score, told.without, told.model_id) == (-0.8, 0.1, "m")


def test_no_more_than_a_few() -> None:
    found = occlusion(*((f"w{number}", -0.5 + number / 100) for number in range(20)))
    assert [word.text for word in explanation_of(found, passage(found.text), negative=True).words] == [f"w{n}" for n in range(MAX_WORDS)]


def test_words_that_turn_the_answer_are_told_where_none_is_missed_alone() -> None:
    found = occlusion(("股价", -0.001), ("暴跌", -0.002), turning=(1, 0))
    told = explanation_of(found, passage(found.text), negative=True)
    assert (told.words, told.turning, told.reason) == ((), ("暴跌", "股价"), None)


def test_where_no_word_did_anything_it_says_so() -> None:
    found = occlusion(("a", -0.001), ("b", 0.3))
    told = explanation_of(found, passage(found.text), negative=True)
    assert (told.words, told.turning, told.turned, told.reason) == ((), (), None, "no_words")


@pytest.mark.parametrize(("negative", "score"), [(True, 0.4), (False, -0.4)])
def test_words_are_not_told_of_an_answer_that_the_model_does_not_give(negative: bool, score: float) -> None:
    found = occlusion(("a", -0.5), ("b", 0.5), score=score)
    told = explanation_of(found, passage(found.text), negative=negative)
    assert (told.words, told.reason, told.score) == ((), "other_answer", score)


def test_a_turn_from_another_label_is_not_told() -> None:
    found = occlusion(("a", -0.5), label="neutral", score=-0.1, turning=(0,))
    assert explanation_of(found, passage(found.text), negative=True).turning == ()


@pytest.mark.parametrize(
    "source",
    [
        "SHARES OF McDONALD'S PLUNGE AFTER HEAVY LOSSES",
        "АКЦИИ БАНКА РУХНУЛИ ПОСЛЕ УБЫТКОВ",
        "Η ΤΡΑΠΕΖΑ ΚΑΤΑΡΡΕΕΙ ΜΕΤΑ ΤΙΣ ΑΠΩΛΕΙΕΣ ΤΗΣ",
        "İSTANBUL BANKASI ZARARLARLA ÇÖKTÜ",
        "GROẞE STRASSENBAHN STÜRZT AB",
    ],
)
def test_words_read_in_small_letters_are_told_in_capitals(source: str) -> None:
    small = unshouted(source)
    assert small != source
    assert as_written([small[start:end] for start, end in segment(small)], source) == [source[a:b] for a, b in segment(source)]


def test_what_stands_for_something_else_stays() -> None:
    assert as_written(["Crash", "http", "by", "@user", "again"], "CRASH https://a.example/x BY @MARIA AGAIN") == [
        "CRASH",
        "http",
        "BY",
        "@user",
        "AGAIN",
    ]


def test_a_short_word_is_not_taken_out_of_another() -> None:
    assert as_written(["the", "run", "on"], "BRUNT of THE RUN ON") == ["THE", "RUN", "ON"]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_words_of_the_text_itself_are_told_as_they_are(text: str) -> None:
    words = [text[start:end] for start, end in segment(text)]
    assert as_written(words, text) == words


def alert(*explanations: Explanation | None) -> Alert:
    evidence = tuple(
        Evidence(id=str(number), title="t", url=None, source="s", language="en", published_at=AT, score=-0.9, explanation=one)
        for number, one in enumerate(explanations)
    )
    return Alert(
        id="a",
        fingerprint="f",
        rule="r",
        status=AlertStatus.FIRING,
        severity="info",
        key=Key(kind="all", value="", name="all"),
        starts_at=AT,
        observed=Observation(start=AT, end=AT, documents=1, negative=1, share=1.0),
        baseline=None,
        p_value=None,
        evidence=evidence,
        languages={},
        sources={},
        summary="s",
    )


WORDS = (WordEffect(text="plunge", effect=-0.14), WordEffect(text="losses", effect=-0.031))


@pytest.mark.parametrize(
    ("explanation", "told"),
    [
        (Explanation(words=WORDS), "plunge -0.14, losses -0.03"),
        (
            Explanation(words=WORDS, turning=("plunge", "furious"), turned="neutral"),
            "plunge -0.14, losses -0.03; neutral without plunge, furious",
        ),
        (Explanation(turning=("暴跌",), turned="neutral"), "neutral without 暴跌"),
        (Explanation(words=(WordEffect(text="הפסדים", effect=-0.2),)), "\u2068הפסדים\u2069 -0.20"),
        (Explanation(reason="too_slow"), ""),
        (None, ""),
    ],
)
def test_what_a_person_reads(explanation: Explanation | None, told: str) -> None:
    assert telling_words(alert(explanation)) == (0, told)


def test_where_the_first_document_has_none_the_next_one_speaks() -> None:
    assert telling_words(alert(Explanation(reason="no_words"), None, Explanation(words=WORDS))) == (2, "plunge -0.14, losses -0.03")
    assert telling_words(alert()) == (0, "")
