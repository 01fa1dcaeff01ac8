"""Capitals that shout: a headline all in capitals says what it says in small letters, but a model reads it as another text."""

from __future__ import annotations

__all__ = ["unshouted"]

SHARE = 0.8
"""Of the letters that have a case; a headline in capitals keeps a few small ones (``McDONALD'S``, ``iPHONE``)."""
LETTERS = 12
"""Fewer are a name or an abbreviation."""
WORDS = 3
LONGEST = 6
"""Letters that one of the words must have: a row of tickers (``NVDA TSLA GOOGL``) keeps its capitals."""


def unshouted(text: str) -> str:
    """`text` in small letters after its first one, if it is all in capitals; else as it is. Scripts without case are never touched.

    The encoder's tokenizer keeps case, and has few whole words in capitals: ``PLUNGES`` falls into pieces that say nothing.
    """
    upper = sum(map(str.isupper, text))
    if upper < LETTERS:
        return text
    lower = sum(map(str.islower, text))
    words = [letters for word in text.split() if (letters := sum(map(str.isalpha, word)))]
    if upper < SHARE * (upper + lower) or len(words) < WORDS or max(words) < LONGEST:
        return text
    small = text.lower()
    first = next(place for place, character in enumerate(small) if character.isalpha())
    return small[:first] + small[first].upper() + small[first + 1 :]
