"""The sentences of a short text in any script."""

from __future__ import annotations

import re

__all__ = ["sentences"]

_ENDS = re.compile(r"(?<=[.!?…؟۔।॥။።;])[\"'»”’)\]]*\s+|(?<=[。！？｡])|\s[|·•–—]\s|\n+")


def sentences(text: str) -> list[str]:
    """The pieces of `text` between full stops of any script, bars, bullets and dashes between blanks; none is empty."""
    return [piece for piece in (part.strip() for part in _ENDS.split(text)) if piece]
