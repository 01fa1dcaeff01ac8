from __future__ import annotations

from models.data import Example, sources
from models.mislabelled import MISLABELLED, trusted


def example(source: str, lang: str) -> Example:
    return Example("a text", lang, source, "train", "sentiment", (0,), (0, 1, 2))


def test_rows_of_a_set_and_language_that_are_wrong_are_not_trusted_and_their_neighbours_are() -> None:
    assert not trusted(example("umsab", "hi"))
    assert trusted(example("umsab", "ar"))
    assert trusted(example("sib200", "hi"))


def test_every_entry_names_a_set_that_there_is_and_says_why() -> None:
    for (source, _), why in MISLABELLED.items():
        assert source in sources()
        assert len(why) > 40
