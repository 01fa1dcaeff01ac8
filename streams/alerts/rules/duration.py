"""Durations as people write them: ``90s``, ``15m``, ``3h``, ``2d``, ``4w``, ``1h30m``, or ISO 8601 (``PT3H``)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, TypeAdapter, ValidationError, WithJsonSchema

from streams.alerts.rules.faults import fault

__all__ = ["LONGEST", "Duration", "parse_duration", "write_duration"]

LONGEST = timedelta(days=400)
"""No duration of a rule is longer: the state that it asks for would be."""

_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_SHORT = re.compile(r"(?:[0-9]{1,9}[smhdw])+")
_PART = re.compile(r"([0-9]+)([smhdw])")
_ISO = TypeAdapter(timedelta)
_AT_MOST = f"at most {LONGEST.days}d"
_EXAMPLES = "write for example 90s, 15m, 3h, 1h30m, 2d, 4w, or PT3H"


def parse_duration(value: object) -> timedelta:
    """`value` as a timedelta: one already, or text of the short form or of ISO 8601. A number without unit is refused.

    Raises:
        PydanticCustomError: it is none, or longer than `LONGEST`.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, (int, float)):
        raise fault(f"{value} has no unit", _EXAMPLES)
    if not isinstance(value, str):
        raise fault("is not a duration", _EXAMPLES)
    if _SHORT.fullmatch(value):
        seconds = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(value))
        # Before it becomes a timedelta, which cannot hold every number.
        if seconds > LONGEST.total_seconds():
            raise fault(f"{value} is too long", _AT_MOST)
        return timedelta(seconds=seconds)
    if not value.lstrip("+-").startswith("P"):
        raise fault(f"{value[:40]!r} is not a duration", _EXAMPLES)
    try:
        return _ISO.validate_python(value)
    except ValidationError as error:
        raise fault(f"{value[:40]!r} is not a duration", _EXAMPLES) from error


def write_duration(value: timedelta) -> str:
    """The short form, in the largest units that fit: ``1d12h``; ``0s`` for nothing. Parts of a second are dropped."""
    rest = int(value.total_seconds())
    parts = []
    for unit, seconds in _UNITS.items():
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _within(value: timedelta) -> timedelta:
    if value < timedelta(0):
        raise fault("is negative", _EXAMPLES)
    if value > LONGEST:
        raise fault(f"{write_duration(value)} is too long", _AT_MOST)
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    AfterValidator(_within),
    PlainSerializer(write_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^(([0-9]+[smhdw])+|P.+)$", "examples": ["15m", "3h", "1h30m", "7d", "PT3H"]}),
]
"""A span of time in [0, `LONGEST`]."""
