"""``bellwether config``: the effective settings."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table

from streams.commands.options import Config, Set, read_settings
from streams.settings import Settings

__all__ = ["register", "rows"]


def rows(settings: Settings) -> list[tuple[str, str, str, str]]:
    """Every setting: its dotted name, its value (secrets masked), its environment variable, what it is."""
    found: list[tuple[str, str, str, str]] = []

    def visit(model: BaseModel, path: tuple[str, ...]) -> None:
        fields: dict[str, FieldInfo] = type(model).model_fields
        for name, field in fields.items():
            value = getattr(model, name)
            if isinstance(value, BaseModel):
                visit(value, (*path, name))
                continue
            dotted = ".".join((*path, name))
            found.append((dotted, _shown(value), "BELLWETHER_" + "__".join((*path, name)).upper(), field.description or ""))

    visit(settings, ())
    return found


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "********"
    if isinstance(value, (tuple, list)):
        return json.dumps(list(value), default=str, ensure_ascii=False)
    return "" if value is None else str(value)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def config(
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
        config: Config = None,
        set_: Set = None,
    ) -> None:
        """Print the effective settings with secrets masked, and the environment variable of each.

        Example: bellwether config --json
        """
        settings = read_settings(config, set_)
        if as_json:
            typer.echo(settings.model_dump_json(indent=2))
            return
        table = Table("setting", "value", "environment variable", "what it is", title="Effective settings")
        for row in rows(settings):
            table.add_row(*row)
        Console().print(table)
