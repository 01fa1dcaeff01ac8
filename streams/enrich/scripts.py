"""The scripts of the world: which one a text is written in, and which languages are written in it."""

from __future__ import annotations

import unicodedata
from collections import Counter

__all__ = ["SCRIPTS_OF", "SOLE_LANGUAGE", "Script", "dominant_script", "script_of", "scripts_of"]

Script = str
"""A script's name as Unicode character names begin with it: ``LATIN``, ``CYRILLIC``, ``CJK``, …"""

_ALIASES = {
    "FULLWIDTH": "LATIN",
    "MATHEMATICAL": "LATIN",
    "MICRO": "LATIN",
    "FEMININE": "LATIN",
    "MASCULINE": "LATIN",
    "HALFWIDTH": "KATAKANA",
    "KATAKANA-HIRAGANA": "KATAKANA",
    "IDEOGRAPHIC": "CJK",
    "BOPOMOFO": "CJK",
    "KANGXI": "CJK",
    "OL": "OL CHIKI",
    "MODIFIER": "",
    "DOUBLE-STRUCK": "",
    "SCRIPT": "",
}


class _Scripts(dict[str, Script]):
    def __missing__(self, character: str) -> Script:
        script = ""
        if character.isalpha():
            first = unicodedata.name(character, "").split(" ", 1)[0]
            script = _ALIASES.get(first, first)
        self[character] = script
        return script


_SCRIPTS = _Scripts()

# A Han character or a Hangul syllable carries what two or three letters of an alphabet do.
_WEIGHTS = {"CJK": 3, "HANGUL": 3, "HIRAGANA": 2, "KATAKANA": 2}
_FOREIGN_SHARE = 0.2
_KANA_SHARE = 0.1


def script_of(character: str) -> Script:
    """The script of one character; empty if it is no letter or belongs to none."""
    return _SCRIPTS[character]


def scripts_of(text: str) -> Counter[Script]:
    """How many letters of each script `text` holds."""
    if text.isascii():
        letters = sum(map(str.isalpha, text))
        return Counter({"LATIN": letters}) if letters else Counter()
    counts = Counter(map(_SCRIPTS.__getitem__, text))
    del counts[""]
    return counts


def dominant_script(counts: Counter[Script]) -> tuple[Script, float]:
    """The script that a text is written in, and its share of the letters (0..1).

    Latin names, units and tickers stand in texts of every script: another script counts as the text's own from a fifth
    of the weighted letters on. Han with kana is ``KANA``, but one kana alone does not make a Chinese shop's name Japanese.
    Empty and 0 without letters.
    """
    weights: Counter[Script] = Counter()
    for script, count in counts.items():
        weights["CJK" if script in _EAST else script] += count * _WEIGHTS.get(script, 1)
    total = weights.total()
    if not total:
        return "", 0.0
    script = max(weights, key=lambda name: (name != "LATIN", weights[name], name))
    if weights[script] < _FOREIGN_SHARE * total:
        script = max(weights, key=lambda name: (weights[name], name))
    share = weights[script] / total
    if script == "CJK":
        kana = counts["HIRAGANA"] + counts["KATAKANA"]
        if kana >= 2 or kana > _KANA_SHARE * (kana + counts["CJK"]):
            script = "KANA"
    return script, share


_EAST = frozenset({"CJK", "HIRAGANA", "KATAKANA"})

SOLE_LANGUAGE: dict[Script, str] = {
    "HANGUL": "ko",
    "THAI": "th",
    "GREEK": "el",
    "ARMENIAN": "hy",
    "LAO": "lo",
    "KHMER": "km",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "ORIYA": "or",
    "THAANA": "dv",
    "OL CHIKI": "sat",
    "CHEROKEE": "chr",
    "NKO": "nqo",
    "YI": "iii",
    "TIFINAGH": "zgh",
    "CANADIAN": "iu",
    "KANA": "ja",
}
"""Scripts that decide: nearly every text in them is in this one language."""

_BY_SCRIPT: dict[Script, str] = {
    "CYRILLIC": "av az ba be bg bxr ce cv kk krc kv ky lez mhr mk mn mrj myv os ru rue sah sr tg tk tt tyv uk uz xal ab cu",
    "ARABIC": "ace ar arz azb az bjn ckb fa glk knc ks ku kk ky lrc min mzn pnb ps sd tg ug ur uz",
    "HEBREW": "he yi",
    "DEVANAGARI": "awa bh bho dty gom hi hne ks mag mai mr ne new sa sd",
    "BENGALI": "as bn bpy mni",
    "TIBETAN": "bo dz",
    "MYANMAR": "my mnw shn",
    "GEORGIAN": "ka xmf",
    "ETHIOPIC": "am ti",
    "MONGOLIAN": "mn",
    "SYRIAC": "syr arc",
    "CJK": "zh ja yue wuu",
}

_LATIN_TOO = frozenset({"ace", "az", "bjn", "knc", "min", "ku", "kk", "uz", "tk", "tt", "sr", "gom", "mn"})


def _scripts_of_languages() -> dict[str, frozenset[Script]]:
    found: dict[str, set[Script]] = {code: {"LATIN"} for code in _LATIN_TOO}
    for script, codes in (*_BY_SCRIPT.items(), *SOLE_LANGUAGE.items()):
        for code in codes.split():
            found.setdefault(code, set()).add(script)
    return {code: frozenset(scripts) for code, scripts in found.items()}


SCRIPTS_OF: dict[str, frozenset[Script]] = _scripts_of_languages()
"""Scripts in which a language is written; a language that is not here is written in Latin letters."""
