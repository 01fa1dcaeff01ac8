"""Words and phrases in texts of any script: how they are compared, and where one begins and ends."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind

from streams.enrich.scripts import script_of

__all__ = ["Term", "TermFinder", "fold_term", "fold_text"]

# Scripts that put no space between words: a term may stand anywhere.
_UNSPACED = frozenset({"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"})
# Articles, conjunctions and prepositions that these scripts write together with the next word.
_PREFIXES = {
    "ARABIC": frozenset({"و", "ف", "ب", "ل", "ك", "ال", "وال", "بال", "فال", "كال", "لل", "ولل"}),
    "HEBREW": frozenset({"ו", "ה", "ב", "ל", "מ", "ש", "כ", "וה", "שה", "מה", "וב", "ול"}),
}
_LONGEST_PREFIX = 3
# What one writer distinguishes and the next does not, and what is invisible.
_ALIKE = {"ı": "i", "’": "'", "ʼ": "'", "أ": "ا", "إ": "ا", "آ": "ا", "ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه", "ё": "е"}
_ALIKE |= dict.fromkeys("\u00ad\u200b\u2060\ufeff", "")
_DISTINCT = re.compile("[" + "".join(_ALIKE) + "]")


class Term(NamedTuple):
    """A term as it is looked for: folded, and whether any ending may follow (it was written with ``*``)."""

    surface: str
    open_end: bool


def fold_text(text: str) -> str:
    """`text` as terms are compared: NFKC, case-folded, single spaces, without invisible characters and optional distinctions."""
    if text.isascii():
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFKC", text).casefold()
    # Case folding can leave the normal form, and the Turkish capital with a dot becomes an i with a dot above it.
    folded = unicodedata.normalize("NFKC", folded).replace("i\u0307", "i")
    return " ".join(_DISTINCT.sub(lambda found: _ALIKE[found.group()], folded).split())


def fold_term(term: str) -> Term:
    """Read a term of a rule."""
    surface = fold_text(term)
    open_end = surface.endswith("*")
    return Term(surface.rstrip("* ") if open_end else surface, open_end)


class TermFinder:
    """Finds which of many terms stand in a text, by one automaton over all (Aho & Corasick 1975).

    Args:
        terms: what to look for; a term's number is its place. The same term may stand there several times.
    """

    def __init__(self, terms: Iterable[Term]) -> None:
        places: dict[str, list[tuple[int, bool]]] = {}
        for number, term in enumerate(terms):
            places.setdefault(term.surface, []).append((number, term.open_end))
        self._places = list(places.values())
        self._automaton = AhoCorasick(list(places), matchkind=MatchKind.Standard) if places else None

    def find(self, title: str, text: str) -> frozenset[int]:
        """Numbers of the terms that stand in `title` or `text`. A phrase does not reach from one into the other."""
        if self._automaton is None:
            return frozenset()
        folded = f"{fold_text(title)}\n{fold_text(text)}"
        found: set[int] = set()
        for pattern, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            places = self._places[pattern]
            if all(number in found for number, _ in places) or not _begins(folded, start):
                continue
            ends = _ends(folded, end)
            found.update(number for number, open_end in places if open_end or ends)
        return frozenset(found)


@lru_cache(maxsize=65_536)
def _joins(inner: str, outer: str) -> bool:
    """Whether `outer` goes on with the word that `inner` belongs to."""
    if not outer.isalnum():
        return outer == "_" or unicodedata.category(outer)[0] == "M"
    if not inner.isalnum():
        return False
    first, second = script_of(inner), script_of(outer)
    if first in _UNSPACED or second in _UNSPACED:
        return False
    # A Latin name beside Hangul (LG전자) ends where the script changes; digits have no script and belong to both.
    return first == second or not first or not second


def _begins(text: str, start: int) -> bool:
    if start == 0 or not _joins(text[start], text[start - 1]):
        return True
    prefixes = _PREFIXES.get(script_of(text[start]))
    if prefixes is None:
        return False
    return any(
        text[start - length : start] in prefixes and (start == length or not _joins(text[start], text[start - length - 1]))
        for length in range(1, min(_LONGEST_PREFIX, start) + 1)
    )


def _ends(text: str, end: int) -> bool:
    if end == len(text) or not _joins(text[end - 1], text[end]):
        return True
    # Korean puts particles behind the noun without a space.
    return script_of(text[end - 1]) == "HANGUL"
