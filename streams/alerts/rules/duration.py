"""Durations as people write them: ``90s``, ``15m``, ``3h``, ``2d``, ``4w``, ``1h30m``, or ISO 8601 (``PT3H``)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

__all__ = ["Duration", "parse_duration"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SHORT = re.compile(r"(?:\d+[smhdw])+")
_PART = re.compile(r"(\d+)([smhdw])")


def parse_duration(value: object) -> object:
    """`value` as a timedelta where it is of the short form; anything else is left to pydantic."""
    if isinstance(value, str) and _SHORT.fullmatch(value):
        return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(value)))
    return value


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
