"""Phrases of which sentences are made: counts, lengths and spans of time, names.

Names stand in texts of another direction than their own: what is written from right to left is isolated (Unicode Standard
Annex 9, U+2068 and U+2069), so that the numbers beside it keep their places.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

__all__ = ["between", "counted", "instant", "isolated", "length", "listing", "number"]

_LISTED = 6
_NAME = 120
_STEERING = re.compile("[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
_FROM_THE_RIGHT = {"R", "AL", "AN"}


def counted(amount: float, noun: str) -> str:
    """``1 document``, ``12 documents``; weighted counts are rounded."""
    whole = round(amount)
    return f"{whole:,} {noun}{'' if whole == 1 else 's'}"


def number(value: float) -> str:
    """A count for people: whole from ten on, one decimal below."""
    return f"{value:,.0f}" if abs(value) >= 10 or value == round(value) else f"{value:.1f}".removesuffix(".0")


def length(minutes: int) -> str:
    """A length of time in its largest whole unit, singular or plural: ``7 days``, ``hour``, ``90 minutes``."""
    for unit, size in (("day", 1440), ("hour", 60), ("minute", 1)):
        if minutes >= size and (minutes % size == 0 or minutes >= 3 * size):
            amount = round(minutes / size)
            return unit if amount == 1 else f"{amount} {unit}s"
    return "moment"


def listing(names: Sequence[str]) -> str:
    """The first few of `names`, isolated; an ellipsis stands for the rest."""
    return ", ".join(isolated(name) for name in names[:_LISTED]) + (", …" if len(names) > _LISTED else "")


def isolated(name: str) -> str:
    """`name` in one line without steering characters, isolated where some of it is written from right to left."""
    clean = " ".join(_STEERING.sub(" ", name).split())
    if len(clean) > _NAME:
        clean = clean[: _NAME - 1] + "…"
    return f"\u2068{clean}\u2069" if any(unicodedata.bidirectional(character) in _FROM_THE_RIGHT for character in clean) else clean


def between(start: datetime, end: datetime) -> str:
    """``between 2026-03-30 12:00 and 15:00 UTC``; the second date stands there where it is another day."""
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    return f"between {first:%Y-%m-%d %H:%M} and {last:{'%H:%M' if first.date() == last.date() else '%Y-%m-%d %H:%M'}} UTC"


def instant(minute: int) -> datetime:
    """The moment at which a minute since 1970-01-01 UTC begins."""
    return datetime.fromtimestamp(minute * 60, UTC)
