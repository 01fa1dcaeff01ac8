from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.enrich.ngrams import BUCKETS_LOG2, ngrams

WORDS = st.text(st.characters(codec="utf-8", exclude_characters=" "), min_size=1, max_size=40)


def test_every_ngram_of_one_to_five_characters_counts() -> None:
    # With its two edges "ab" has four characters: 4 + 3 + 2 + 1 n-grams, none of five.
    assert len(ngrams("ab")) == 10
    assert len(ngrams("abc")) == 5 + 4 + 3 + 2 + 1
    assert len(ngrams("")) == 0


def test_the_hash_is_the_same_on_every_machine() -> None:
    # The weights are an index of these numbers: another hash makes them noise.
    assert ngrams("és").tolist() == [6238, 35707, 45143, 6238, 128178, 70092, 90053, 5584, 42326, 57280]


def test_a_repeated_word_repeats_its_ngrams() -> None:
    once, twice = ngrams("bank"), ngrams("bank bank")
    assert not set(once.tolist()) - set(twice.tolist())
    assert (np.bincount(twice, minlength=1 << BUCKETS_LOG2)[np.unique(once)] >= 2).mean() > 0.7


@settings(max_examples=60)
@given(WORDS)
def test_buckets_lie_in_the_table(words: str) -> None:
    found = ngrams(words)
    length = len(words) + 2
    assert len(found) == sum(max(0, length - size + 1) for size in range(1, 6))
    assert 0 <= found.min() <= found.max() < 1 << BUCKETS_LOG2


@settings(max_examples=60)
@given(WORDS, WORDS)
def test_order_of_words_moves_only_the_ngrams_across_the_border(first: str, second: str) -> None:
    one, other = ngrams(f"{first} {second}"), ngrams(f"{second} {first}")
    assert len(one) == len(other)
    for word in (first, second):
        inside = ngrams(word)
        assert not set(inside.tolist()) - set(one.tolist())
        assert not set(inside.tolist()) - set(other.tolist())


def test_a_lone_surrogate_is_no_fault() -> None:
    assert len(ngrams("a\ud800b")) == 15
