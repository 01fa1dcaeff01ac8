"""Reading the settings, and telling what is wrong with them: one line that names the setting and an example, and no secret."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from streams.errors import SettingsError
from streams.settings.root import Settings
from streams.settings.sources import PREFIX, giving, settings_file, variable

__all__ = ["load_settings"]


def _refuse_unknown(name: str, shown: str) -> None:
    """Sections refuse names that they do not have; what no section would ever see is refused here."""
    section, _, rest = name.upper().removeprefix(PREFIX).lower().partition("__")
    field = Settings.model_fields.get(section)
    if field is None or (rest and not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel))):
        raise SettingsError(f"{shown}: there is no such setting", mend="`bellwether config` lists them all")


def _is_secret(place: str, given: object) -> bool:
    """Whether `given` may hold a secret: by the name of its place, as a whole section, or as an address with a password."""
    if isinstance(given, (dict, SecretStr)) or "." not in place:
        return place not in {"journal", "log_level", "log_format"}
    return any(word in place for word in ("password", "secret", "api_key")) or "@" in str(given)


def _example(location: tuple[int | str, ...]) -> str:
    model: Any = Settings
    field: Any = None
    for part in location:
        fields = getattr(model, "model_fields", {})
        if part not in fields:
            break
        field = fields[part]
        model = field.annotation
    if field is None or not field.examples:
        return ""
    example = field.examples[0]
    text = f"{example}" if not isinstance(example, list) else str(example).replace("'", '"')
    name = "__".join(str(part).upper() for part in location if isinstance(part, str))
    return f"for example BELLWETHER_{name}={text}"


def load_settings(config: Path | None = None, *, pairs: Mapping[str, str] | None = None, **flags: Any) -> Settings:
    """Read settings from flags, environment and file. Leaves nothing behind for the next call.

    Args:
        config: TOML file; None: ``BELLWETHER_CONFIG`` or ``bellwether.toml`` where it exists.
        pairs: values by dotted name (``scoring.batch_size``), written like those of environment variables; they win over these.
        flags: values from the command line, nested like the settings; they win.

    Raises:
        SettingsError: naming the setting, what is wrong, and an example.
    """
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in {"BELLWETHER_CONFIG", "BELLWETHER_CACHE"}:
            _refuse_unknown(name, name)
    for name in pairs or {}:
        _refuse_unknown(variable(name), name)
    file = settings_file(config)
    try:
        with giving(file, pairs or {}):
            return Settings(**flags)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            raise SettingsError(f"{place}: there is no such setting", mend="`bellwether config` lists them all") from error
        value = first.get("input")
        shown = "" if _is_secret(place, value) else f", got {value!r}"
        raise SettingsError(f"{place}: {message}{shown}", mend=_example(first["loc"])) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"config: {file} is not TOML: {error}", mend='for example: [kafka] and, below it, group = "bellwether"'
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"config: {file} cannot be read: {error}", mend="name a TOML file (UTF-8) that this user may read") from error
    except ValueError as error:  # pydantic-settings: a JSON list in the environment that does not parse
        raise SettingsError(f"environment: {error}", mend='lists are JSON, for example BELLWETHER_ENRICH__LANGUAGES=["en","de"]') from error
