from __future__ import annotations

import unicodedata
from collections.abc import Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.explanation.segmentation import segment


def words(text: str, ends: Collection[int] = ()) -> list[str]:
    return [text[start:end] for start, end in segment(text, ends)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Profit rose, again.", ["Profit", "rose", "again"]),
        ("It's profit-taking: +12.5% to $5bn (€3)", ["It's", "profit-taking", "+12.5%", "to", "$5bn", "€3"]),
        ("a 5-10% fall, not -5", ["a", "5-10%", "fall", "not", "-5"]),
        ("profit/loss", ["profit", "loss"]),
        ("Great!!! 🚀🚀 really?", ["Great", "!!!", "🚀🚀", "really", "?"]),
        ("👩‍💻❤️ ok", ["👩‍💻❤️", "ok"]),
        ("see https://a.b/c?d=1, @user and #crash!", ["see", "https://a.b/c?d=1", "@user", "and", "#crash", "!"]),
        ("मुनाफा बढ़ा है।", ["मुनाफा", "बढ़ा", "है"]),
        ("خسائر فادحة، والآن؟", ["خسائر", "فادحة", "والآن", "؟"]),
        ("삼성전자가 올랐다", ["삼성전자가", "올랐다"]),
        ("— … —", []),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_scripts_without_blanks_are_cut_where_the_tokenizer_cuts() -> None:
    assert words("公司宣布，利润", [2, 4, 5, 7]) == ["公司", "宣布", "利润"]


def test_what_the_tokenizer_leaves_is_cut_into_chunks() -> None:
    assert words("一二三四五六七八九") == ["一二三四", "五六七八", "九"]
    assert words("一二三四五六七", [2]) == ["一二", "三四五六", "七"]


def test_no_piece_begins_with_what_stands_on_a_letter() -> None:
    assert words("กำไรดี", [1, 4, 5, 6]) == ["กำไร", "ดี"]
    assert words("ทำที่นี้ก็ดีน้ำ")[0].startswith("ทำ")


def test_a_lone_letter_goes_with_the_next_piece() -> None:
    assert words("บริษัท", [1, 6]) == ["บริษัท"]
    assert words("股价大跌", [1, 2, 4]) == ["股价", "大跌"]
    assert words("在公司", [1, 3]) == ["在", "公司"]
    assert words("在", [1]) == ["在"]


def test_a_sentence_in_two_scripts() -> None:
    assert words("Tesla股价大跌5%", [5, 7, 9, 11]) == ["Tesla", "股价", "大跌", "5%"]


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("กำที่公司。 🚀👩\u200d💻'-.%$+!\u0301")), max_size=40),
    st.lists(st.integers(0, 40), max_size=6),
)
def test_words_are_apart_in_order_and_hold_every_letter(text: str, ends: list[int]) -> None:
    spans = segment(text, ends)
    covered: set[int] = set()
    at = 0
    for start, end in spans:
        assert at <= start < end <= len(text)
        assert not any(character.isspace() for character in text[start:end])
        covered |= set(range(start, end))
        at = end
    assert all(index in covered for index, character in enumerate(text) if unicodedata.category(character)[0] in "LN")
