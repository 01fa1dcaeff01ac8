"""Words and phrases in many scripts: where they stand, and where they only seem to."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.rules.terms import TermFinder, fold_term, fold_text


def stands(term: str, text: str, title: str = "") -> bool:
    return bool(TermFinder([fold_term(term)]).find(title, text))


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("bank run", "A BANK RUN began on Friday"),
        ("bank run", "the bank\n  run, so far"),
        ("bank run", "“Bank run!”"),
        ("run", "bank-run"),
        ("bank", "the bank's depositors"),
        ("withdraw*", "customers were withdrawing cash"),
        ("withdraw*", "withdraw"),
        ("straße", "STRASSE gesperrt"),
        ("café", "cafe\u0301 closed"),
        ("insolvenz", "Insol\u00advenz droht"),
        ("ｂａｎｋ", "bank"),
        ("кассовый разрыв", "КАССОВЫЙ РАЗРЫВ"),
        ("банкрот*", "признан банкротом"),
        ("еще", "Ещё один"),
        ("挤兑", "多地出现银行挤兑潮"),
        ("取り付け騒ぎ", "銀行で取り付け騒ぎが起きた"),
        ("リコール", "大規模リコールを発表"),
        ("แห่ถอนเงิน", "ลูกค้าแห่ถอนเงินจากธนาคาร"),
        ("뱅크런", "뱅크런이 시작됐다"),
        ("البنك", "والبنك المركزي"),
        ("بنك", "بالبنك"),
        ("הבנק", "והבנק נסגר"),
        ("ilginç", "İLGİNÇ haber"),
        ("5g", "在5G手机上"),
        ("бank", "БANK"),
    ],
)
def test_a_term_is_found(term: str, text: str) -> None:
    assert stands(term, text)
    assert stands(term, "", title=text)


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("bank run", "a blood bank runs short"),
        ("run", "brunt"),
        ("run", "run_time"),
        ("bank", "embankment"),
        ("withdraw", "withdrawing"),
        ("draw*", "withdraw"),
        ("банк", "банкет"),
        ("банк", "собанк"),
        ("뱅크런", "노뱅크런"),
        ("بنك", "ابنكو"),
        ("2008", "12008"),
        ("挤兑", "拥挤地兑换"),
        ("bank", ""),
    ],
)
def test_a_part_of_another_word_is_not_the_term(term: str, text: str) -> None:
    assert not stands(term, text)


def test_a_phrase_does_not_reach_from_the_title_into_the_text() -> None:
    assert not stands("bank run", "run on it", title="The bank")
    assert stands("run on it", "run on it", title="The bank")


def test_terms_that_overlap_are_all_found_and_equal_ones_too() -> None:
    finder = TermFinder([fold_term(term) for term in ("bank", "bank run", "run", "BANK", "bank*", "queue")])
    assert finder.find("", "bank run") == {0, 1, 2, 3, 4}
    assert finder.find("", "banks") == {4}


def test_without_terms_nothing_is_found() -> None:
    assert TermFinder([]).find("a", "b") == frozenset()


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_folding_again_changes_nothing(text: str) -> None:
    once = fold_text(text)
    assert fold_text(once) == once
    assert fold_text(unicodedata.normalize("NFD", text)) == fold_text(unicodedata.normalize("NFC", text))


@settings(max_examples=100, deadline=None)
@given(st.text("abc XYZßéш银ก", min_size=1, max_size=8), st.text(max_size=10), st.text(max_size=10))
def test_a_term_between_spaces_is_always_found(term: str, before: str, after: str) -> None:
    folded = fold_term(term)
    if folded.surface:
        assert stands(term, f"{before} {term} {after}")
