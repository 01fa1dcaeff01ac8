"""Accuracy of language identification on real sentences, by length, with and without the script checks.

Floors lie a little under what was measured; the material is not part of the project.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path

import pytest

from streams.enrich.cleaning import clean, model_text
from streams.enrich.language import LanguageIdentifier, canonical_code

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "train" / "topic"
LANGUAGES = frozenset("en zh ja ko hi ru de fr es pt id tr vi it nl pl uk fa he th el fi cs ro hu bn ta te".split())  # noqa: SIM905
UNSPACED = frozenset({"zh", "ja", "th"})
EACH = 100

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")


@pytest.fixture(scope="module")
def sentences() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    files = sorted(DATA.glob("sib200*.jsonl.gz"))
    assert files
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                entry = json.loads(line)
                if entry["lang"] in LANGUAGES and len(found[entry["lang"]]) < EACH:
                    found[entry["lang"]].append(entry["text"])
    return found


def _cut(text: str, language: str, words: int | None) -> str:
    if words is None:
        return text
    return text[: 2 * words] if language in UNSPACED else " ".join(text.split()[:words])


@pytest.mark.parametrize(("words", "floor"), [(3, 0.88), (7, 0.97), (None, 0.99)])
def test_accuracy(sentences: dict[str, list[str]], words: int | None, floor: float) -> None:
    identifier = LanguageIdentifier(0.0)
    bare, ours = [], []
    for language, texts in sentences.items():
        shortened = [model_text("", clean(_cut(text, language, words))) for text in texts]
        labels = [identifier._model.predict(text, k=1)[0] for text in shortened]
        bare.append(sum(canonical_code(found[0].removeprefix("__label__")) == language for found in labels if found) / len(texts))
        ours.append(sum(identifier.identify(text).code == language for text in shortened) / len(texts))
    assert len(ours) == len(LANGUAGES)
    assert sum(ours) / len(ours) >= floor
    assert sum(ours) >= sum(bare) - 0.01 * len(ours)


def test_a_wrong_language_is_rarely_sure(sentences: dict[str, list[str]]) -> None:
    identifier = LanguageIdentifier()
    sure = wrong = 0
    for language, texts in sentences.items():
        for text in texts:
            found = identifier.identify(model_text("", clean(_cut(text, language, 3))))
            if found.confidence >= 0.8:
                sure += 1
                wrong += found.code != language
    assert sure > 1000
    assert wrong / sure < 0.05
