"""One code for one language: what labels of models and data sets, and the tags that senders use, are called here."""

from __future__ import annotations

__all__ = ["CANONICAL", "canonical_code", "weight"]

CANONICAL: dict[str, str] = {
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
    "aka": "tw",
    "ak": "tw",
    "arq": "ar",
    "ary": "ar",
    "kmr": "ku",
    "prs": "fa",
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
"""Codes that stand for another: varieties that a reader of the standard language reads, and that no model can tell from it in a
headline, count as the standard language."""

_UNCOMMON = frozenset(
    (  # noqa: SIM905
        "af ast ba be bho bo ceb ckb cy eo fo fy ga gd gl gn gsw ht ilo is jv ku ky la lb ln lg mai mg mi min mt ny nn "
        "nso oc om ps qu rn rw sa sc sd sm sn so st su sw tg ti tk tl tn ts tt tw ug war wo xh yi yo zu"
    ).split()
)
_COMMON = frozenset(
    (  # noqa: SIM905
        "am ar az bg bn ca cs da de el en es et eu fa fi fr gu ha he hi hr hu hy id ig it ja ka kk km kn ko lt lv mk ml "
        "mn mr ms my ne nl no pa pl pt ro ru si sk sl sq sr sv sw ta te th tl tr uk ur uz vi yo zh"
    ).split()
)


def canonical_code(code: str) -> str:
    """The code that we use for a label of the model or a sender's tag (``pt-BR`` -> ``pt``, ``arz`` -> ``ar``, ``iw`` -> ``he``)."""
    primary = code.strip().lower().replace("_", "-").split("-", 1)[0].strip()
    return CANONICAL.get(primary, primary)


def weight(code: str, script: str = "", brief: bool = False) -> float:
    """How common a language is in news and social text, against the common ones (1): a prior for what a text may be in.

    The models learned from Wikipedias and from parallel sentences, where a small language has as many sentences as a big one.
    Chosen on dev rows, in coarse steps: 1 and more for the common ones.

    Args:
        code: a canonical code.
        script: the script of the text; Hindi in Latin letters is rarer than in its own.
        brief: of two or three words, which a small language shares with the big one beside it.
    """
    if brief and code in _BESIDE:
        return 0.1
    if script == "LATIN" and code in _ROMANISED:
        return 0.15
    return _WEIGHTS.get(code, 0.05)


_ROMANISED = frozenset({"ar", "hi", "ml", "ta"})
_BESIDE = frozenset({"ast", "oc", "sc"})
_WEIGHTS = (
    dict.fromkeys(_UNCOMMON, 0.3)
    | dict.fromkeys(_COMMON, 1.0)
    | dict.fromkeys(["cs", "da", "el", "fi", "he", "hu", "nl", "no", "pl", "ro", "uk", "vi"], 2.5)
    | dict.fromkeys(["ar", "de", "es", "fr", "id", "it", "pt", "ru", "tr"], 6.0)
    # Hindi and Tibetan against neighbours that write the same words; Bosnian against Croatian.
    | {"en": 10.0, "hi": 12.0, "fa": 4.0, "sv": 4.0, "bo": 2.0, "bs": 0.2}
)
