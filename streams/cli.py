"""The command line: ``bellwether``. Faults are one line and how to mend them; exit 2 for settings and usage, 1 for the rest."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

from models.cli import app as models_app
from models.errors import ModelError
from streams import __version__
from streams.commands import (
    alerts,
    audit,
    backtest,
    benchmark,
    config,
    demo,
    doctor,
    explain,
    replay,
    rules,
    score,
    topics,
    tune,
    up,
    why,
    worker,
)
from streams.errors import BellwetherError, SettingsError

__all__ = ["app", "main"]

app = typer.Typer(
    name="bellwether",
    help="Listens to news and social text in a hundred languages and says when opinion turns.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, up, worker, replay, score, explain, rules, why, alerts, backtest, tune, benchmark, doctor, topics, audit, config):
    command.register(app)
app.add_typer(models_app, name="models", help="Train, measure and inspect the model.")


def _version(show: bool) -> None:
    if show:
        typer.echo(f"bellwether {__version__}")
        raise typer.Exit


@app.callback()
def _root(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version and stop.")) -> None:
    """Example: bellwether demo"""


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except (BellwetherError, ModelError) as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"[bold red]error:[/] {escape(error.message if isinstance(error, BellwetherError) else str(error))}")
        if error.mend:
            console.print(f"[dim] mend:[/] {escape(error.mend)}")
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
