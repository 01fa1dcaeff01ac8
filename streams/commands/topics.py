"""``bellwether topics``: what stands on the broker."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from streams.commands.options import Config, Data, Set, read_settings
from streams.commands.running import need_somewhere, where_it_runs

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def topics(
        create: Annotated[bool, typer.Option("--create", help="Create the topics that are missing.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object a topic.")] = False,
        data: Data = None,
        config: Config = None,
        set_: Set = None,
    ) -> None:
        """List the topics with their records and the consumer group's lag.

        Asks the embedded stack where one runs on the data folder, else the configured Kafka.

        Example: bellwether topics --create
        """
        from streams.topics import describe, ensure_topics

        settings = need_somewhere(where_it_runs(read_settings(config, set_, embedded={"data": data})))
        if create:
            ensured = ensure_topics(settings)
            for name in ensured.created:
                typer.echo(f"created {name}", err=True)
            for warning in ensured.warnings:
                typer.echo(f"warning: {warning}", err=True)
        found = describe(settings)
        if as_json:
            for topic in found:
                typer.echo(json.dumps(asdict(topic), default=str))
            return
        table = Table("topic", "partitions", "messages", "lag", title=f"Topics at {settings.kafka.bootstrap_servers}")
        for topic in found:
            lag = "–" if topic.lag is None else f"{topic.lag:,}"
            table.add_row(topic.name, str(len(topic.partitions)), f"{topic.messages:,}", lag)
        Console().print(table)
