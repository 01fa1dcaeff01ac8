"""Where settings are read from, beside the environment: the TOML file, and pairs of the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from pydantic_settings import BaseSettings, EnvSettingsSource

from streams.errors import SettingsError

__all__ = ["PREFIX", "Pairs", "given", "giving", "settings_file", "variable"]

PREFIX = "BELLWETHER_"
"""Begin of every environment variable of the service."""

_given: ContextVar[tuple[Path | None, Mapping[str, str]]] = ContextVar("given", default=(None, {}))


@contextmanager
def giving(file: Path | None, pairs: Mapping[str, str]) -> Iterator[None]:
    """What :func:`given` answers within: pydantic-settings asks for its sources by a class method, which takes no arguments."""
    token = _given.set((file, pairs))
    try:
        yield
    finally:
        _given.reset(token)


def given() -> tuple[Path | None, Mapping[str, str]]:
    """TOML file and pairs of the reading under way."""
    return _given.get()


def variable(dotted: str) -> str:
    """Environment variable of a setting: ``scoring.batch_size`` is ``BELLWETHER_SCORING__BATCH_SIZE``."""
    return PREFIX + dotted.strip().replace(".", "__").upper()


def settings_file(config: Path | None) -> Path | None:
    """The TOML file: `config`, else ``BELLWETHER_CONFIG``, else ``bellwether.toml`` in the working folder, else none.

    Raises:
        SettingsError: a named file is not there.
    """
    found = os.environ.get("BELLWETHER_CONFIG")
    named = config or (Path(found) if found else None)
    if named is not None and not named.is_file():
        raise SettingsError(f"config: {named} does not exist", mend="name a TOML file with --config or BELLWETHER_CONFIG")
    default = Path("bellwether.toml")
    return named or (default if default.is_file() else None)


class Pairs(EnvSettingsSource):
    """Values by dotted name, written like those of environment variables."""

    def __init__(self, settings_cls: type[BaseSettings], pairs: Mapping[str, str]) -> None:
        self._pairs = {variable(name).lower(): value for name, value in pairs.items()}
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return dict(self._pairs)
