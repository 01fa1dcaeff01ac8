from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data import Example
from models.texts.sampling import choose, row_weights, training_limit


def rows(source: str, lang: str, count: int, label: int = 0, start: int = 0) -> list[Example]:
    return [
        Example(f"{source} {lang} {number}", lang, source, "train", "sentiment", (label,), (0, 1, 2))
        for number in range(start, start + count)
    ]


@given(st.integers(1, 30), st.permutations(range(20)))
def test_the_choice_does_not_depend_on_the_order(limit: int, order: list[int]) -> None:
    texts = rows("umsab", "en", 20)
    assert choose([texts[index] for index in order], lambda _s, _l: limit) == choose(texts, lambda _s, _l: limit)


def test_a_larger_limit_keeps_the_picks_of_a_smaller_one() -> None:
    texts = rows("umsab", "en", 50) + rows("umsab", "de", 50)
    small, large = (set(choose(texts, lambda _s, _l, limit=limit: limit)) for limit in (10, 25))
    assert small < large
    assert Counter(example.lang for example in small) == {"en": 10, "de": 10}


def test_languages_the_encoder_never_saw_get_a_tenth_and_shares_count() -> None:
    allowed = training_limit(500)
    assert allowed("umsab", "en") == 500
    assert allowed("afrisenti", "tw") == allowed("afrisenti", "ha") / 10
    assert allowed("sib200", "en") == 100
    assert allowed("sib200", "ace") >= 1


def test_domains_weigh_the_same_however_many_rows_they_have() -> None:
    texts = rows("sentfin", "en", 50, label=0) + rows("tweeteval_sentiment", "en", 1_000, label=0)
    weights = row_weights(texts, temperature=0.5, classes=1)
    assert weights[:50].sum() == pytest.approx(weights[50:].sum(), rel=1e-4)
    assert weights.mean() == pytest.approx(1.0, rel=1e-4)


def test_a_big_set_outweighs_a_small_one_by_less_than_its_size() -> None:
    texts = rows("potts_de", "de", 1_600) + rows("rusentitweet", "ru", 100)
    weights = row_weights(texts, temperature=0.5, classes=1)
    assert weights[:1_600].sum() / weights[1_600:].sum() == pytest.approx(4.0, rel=1e-4)


def test_rare_classes_gain_but_not_all_the_way() -> None:
    texts = rows("potts_de", "de", 900, label=0) + rows("potts_de", "de", 100, label=1, start=900)
    weights = row_weights(texts, temperature=0.5, classes=2)
    assert weights[900:].mean() / weights[:900].mean() == pytest.approx(np.sqrt(9.0), rel=1e-4)
