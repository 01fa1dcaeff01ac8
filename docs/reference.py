"""Writes docs/settings.md and docs/commands.md from the code. A test fails when they are stale.

python docs/reference.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import typer.main
from pydantic import BaseModel, SecretStr

from streams.cli import app
from streams.settings import Settings

__all__ = ["commands_page", "settings_page"]

HERE = Path(__file__).resolve().parent


def settings_page() -> str:
    """Every setting with its default, an example and what it is."""
    parts = [
        "# Settings",
        "",
        "Made from the code by `python docs/reference.py`. The first of these wins: command-line flags (`--set section.name=value` sets",
        "anything), environment variables, the TOML file (`bellwether.toml` in the working folder, `--config FILE` or",
        "`BELLWETHER_CONFIG`), the default.",
        'In TOML a section is a table: `[kafka]`, `bootstrap_servers = "kafka-1:9092"`. Lists in the environment are JSON.',
        "A wrong value ends any command with one line that names the setting and an example, and exit status 2.",
        "",
    ]
    top: list[str] = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if not isinstance(default, BaseModel):
            top.append(_row((name,), field, default))
            continue
        parts += [f"## `{name}`", "", " ".join((type(default).__doc__ or "").split()), "", *_head()]
        parts += [_row((name, inner), inner_field, getattr(default, inner)) for inner, inner_field in type(default).model_fields.items()]
        parts.append("")
    parts += ["## Without a section", "", *_head(), *top, ""]
    return "\n".join(parts)


def _head() -> list[str]:
    return ["| setting | environment variable | default | example | what it is |", "|---|---|---|---|---|"]


def _row(path: tuple[str, ...], field: Any, default: Any) -> str:
    example = field.examples[0]
    shown = json.dumps(example, ensure_ascii=False) if isinstance(example, list) else str(example)
    variable = "BELLWETHER_" + "__".join(path).upper()
    cells = (f"`{'.'.join(path)}`", f"`{variable}`", _default(default), f"`{shown}`", field.description)
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _default(value: Any) -> str:
    if value is None or value == () or isinstance(value, SecretStr):
        return "–"
    if isinstance(value, tuple):
        return f"`{json.dumps(list(value))}`"
    return f"`{value}`" if str(value) else "–"


def commands_page() -> str:
    """Every command with its arguments, options and help."""
    root = typer.main.get_command(app)
    parts = [
        "# Commands",
        "",
        "Made from the code by `python docs/reference.py`. Every command answers `--help`. Exit status: 0 done, 1 a fault, 2 a wrong",
        "setting or usage, 130 stopped before the end.",
        "",
    ]
    parts += _command(root, ("bellwether",))
    return "\n".join(parts).rstrip() + "\n"


def _command(command: Any, path: tuple[str, ...]) -> list[str]:
    name = " ".join(path)
    text = [line.strip() for line in (command.help or "").strip().splitlines()]
    parts = [f"{'#' * (len(path) + 1)} `{name}`", "", *text, ""]
    rows = []
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or parameter.name in {"install_completion", "show_completion", "help"}:
            continue
        names = parameter.metavar or str(parameter.name).upper()
        if parameter.param_type_name == "option":
            names = ", ".join([*parameter.opts, *parameter.secondary_opts])
        default = parameter.default
        shown = f"`{default}`" if isinstance(default, (str, int, float)) and not isinstance(default, bool) else ""
        help_text = " ".join((getattr(parameter, "help", None) or "").split())
        rows.append(f"| `{names}` | {help_text} | {shown} |".replace("  ", " "))
    if rows:
        parts += ["| | what it does | default |", "|---|---|---|", *rows, ""]
    for child_name, child in sorted(getattr(command, "commands", {}).items()):
        parts += _command(child, (*path, child_name))
    return parts


def main() -> None:
    """Write both pages."""
    (HERE / "settings.md").write_text(settings_page(), encoding="utf-8")
    (HERE / "commands.md").write_text(commands_page(), encoding="utf-8")
    sys.stdout.write("wrote docs/settings.md and docs/commands.md\n")


if __name__ == "__main__":
    main()
