from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.texts.perturbations import NEUTRAL_EMOJI, PERTURBATIONS, SLIP_EVERY

TEXTS = st.text(st.sampled_from("abcdeé ПривЕт公司 कंपनी.,!5"), max_size=60)


def changed(name: str, text: str, seed: int = 0) -> str:
    return PERTURBATIONS[name](text, random.Random(seed))


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.integers(0, 9), st.sampled_from(sorted(PERTURBATIONS)))
def test_the_same_seed_makes_the_same_change(text: str, seed: int, name: str) -> None:
    assert changed(name, text, seed) == changed(name, text, seed)


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.integers(0, 9))
def test_typos_are_few_and_spare_what_is_no_letter(text: str, seed: int) -> None:
    slipped = changed("typos", text, seed)
    assert abs(len(slipped) - len(text)) <= max(1, len(text) // SLIP_EVERY)
    assert [c for c in slipped if c in " .,!5"] == [c for c in text if c in " .,!5"]
    assert set(slipped) <= set(text)


@pytest.mark.parametrize("text", ["The bank collapsed on Monday", "Банк рухнул", "银行倒闭了", "बैंक डूबा"])
def test_typos_change_words_in_any_script(text: str) -> None:
    assert changed("typos", text) != text


def test_a_text_without_a_place_for_a_slip_stays() -> None:
    assert changed("typos", "a 5 b.") == "a 5 b."


def test_first_letters_stay() -> None:
    for seed in range(30):
        assert [word[0] for word in changed("typos", "bank crashed again", seed).split()] == ["b", "c", "a"]


def test_capitals() -> None:
    assert changed("all capitals", "Straße, банк") == "STRASSE, БАНК"
    assert changed("all small letters", "USA: Банк") == "usa: банк"
    assert changed("all capitals", "银行倒闭") == "银行倒闭"


def test_additions_leave_the_text_whole() -> None:
    emoji = changed("neutral emoji", "Good day")
    first, *_, last = emoji.split(" ")
    assert "Good day" in emoji
    assert first != last
    assert {first, last} <= set(NEUTRAL_EMOJI)
    assert changed("mention and address, as the service passes them", "Good day") == "@user Good day http"
    raw = changed("mention and address, raw", "Good day")
    assert " Good day https://t.co/" in raw
    assert raw.startswith("RT @")
