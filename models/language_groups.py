"""The table ``language_groups.toml``: which languages share a temperature."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from models.errors import ModelError

__all__ = ["OTHERS", "canonical", "group_of", "groups"]

#: The group of every language that the table does not name.
OTHERS = "others"


@cache
def _table() -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, str], Mapping[str, str]]:
    """Groups, the group of each language, and aliases.

    Raises:
        ModelError: a language stands in two groups, or is an alias as well.
    """
    raw = tomllib.loads(resources.files("models").joinpath("language_groups.toml").read_text(encoding="utf-8"))
    named: dict[str, tuple[str, ...]] = {name: tuple(languages) for name, languages in raw["groups"].items()}
    aliases: dict[str, str] = dict(raw["aliases"])
    group: dict[str, str] = {}
    for name, languages in named.items():
        for language in languages:
            if language in group or language in aliases:
                raise ModelError(f"language_groups.toml: {language!r} stands there twice", mend="leave it in one place")
            group[language] = name
    return named, group, aliases


def groups() -> Mapping[str, tuple[str, ...]]:
    """Group -> its languages."""
    return _table()[0]


def canonical(language: str) -> str:
    """The one code for a language of several: ``nb`` -> ``no``."""
    return _table()[2].get(language, language)


def group_of(language: str) -> str:
    """The group of a language code, :data:`OTHERS` for one that the table does not name."""
    return _table()[1].get(canonical(language), OTHERS)
