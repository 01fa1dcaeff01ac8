"""Words of a headline, in any script: what is compared when an alert says which words moved."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from streams.enrich.cleaning import plain

__all__ = ["MAX_WORDS", "words"]

MAX_WORDS = 40
"""Words of one headline that are looked at."""

_REACH = 400


def _ranges(codes: Iterable[int]) -> str:
    """A character class of `codes` (ascending), as ranges."""
    spans: list[list[int]] = []
    for code in codes:
        if spans and code == spans[-1][1] + 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in spans)


# Python's \w knows letters and digits and not the marks with which Indic, Arabic and Hebrew words are written.
_MARK_BLOCKS = (range(0x300, 0x3100), range(0xA600, 0xAC00), range(0xFB00, 0xFE30), range(0x10000, 0x12000), range(0x1E000, 0x1E900))
_MARKS = _ranges(code for block in _MARK_BLOCKS for code in block if unicodedata.category(chr(code)) in {"Mn", "Mc"})
# Thai to Lao, Myanmar, Khmer, kana, Han: scripts that set no blanks between words.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(f"[{_UNSPACED}]+")
_CLUSTER = re.compile(f"[^\\W\\d_{_MARKS}][{_MARKS}]*|[{_MARKS}]+")
_ASCII_WORD = re.compile(r"[a-z][a-z0-9]*(?:['&.-][a-z0-9]+)*")
_WORD = re.compile(f"[^\\W\\d_](?:[^\\W_]|[{_MARKS}\u200c\u200d]|['’&.·־-](?=[^\\W_]))*")


def words(title: str) -> list[str]:
    """The distinct words of `title`, in lower case and in order of their first place; at most `MAX_WORDS`.

    Addresses, mentions and numbers are left out, and so are single letters. Where a script sets no blanks between words, every
    pair of neighbouring characters (with their marks) is a word.
    """
    text = plain(title[:_REACH])
    if text.isascii():
        found = _ASCII_WORD.findall(text.lower())
    else:
        text = unicodedata.normalize("NFKC", text).lower()
        found = []
        rest = 0
        for run in _RUN.finditer(text):
            found += _WORD.findall(text[rest : run.start()])
            found += _pairs(run.group())
            rest = run.end()
        found += _WORD.findall(text[rest:])
    return [word for word in dict.fromkeys(found) if len(word) > 1][:MAX_WORDS]


def _pairs(run: str) -> list[str]:
    clusters = _CLUSTER.findall(run)
    return [first + second for first, second in pairwise(clusters)]
