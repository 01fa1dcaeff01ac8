"""The part of a text that is about one of the companies it names, for sets whose label is toward a target.

The model scores a document; a text with several targets may have several answers. The clause that names the target is the simplest
reading of "toward": it tells apart targets with opposite fortunes, and loses what the rest of the sentence says (docs/calibration.md has
the figures).
"""

from __future__ import annotations

import re

__all__ = ["clause_of"]

_CUT = re.compile(
    r"(?<=[.!?;:。！？；])\s*|,\s+|\s+[-–—]\s+|\s+(?=(?:but|while|whereas|although|though|despite|even as|as|amid|after|and)\b)",
    re.IGNORECASE,
)
#: Words that a clause must have beside its target to say anything: shorter ones, as in a list of names, take the next clause too.
WORDS = 3


def clause_of(text: str, target: str) -> str:
    """The first clause of ``text`` that names ``target``, at least :data:`WORDS` words longer than it; all of it where none does."""
    parts = [part for part in _CUT.split(text) if part.strip()]
    wanted = target.casefold()
    first = next((index for index, part in enumerate(parts) if wanted in part.casefold()), None)
    if first is None:
        return text
    last = first + 1
    while last < len(parts) and len(" ".join(parts[first:last]).split()) < len(target.split()) + WORDS:
        last += 1
    return " ".join(parts[first:last])
