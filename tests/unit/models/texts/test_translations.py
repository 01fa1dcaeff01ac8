from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.data import Example
from models.texts.mixture import Lesson
from models.texts.translations import mine, mutual_nearest, translation_pairs

SENTENCES = 60


def lesson(language: str, number: int, label: int) -> Lesson:
    answer = Example("", language, "sib200", "train", "topic", (label,), tuple(range(12)))
    return Lesson(f"{language} {number}", language, "sib200", {"topic": answer})


def embed(lessons: Sequence[Lesson]) -> np.ndarray:
    """A meaning for each number, with the noise of its language."""
    meanings = np.random.default_rng(0).normal(size=(1_000, 48))
    rows = []
    for one in lessons:
        language, number = one.text.split()
        noise = np.random.default_rng([len(language), ord(language[0]), int(number)]).normal(size=48)
        rows.append(meanings[int(number)] + 0.5 * noise)
    return np.array(rows, np.float32)


def test_translations_are_found_in_any_order_and_strangers_are_left_out() -> None:
    order = np.random.default_rng(1).permutation(SENTENCES)
    groups = {
        ("sib200", "en"): [lesson("en", number, number % 3) for number in range(SENTENCES)],
        ("sib200", "de"): [lesson("de", int(number), int(number) % 3) for number in order],
        ("sib200", "fr"): [lesson("fr", number, number % 3) for number in range(500, 500 + SENTENCES)],
        ("other", "de"): [lesson("de", number, 0) for number in range(5)],
    }
    pairs, agreement = mine(groups, embed)
    german = [(left, right) for left, right in pairs if right.startswith("de")]
    assert len(german) > 0.9 * SENTENCES
    assert all(left.split()[1] == right.split()[1] for left, right in german)
    assert len(pairs) - len(german) < 0.2 * SENTENCES, "French has none of the English sentences"
    assert agreement > 0.8


def test_pairs_of_other_labels_are_no_pairs() -> None:
    groups = {("sib200", lang): [lesson(lang, number, int(lang == "de")) for number in range(20)] for lang in ("en", "de")}
    pairs, agreement = mine(groups, embed)
    assert (pairs, agreement) == ([], 0.0)


def test_nothing_is_nearest_to_nothing() -> None:
    assert mutual_nearest(np.zeros((0, 4), np.float32), np.ones((2, 4), np.float32)) == []
    assert mine({}, embed) == ([], 0.0)


def test_pairs_are_looked_for_once(tmp_path: Path) -> None:
    looked = []

    def find() -> list[tuple[str, str]]:
        looked.append(1)
        return [("growth", "成長")]

    for _ in range(2):
        assert translation_pairs(tmp_path / "translations.json", find) == [("growth", "成長")]
    assert looked == [1]
