"""``bellwether up``: the embedded stack and its worker, until stopped."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from streams.commands.options import Config, Data, Set, read_settings
from streams.commands.stopping import stop_on_signals
from streams.logs import configure_logs

if TYPE_CHECKING:
    from streams.embedded.stack import Stack
    from streams.settings import Settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def up(
        feeds: Annotated[
            Path | None,
            typer.Option("--feeds", metavar="FILE", help="TOML list of RSS and Atom feeds to read; 'default' for the one that is shipped."),
        ] = None,
        entities: Annotated[Path | None, typer.Option("--entities", metavar="FILE", help="JSONL of companies to recognise.")] = None,
        data: Data = None,
        config: Config = None,
        set_: Set = None,
    ) -> None:
        """Start the embedded stack and keep it running; feed it with `bellwether replay` from another terminal, or with --feeds.

        Example: bellwether up --feeds feeds.toml
        """
        settings = read_settings(config, set_, embedded={"data": data}, feeds={"file": feeds}, enrich={"entities": entities})
        configure_logs(settings)
        asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    from streams.embedded.stack import Stack

    console = Console(stderr=True, highlight=False)
    stop = stop_on_signals()
    stack = Stack(settings)
    try:
        starting = asyncio.create_task(stack.start())
        stopped = asyncio.create_task(stop.wait())
        with console.status("starting broker, search, Triton and worker …"):
            await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return
        starting.result()
        _say_where(console, stack)
        reading = asyncio.create_task(_read_feeds(settings, stack)) if settings.feeds.file is not None else None
        failed = asyncio.create_task(stack.wait_failed())
        waiting: set[asyncio.Task[object]] = {stopped, failed, *([reading] if reading else [])}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in (reading, failed):
            if task is None:
                continue
            if task.done():
                task.result()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    finally:
        with console.status("stopping: finishing what is under way …"):
            await stack.stop()
        counts = stack.journal.counts()
        console.print(
            f"stopped; {counts.pending} documents wait in the journal for the next start"
            if counts.pending
            else "stopped; nothing is left over"
        )


def _say_where(console: Console, stack: Stack) -> None:
    for child in stack.status():
        console.print(f"[green]●[/] {child.name:<8} {child.state:<8} {child.detail}")
    console.print(f"search   {stack.settings.search.url}/{stack.settings.search.index_prefix}-documents-*/_search")
    console.print(f"kafka    {stack.settings.kafka.bootstrap_servers}")
    console.print("feed it: bellwether replay FILE.jsonl.gz --speed max      stop it: Ctrl-C")


async def _read_feeds(settings: Settings, stack: Stack) -> None:
    from streams.sources.cursors import JournalCursorStore
    from streams.sources.feed_list import default_feeds, load_feeds
    from streams.sources.feeds import FeedReader
    from streams.sources.pump import pump

    assert settings.feeds.file is not None
    feeds = default_feeds() if settings.feeds.file == Path("default") else load_feeds(settings.feeds.file)
    await pump(FeedReader(feeds, settings.feeds, JournalCursorStore(stack.journal)), stack.intake(), patience=None)
