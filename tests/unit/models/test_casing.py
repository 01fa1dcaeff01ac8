from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.casing import LETTERS, unshouted


@pytest.mark.parametrize(
    ("shouted", "said"),
    [
        ("SHARES OF THE BANK PLUNGE AFTER LOSS", "Shares of the bank plunge after loss"),
        ("*APPLE Q3 REVENUE BEATS ESTIMATES", "*Apple q3 revenue beats estimates"),
        ("McDONALD'S RAISES ITS FORECAST AGAIN", "Mcdonald's raises its forecast again"),
        ("АКЦИИ БАНКА РУХНУЛИ ПОСЛЕ ОТЧЁТА", "Акции банка рухнули после отчёта"),
        ("ΟΙ ΜΕΤΟΧΕΣ ΤΗΣ ΤΡΑΠΕΖΑΣ ΚΑΤΕΡΡΕΥΣΑΝ", "Οι μετοχες της τραπεζας κατερρευσαν"),
        ("“RUN ON THE BANK” SAYS MINISTER", "“Run on the bank” says minister"),
    ],
)
def test_a_headline_in_capitals_is_said_in_small_letters(shouted: str, said: str) -> None:
    assert unshouted(shouted) == said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "IBM",
        "NVDA TSLA AAPL GOOGL",
        "Apple beats estimates, AAPL up 5%",
        "UBS, HSBC und BNP Paribas melden Verluste",
        "银行股暴跌 CEO辞职 A股 ETF IPO",
        "AAAAAAAAAAAAAAAAAAAA",
        "अदालत ने RBI और SEBI से जवाब माँगा",
        "2026 04 07 12 30",
    ],
)
def test_what_does_not_shout_is_left_alone(text: str) -> None:
    assert unshouted(text) == text


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_only_the_case_changes_and_once_is_enough(text: str) -> None:
    said = unshouted(text)
    assert said.casefold() == text.casefold() or said.lower() == text.lower().lower()
    if said != text:
        assert sum(map(str.isupper, text)) >= LETTERS
        assert unshouted(said) == said


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.sampled_from("abcdefghij"), min_size=6, max_size=8), min_size=4, max_size=9))
def test_capitals_and_small_letters_are_one_text(words: list[str]) -> None:
    text = " ".join(words)
    assert unshouted(text.upper()) == text[:1].upper() + text[1:]
