"""The list of feeds to read: a TOML file, one ``[[feed]]`` table a feed."""

from __future__ import annotations

import tomllib
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from streams.errors import SettingsError

__all__ = ["Feed", "default_feeds", "load_feeds"]


def _http(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError("is no IANA time zone") from error
    return value


class Feed(BaseModel):
    """One feed.

    `name` becomes the documents' source. `interval`: seconds between two visits (None: the setting ``feeds.interval``).
    `zone`: IANA zone of the dates of a feed that writes none, against the standard; without it such dates do not count.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    name: Annotated[str, Field(min_length=1, max_length=200)]
    url: Annotated[str, AfterValidator(_http), Field(max_length=2048)]
    language: Annotated[str, Field(max_length=35)] | None = None
    tags: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=128)], ...], Field(max_length=32)] = ()
    interval: Annotated[float, Field(ge=30)] | None = None
    zone: Annotated[str, AfterValidator(_zone)] | None = None


class _FeedFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    feed: Annotated[tuple[Feed, ...], Field(min_length=1)]


def load_feeds(path: Path) -> tuple[Feed, ...]:
    """Read a list of feeds.

    Raises:
        SettingsError: the file is missing, is not TOML, or an entry is wrong (named by its place) or stands twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"feeds: {path} cannot be read: {error}", mend="name a TOML file with [[feed]] tables") from error
    return _parse(text, str(path))


def default_feeds() -> tuple[Feed, ...]:
    """The list that is shipped: public financial and general news in many languages."""
    return _parse(files("streams.sources").joinpath("feeds.toml").read_text(encoding="utf-8"), "feeds.toml")


def _parse(text: str, place: str) -> tuple[Feed, ...]:
    example = 'for example:  [[feed]]  name = "ECB"  url = "https://www.ecb.europa.eu/rss/press.html"'
    try:
        found = _FeedFile.model_validate(tomllib.loads(text)).feed
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"feeds: {place} is not TOML: {error}", mend=example) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"feeds: {place}: {where}: {first['msg'].removeprefix('Value error, ')}", mend=example) from error
    for attribute in ("name", "url"):
        twice = [value for value, count in Counter(getattr(feed, attribute) for feed in found).items() if count > 1]
        if twice:
            raise SettingsError(f"feeds: {place}: the {attribute} {twice[0]!r} stands twice", mend="names and addresses tell feeds apart")
    return found
