"""``bellwether doctor``: every dependency, and how to mend it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.commands.options import Config, Data, Set, read_settings
from streams.commands.running import where_it_runs

__all__ = ["register"]

_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def doctor(
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object a check.")] = False,
        data: Data = None,
        config: Config = None,
        set_: Set = None,
    ) -> None:
        """Check Python, settings, wheels, model, Kafka, Elasticsearch, Triton, cascade, webhooks; say how to mend what is broken.

        Exit 1 if a check fails.

        Example: BELLWETHER_KAFKA__BOOTSTRAP_SERVERS=kafka-1:9092 bellwether doctor
        """
        from streams.doctor import diagnose

        checks = asyncio.run(diagnose(where_it_runs(read_settings(config, set_, embedded={"data": data}))))
        if as_json:
            for check in checks:
                typer.echo(json.dumps(asdict(check), ensure_ascii=False))
        else:
            table = Table("", "check", "found", title="bellwether doctor", expand=True)
            for check in checks:
                mark, colour = _MARKS[check.status]
                found = Text(check.detail)
                if check.mend and check.status != "ok":
                    found.append(f"\n→ {check.mend}", "italic")
                table.add_row(Text(mark, colour), check.name, found)
            Console().print(table)
        if any(check.status == "fail" for check in checks):
            raise typer.Exit(1)
