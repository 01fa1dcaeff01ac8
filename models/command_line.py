"""What the model's commands have in common: where they print, how they fail, and the options that several take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from models.errors import ModelError

__all__ = ["ArtifactOption", "CacheOption", "console", "errors", "reported"]

console = Console()
errors = Console(stderr=True)

ArtifactOption = Annotated[Path, typer.Option("--artifact", help="Model folder.")]
CacheOption = Annotated[Path | None, typer.Option("--cache", help="Cache folder; $BELLWETHER_CACHE or ~/.cache/bellwether by default.")]


@contextmanager
def reported() -> Iterator[None]:
    """Turn a :class:`ModelError` into one line, its mend, and exit status 1."""
    try:
        yield
    except ModelError as error:
        errors.print(f"[bold red]error:[/] {escape(str(error))}\n[dim] mend:[/] {escape(error.mend)}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
