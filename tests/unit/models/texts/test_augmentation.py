from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from models.data import Example
from models.texts.augmentation import augmented
from models.texts.mixture import Lesson

TEXTS = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), max_size=12)


def lessons(texts: list[str]) -> list[Lesson]:
    answer = Example("", "en", "umsab", "train", "sentiment", (0,), (0, 1, 2))
    return [Lesson(text, "en", "umsab", {"sentiment": answer}) for text in texts]


@settings(max_examples=30)
@given(texts=TEXTS, seed=st.text(max_size=3))
def test_only_texts_change_and_the_same_seed_changes_the_same(texts: list[str], seed: str) -> None:
    given_ones = lessons(texts)
    assert augmented(given_ones, 0.0, seed) == given_ones
    changed = augmented(given_ones, 1.0, seed)
    assert changed == augmented(given_ones, 1.0, seed)
    assert [(one.lang, one.source, one.answers) for one in changed] == [(one.lang, one.source, one.answers) for one in given_ones]
    for one in changed:
        one.text.encode("utf-8")


def test_about_the_share_is_changed() -> None:
    before = lessons(["The bank said that its profit had fallen by a third in March."] * 400)
    after = augmented(before, 0.25, "7")
    changed = sum(one.text != other.text for one, other in zip(before, after, strict=True))
    assert 60 < changed < 140
    assert len({one.text for one in after}) > 25, "not one change alone"
