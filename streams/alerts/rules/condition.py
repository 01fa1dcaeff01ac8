"""What a rule watches: values of a document's fields, words of its text, and boolean combinations of these."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator

from streams.alerts.rules.faults import fault
from streams.alerts.rules.terms import fold_term

__all__ = ["DIMENSIONS", "FIELDS", "Condition", "Dimension"]

Dimension = Literal["entity", "topic", "language", "source", "tag"]
DIMENSIONS: tuple[Dimension, ...] = ("entity", "topic", "language", "source", "tag")
FIELDS = ("entity", "topic", "language", "source", "author", "tag", "terms")
"""Fields of a condition that look at the document itself."""

_LANGUAGE = re.compile(r"[a-z]{2,3}")


def _one_is_a_list(value: Any) -> Any:
    return (value,) if isinstance(value, (str, dict)) else value


Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]
Words = Annotated[tuple[Word, ...], BeforeValidator(_one_is_a_list, json_schema_input_type=str | list[str]), Field(min_length=1)]


class Condition(BaseModel):
    """What a rule watches. All fields that are given must match; within a field any of its values suffices.

    `all`, `any` and `not` combine conditions. An empty condition matches everything. One value may stand without a list.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True)

    entity: Words | None = None
    """Ids of the gazetteer that the document must name, for example `deutsche-bank`."""
    topic: Words | None = None
    """Its most probable topic, a top-level name of the IPTC Media Topics."""
    language: Words | None = None
    """Its language, an ISO 639 code such as `de`."""
    source: Words | None = None
    """Who published it, exactly as the documents have it."""
    author: Words | None = None
    """Who wrote it, exactly as the documents have it."""
    tag: Words | None = None
    """A tag that it carries; case does not matter."""
    terms: Words | None = None
    """Words or phrases of title and text; case does not matter, `withdraw*` stands for any ending."""
    all: Annotated[tuple[Condition, ...], BeforeValidator(_one_is_a_list)] = ()
    """Conditions that must all match."""
    any: Annotated[tuple[Condition, ...], BeforeValidator(_one_is_a_list)] = ()
    """Conditions of which at least one must match."""
    none: Annotated[tuple[Condition, ...], BeforeValidator(_one_is_a_list), Field(alias="not")] = ()
    """Conditions of which none may match."""

    @field_validator("language")
    @classmethod
    def _code(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for place, code in enumerate(value or ()):
            if not _LANGUAGE.fullmatch(code):
                raise fault(f"{code!r} is no language code", "two or three lower-case letters of ISO 639, for example de, zh, fil", place)
        return value

    @field_validator("terms")
    @classmethod
    def _findable(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for place, term in enumerate(value or ()):
            surface = fold_term(term).surface
            if not any(character.isalnum() for character in surface):
                raise fault(f"{term!r} has no letter or digit", "a word or phrase, for example bank run", place)
            if "*" in surface:
                raise fault(f"{term!r} has an asterisk within it", "it may stand at the end only, for any ending: withdraw*", place)
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        for name, children in (("all", self.all), ("any", self.any), ("not", self.none)):
            for place, child in enumerate(children):
                if child.empty:
                    raise fault("an empty condition matches everything", "give it a field, or leave it out", name, place)
        return self

    @property
    def empty(self) -> bool:
        """Whether it matches every document."""
        return not (self.all or self.any or self.none or [name for name in FIELDS if getattr(self, name) is not None])
