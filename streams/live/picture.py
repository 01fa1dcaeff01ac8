"""Screens as an SVG picture, in which every script stands as wide as it is written."""

from __future__ import annotations

import html
import io
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from rich.cells import cell_len
from rich.console import Console, RenderableType

__all__ = ["to_svg"]

_COLUMNS: Final = 126
_RUN: Final = re.compile(r'(<text [^>]*?) textLength="[^"]*"([^>]*>)([^<]*)(?=</text>)')


def to_svg(parts: Iterable[RenderableType], *, title: str) -> str:
    """The `parts` below each other on a terminal of 126 columns, as SVG.

    Rich gives each run of text the width of its letters at a column each. That squeezes Chinese, whose letters take two, stretches marks
    that take none, and pulls joined Arabic letters apart. Runs with such letters are left as wide as their font makes them.
    """
    canvas = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for part in parts:
        canvas.print(part)
    return _RUN.sub(
        lambda run: run[0] if _a_column_each(html.unescape(run[3])) else f"{run[1]}{run[2]}{run[3]}", canvas.export_svg(title=title)
    )


def _a_column_each(text: str) -> bool:
    """Whether every letter of `text` takes one column of a terminal and is written from left to right."""
    return cell_len(text) == len(text) and all(
        cell_len(letter) == 1 and unicodedata.bidirectional(letter) not in {"R", "AL"} for letter in text
    )
