"""``bellwether worker``: the agents against configured servers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from streams.commands.options import Config, Set, read_settings
from streams.commands.running import need_somewhere
from streams.logs import configure_logs

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def worker(
        agents: Annotated[
            str | None, typer.Option("--agents", metavar="LIST", help="Agents to run, comma separated: score,index,watch,notify.")
        ] = None,
        metrics_port: Annotated[int | None, typer.Option("--metrics-port", help="Port of /metrics on 127.0.0.1.")] = None,
        ready_file: Annotated[Path | None, typer.Option("--ready-file", help="File that is written when the worker consumes.")] = None,
        config: Config = None,
        set_: Set = None,
    ) -> None:
        """Run the agents against the configured Kafka, Triton and Elasticsearch until stopped.

        One worker watches; any number score: run `--agents watch,notify` once and `--agents score,index` as often as you like.

        Example: BELLWETHER_KAFKA__BOOTSTRAP_SERVERS=kafka-1:9092 bellwether worker
        """
        from streams.worker import run_worker

        names = tuple(name.strip() for name in agents.split(",")) if agents is not None else None
        settings = need_somewhere(read_settings(config, set_, worker={"agents": names, "metrics_port": metrics_port}))
        configure_logs(settings)
        asyncio.run(run_worker(settings, ready_file=ready_file))
