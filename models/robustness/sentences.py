"""The sentences of ``sentences.toml``: what a model is asked to find out how steady it is."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from models.errors import ModelError

__all__ = ["Frame", "Sentences", "read_sentences", "sentences"]

TONES = ("positive", "neutral", "negative")


@dataclass(frozen=True)
class Frame:
    """A sentence in ``lang`` with one gap, and its ``tone`` to a reader. ``names``: what may fill the gap, by the name in reports."""

    lang: str
    tone: str
    text: str
    names: Mapping[str, str]

    def filled(self) -> dict[str, str]:
        """The sentence with every name, by the name in reports."""
        gap = self.text[self.text.index("{") : self.text.index("}") + 1]
        return {key: self.text.replace(gap, name) for key, name in self.names.items()}


@dataclass(frozen=True)
class Sentences:
    """All sentences, each with its language first.

    Attributes:
        companies, countries: frames.
        genders: (language, about a man, about a woman).
        negations: (language, tone of the first, affirmed, negated).
        switches: (language, whole, with a part in another language).
    """

    companies: tuple[Frame, ...]
    countries: tuple[Frame, ...]
    genders: tuple[tuple[str, str, str], ...]
    negations: tuple[tuple[str, str, str, str], ...]
    switches: tuple[tuple[str, str, str], ...]

    def plain(self) -> list[tuple[str, str]]:
        """(language, sentence) of everything that makes sense alone, gaps filled with their first name."""
        framed = [(frame.lang, next(iter(frame.filled().values()))) for frame in (*self.companies, *self.countries)]
        pairs = [(lang, first) for lang, first, _ in (*self.genders, *self.switches)]
        return [*framed, *pairs, *((lang, affirmed) for lang, _, affirmed, _ in self.negations)]


def _frames(lang: str, table: Mapping[str, list[str]], gap: str, names: Mapping[str, str]) -> list[Frame]:
    found = [Frame(lang, tone, text, names) for tone in TONES for text in table[tone]]
    for frame in found:
        if frame.text.count("{") != 1 or f"{{{gap}}}" not in frame.text:
            raise ModelError(f"{lang}: {frame.text!r} needs {{{gap}}} once", mend="mend models/robustness/sentences.toml")
    return found


def _paired(lang: str, table: Mapping[str, Any], key: str, size: int) -> list[Any]:
    rows = table[key]
    for row in rows:
        if len(row) != size or len(set(row)) != size:
            raise ModelError(f"{lang}.{key}: {row!r} is not {size} different texts", mend="mend models/robustness/sentences.toml")
    return [(lang, *row) for row in rows]


def read_sentences(text: str) -> Sentences:
    """Read TOML in the form of ``sentences.toml``.

    Raises:
        ModelError: a sentence lacks its gap, a pair its half, or a language a country's name.
    """
    raw = tomllib.loads(text)
    companies = {name: name for name in raw["companies"]}
    found: dict[str, list[Any]] = {key: [] for key in ("companies", "countries", "genders", "negations", "switches")}
    for lang, table in raw["languages"].items():
        if len(table["country_names"]) != len(raw["countries"]) or len(set(table["country_names"])) != len(raw["countries"]):
            raise ModelError(
                f"{lang} does not name the {len(raw['countries'])} countries once each", mend="mend models/robustness/sentences.toml"
            )
        countries = dict(zip(raw["countries"], table["country_names"], strict=True))
        found["companies"] += _frames(lang, table["companies"], "company", companies)
        found["countries"] += _frames(lang, table["countries"], "country", countries)
        for key, size in (("genders", 2), ("negations", 3), ("switches", 2)):
            found[key] += _paired(lang, table, key, size)
    return Sentences(**{key: tuple(rows) for key, rows in found.items()})


@cache
def sentences() -> Sentences:
    """The sentences that come with the package."""
    return read_sentences(resources.files("models.robustness").joinpath("sentences.toml").read_text(encoding="utf-8"))
