"""The words of a text in any script, as positions, so that each can be taken out.

Letters, marks and digits that stand together are a word, with the apostrophes, points and hyphens inside it, its currency, its sign and
its per cent (after Unicode Standard Annex 29). Runs of emoji, of symbols and of ``!`` and ``?`` are words too, for they carry tone; other
punctuation is none. Scripts without blanks are cut where the model's own tokenizer cuts, never between a letter and its marks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from itertools import groupby
from typing import TypeAlias

__all__ = ["Span", "segment"]

#: Start and end of a word, in characters.
Span: TypeAlias = tuple[int, int]

#: Characters of one piece where no token is known to end.
CHUNK = 4

# Han, kana, Thai, Lao, Tibetan, Myanmar, Khmer, Tai Lue, Tai Tham, Balinese, Javanese.
_UNSPACED = re.compile(
    "[\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1980-\u19df\u1a20-\u1aaf\u1b00-\u1b7f\ua980-\ua9df\ua9e0-\ua9ff\uaa60-\uaa7f]"
)
_IDEOGRAPHS = re.compile(
    "[\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
_WHOLE = re.compile(r"(?:https?://|www\.)\S+|[@#＠＃]\w[\w.]*", re.IGNORECASE)
_INNER = frozenset("'’ʼ.,:-‐‑·_&")
_AFTER = frozenset("%‰٪％")
_TONE = frozenset("!?！？؟‼⁉")
_CLOSING = ".,:;!?)]}\"'»”’、。，؛،।"

_WORD, _RUN, _SYMBOL, _NONE = "word", "run", "symbol", ""


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] in "LMN":
        return _RUN if _UNSPACED.match(character) else _WORD
    return _SYMBOL if category[0] == "S" or character in _TONE else _NONE


def _kinds(chunk: str) -> list[str]:
    """What each character of a chunk without blanks belongs to."""
    kinds: list[str] = []
    for index, character in enumerate(chunk):
        kind, before = _kind(character), kinds[-1] if kinds else _NONE
        after = _kind(chunk[index + 1]) if index + 1 < len(chunk) else _NONE
        # Marks, joiners and variation selectors belong to what they follow.
        follows = unicodedata.category(character) in {"Mn", "Mc", "Me", "Cf"}
        inner = character in _INNER and before == after == _WORD
        if (follows and before) or inner or (character in _AFTER and before == _WORD):
            kind = before
        elif after == _WORD and before != _WORD and (unicodedata.category(character) == "Sc" or _is_sign(character, chunk[index + 1])):
            kind = _WORD
        kinds.append(kind)
    return kinds


def _is_sign(character: str, after: str) -> bool:
    return character in "+-−–±" and after.isdigit()


def _leans(character: str) -> bool:
    """Whether a character stands on the one before it: a mark, or the Thai and Lao vowel AM (Unicode calls it a letter)."""
    return character in "\u0e33\u0eb3" or unicodedata.category(character)[0] == "M"


def _pieces(run: str, ends: Collection[int]) -> Iterator[Span]:
    """Pieces of a run, whole to the last character, of ``CHUNK`` letters after the last of ``ends``."""
    known = max(ends, default=0)
    start = 0
    for end in (*sorted(ends), *range(known + CHUNK, len(run), CHUNK), len(run)):
        while end < len(run) and _leans(run[end]):
            end += 1
        if end > start:
            yield start, end
            start = end


def _joined(run: str, pieces: list[Span]) -> Iterator[Span]:
    """The pieces, but that a lone letter, which is hardly a word, goes with the next one: in Chinese and Japanese with another lone one."""
    at = 0
    while at < len(pieces):
        start, end = pieces[at]
        at += 1
        if at < len(pieces) and _lone(run[start:end]) and (not _IDEOGRAPHS.match(run[start]) or _lone(run[slice(*pieces[at])])):
            end = pieces[at][1]
            at += 1
        yield start, end


def _lone(piece: str) -> bool:
    return sum(not _leans(character) for character in piece) == 1


def segment(text: str, ends: Collection[int] = ()) -> list[Span]:
    """Spans of the words of ``text``, in order, none empty, none overlapping, none touching a blank.

    Args:
        ends: where the tokens of the model end in ``text``, in characters; scripts without blanks are cut there.
    """
    spans: list[Span] = []
    for match in re.finditer(r"\S+", text):
        chunk, at = match.group(), match.start()
        whole = _WHOLE.match(chunk)
        if whole is not None:
            named = whole.group().rstrip(_CLOSING)
            spans.append((at, at + len(named)))
            chunk, at = chunk[len(named) :], at + len(named)
        position = at
        for kind, group in groupby(_kinds(chunk)):
            end = position + sum(1 for _ in group)
            if kind == _RUN:
                run = text[position:end]
                inside = {stop - position for stop in ends if position < stop <= end}
                spans.extend((position + start, position + stop) for start, stop in _joined(run, list(_pieces(run, inside))))
            elif kind:
                spans.append((position, end))
            position = end
    return spans
