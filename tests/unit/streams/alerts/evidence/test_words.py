"""Words of headlines in any script."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.evidence.words import MAX_WORDS, bare, overlap, whole, words


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Depositors queue at the bank's 12 branches", ["depositors", "queue", "at", "the", "bank", "branches"]),
        ("See https://x.example/run?a=b via @minister #BankRun 5.0bn", ["see", "via", "bankrun"]),
        ("l’État, Škoda & T-Mobile: G20", ["l’état", "škoda", "t-mobile", "g20"]),
        ("काल्ड्रावा बैंक में भीड़", ["काल्ड्रावा", "बैंक", "में", "भीड़"]),
        ("بنك كالدرافا يواجه سحبا", ["بنك", "كالدرافا", "يواجه", "سحبا"]),
        ("کتاب‌ها می‌روند", ["کتاب\u200cها", "می\u200cروند"]),
        ("银行挤兑", ["银行", "行挤", "挤兑"]),
        ("カルドラ銀行 ATM停止", ["カル", "ルド", "ドラ", "ラ銀", "銀行", "atm", "停止"]),
        ("ถูกถอน", ["ถูก", "กถ", "ถอ", "อน"]),
        ("ＡＴＭ ﬁnance", ["atm", "finance"]),
        ("run run RUN", ["run"]),
        ("1234 ٣٤٥ 😀 — …", []),
        ("", []),
    ],
)
def test_words_of_every_script(title: str, expected: list[str]) -> None:
    assert words(title) == expected


@settings(max_examples=150)
@given(st.text(max_size=600))
def test_no_text_breaks_it(title: str) -> None:
    found = words(title)
    assert len(found) == len(set(found)) <= MAX_WORDS
    assert all(len(word) > 1 and any(map(str.isalpha, word)) for word in found)
    assert not any(character.isspace() for word in found for character in word)


@settings(max_examples=100)
@given(st.lists(st.text("银行遭挤兑储户取款 カ", max_size=12), max_size=6))
def test_a_word_that_was_made_whole_stands_wherever_its_pair_did(titles: list[str]) -> None:
    texts = [bare(title) for title in titles]
    for pair in {word for title in titles for word in words(title)}:
        grown = whole(pair, texts)
        assert pair in grown
        assert [pair in text for text in texts] == [grown in text for text in texts]


def test_pairs_grow_to_the_word_that_all_headlines_share() -> None:
    titles = ["储户挤兑银行", "银行遭储户挤兑。", "储户挤兑!"]
    assert whole("户挤", titles) == "储户挤兑"
    assert whole("银行", titles) == "银行"
    assert whole("queue", ["queue here", "queue here"]) == "queue"
    assert overlap("储户挤兑", "户挤兑银")
    assert not overlap("queue", "queues")
