from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.enrich.language_codes import CANONICAL, canonical_code, weight


@pytest.mark.parametrize(
    ("tag", "code"), [("pt-BR", "pt"), ("zh_Hant", "zh"), ("prs", "fa"), ("aka", "tw"), (" EN ", "en"), ("ckb", "ckb"), ("", "")]
)
def test_codes(tag: str, code: str) -> None:
    assert canonical_code(tag) == code


def test_no_code_stands_for_one_that_stands_for_another() -> None:
    assert not set(CANONICAL) & set(CANONICAL.values())


@given(st.text(max_size=12))
@example("en -GB")
@example("0\r-")
def test_a_canonical_code_is_its_own(tag: str) -> None:
    assert canonical_code(canonical_code(tag)) == canonical_code(tag)


def test_common_languages_weigh_more_than_rare_ones() -> None:
    assert weight("en") > weight("fr") > weight("ha") > weight("lb") > weight("scn") == weight("no language") > 0


def test_hindi_in_latin_letters_is_rarer_than_in_its_own() -> None:
    assert weight("hi", "LATIN") < 1 < weight("hi", "DEVANAGARI") == weight("hi")
    assert weight("id", "LATIN") == weight("id")
