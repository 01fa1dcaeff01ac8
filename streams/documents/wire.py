"""What all wire models share: frozen, strict about unknown fields, and honest about text."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

__all__ = ["SURROGATE", "Instant", "Lenient", "Probability", "Short", "Text", "Wire", "replace_surrogates"]

SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character: no encoding has it."""


class Wire(BaseModel):
    """A frozen record; fields that we do not know are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Lenient(Wire):
    """Input from outside: fields that we do not know are ignored, not refused."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)


def _clean_string(value: object) -> object:
    if isinstance(value, str):
        if SURROGATE.search(value):
            raise ValueError("lone surrogate: not text in any encoding")
        if "\x00" in value:
            raise ValueError("NUL character")
    return value


def _only_text(value: object) -> object:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool) and _is_number(value):
        # Seconds or milliseconds? pydantic would guess, from a string as well.
        raise ValueError("a number is not a time; send ISO 8601 with a zone")
    return value


def _is_number(value: float | str) -> bool:
    try:
        float(value)
    except OverflowError:
        return True
    except ValueError:
        return False
    return True


def replace_surrogates(value: object) -> object:
    """`value` with lone surrogates replaced, if it is a string: for text of our own making that quotes others."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_clean_string)]
Short = Annotated[str, BeforeValidator(_clean_string), Field(max_length=512)]
Instant = Annotated[AwareDatetime, BeforeValidator(_only_text)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
