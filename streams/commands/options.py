"""Options that several commands share, and how flags become settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from streams.errors import SettingsError
from streams.settings import Settings, load_settings

__all__ = ["Config", "Data", "Set", "read_settings"]

Config = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="TOML file with settings.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", metavar="SECTION.NAME=VALUE", help="Any setting, for example -s scoring.batch_size=64. Repeatable."),
]
Data = Annotated[Path | None, typer.Option("--data", metavar="FOLDER", help="Folder of journal, index and logs of the embedded mode.")]


def read_settings(config: Path | None, pairs: list[str] | None, **sections: dict[str, Any]) -> Settings:
    """Settings with flags on top.

    Args:
        config: TOML file, or None.
        pairs: ``section.name=value`` from ``--set``; values are read like those of environment variables.
        sections: values of dedicated flags by section; None values are left out.

    Raises:
        SettingsError: a pair is not of that form, or a value is wrong.
    """
    named: dict[str, str] = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise SettingsError(f"--set {pair}: not of the form section.name=value", mend="for example --set scoring.batch_size=64")
        named[name.strip()] = value
    flags = {
        section: present
        for section, values in sections.items()
        if (present := {name: value for name, value in values.items() if value is not None})
    }
    return load_settings(config, pairs=named, **flags)
