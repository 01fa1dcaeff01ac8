"""Words of a headline, in any script: what is compared when an alert says which words moved."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise

from streams.enrich.cleaning import plain

__all__ = ["MAX_WORDS", "bare", "overlap", "whole", "words"]

MAX_WORDS = 40
"""Words of one headline that are looked at."""

_REACH = 400
_LONGEST = 8


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
_ASCII_WORD = re.compile(r"(?<![a-z0-9])[a-z][a-z0-9]*(?:['&.-][a-z0-9]+)*")
_WORD = re.compile(f"(?<![^\\W_])[^\\W\\d_](?:[^\\W_]|[{_MARKS}\u200c\u200d]|['’&.·־-](?=[^\\W_]))*")


def words(title: str) -> list[str]:
    """The distinct words of `title`, in lower case and in order of their first place; at most `MAX_WORDS`.

    Addresses, mentions and numbers are left out, and so are single letters. Where a script sets no blanks between words, every
    pair of neighbouring characters (with their marks) is a word.
    """
    text = bare(title)
    if text.isascii():
        found = _ASCII_WORD.findall(text)
    else:
        found = []
        rest = 0
        for run in _RUN.finditer(text):
            found += _WORD.findall(text[rest : run.start()])
            found += _pairs(run.group())
            rest = run.end()
        found += _WORD.findall(text[rest:])
    return [word for word in dict.fromkeys(map(_stem, found)) if len(word) > 1][:MAX_WORDS]


def bare(title: str) -> str:
    """The begin of `title` without addresses and mentions, in lower case and compatibility form (NFKC)."""
    text = plain(title[:_REACH])
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).lower()


def whole(pair: str, titles: Sequence[str]) -> str:
    """The word of which `pair` is a part, where a script sets no blanks: as far as all `titles` that hold it go on alike.

    Args:
        pair: a word of `words`.
        titles: as `bare` gives them.
    """
    if not _RUN.fullmatch(pair):
        return pair
    holding = [title for title in titles if pair in title]
    if len(holding) < 2:
        return pair
    places = [(title, title.index(pair)) for title in holding]
    first, last = 0, len(pair)
    while (left := _shared([title[place + first - 1 : place + first] for title, place in places])) and last - first < _LONGEST:
        first, pair = first - 1, left + pair
    while (right := _shared([title[place + last : place + last + 1] for title, place in places])) and last - first < _LONGEST:
        last, pair = last + 1, pair + right
    return pair


def overlap(word: str, other: str) -> bool:
    """Whether two words of a script without blanks share a run of half of the shorter one: pairs of one phrase."""
    if word == other:
        return True
    if not (_RUN.fullmatch(word) and _RUN.fullmatch(other)):
        return False
    half = (min(len(word), len(other)) + 1) // 2
    return any(word[place : place + half] in other for place in range(len(word) - half + 1))


def _shared(characters: Sequence[str]) -> str:
    """The character that all begin with, of a script without blanks; empty where they differ."""
    first = characters[0]
    return first if first and _RUN.fullmatch(first) and all(character == first for character in characters) else ""


def _stem(word: str) -> str:
    """Without the English genitive: a bank's run is the bank's."""
    return word[:-2] if word.endswith(("'s", "’s")) else word


def _pairs(run: str) -> list[str]:
    clusters = _CLUSTER.findall(run)
    return [first + second for first, second in pairwise(clusters)]
