"""``bellwether up``: the embedded stack and its worker, until stopped."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.status import Status

from streams.cancellation import end_tasks
from streams.commands.options import Config, Data, Set, read_settings
from streams.commands.stopping import stop_on_signals
from streams.logs import configure_logs

if TYPE_CHECKING:
    from streams.embedded.process import ChildStatus
    from streams.embedded.stack import Stack
    from streams.settings import Settings
    from streams.sources.feed_list import Feed

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
        _check(settings)
        # On a terminal the lines below say how it stands; elsewhere the log does.
        quiet = sys.stderr.isatty() and "log_level" not in settings.model_fields_set
        configure_logs(settings.model_copy(update={"log_level": "warning"}) if quiet else settings)
        asyncio.run(_run(settings))


def _check(settings: Settings) -> None:
    """Read what the user named before anything is started: a wrong file is said at once, and by its name."""
    from streams.enrich.entities import Gazetteer

    if settings.enrich.entities is not None:
        Gazetteer.load(settings.enrich.entities)
    _feeds(settings)


def _feeds(settings: Settings) -> tuple[Feed, ...]:
    from streams.sources.feed_list import default_feeds, load_feeds

    if settings.feeds.file is None:
        return ()
    return tuple(default_feeds() if settings.feeds.file == Path("default") else load_feeds(settings.feeds.file))


async def _run(settings: Settings) -> None:
    from streams.embedded.stack import START_PATIENCE, Stack

    console = Console(stderr=True, highlight=False)
    stop = stop_on_signals()
    with console.status("starting …") as status:

        def tell(children: list[ChildStatus]) -> None:
            waiting = ", ".join(child.name for child in children if child.state in {"starting", "stopped"})
            status.update(f"starting: waiting for {waiting} (usually 10 to 20 seconds in all)" if waiting else "starting …")

        stack = Stack(settings, on_status=tell)
        starting = asyncio.create_task(stack.start())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            status.update("stopping …")
            await end_tasks(starting, patience=START_PATIENCE)
            console.print("stopped while it was starting")
            raise typer.Exit(130)
        starting.result()
    try:
        _say_where(console, stack)
        with console.status("no document yet") as status:
            await _until_stopped(settings, stack, stopped, status)
    finally:
        with console.status("stopping: finishing what is under way …"):
            await stack.stop()
        counts = stack.journal.counts()
        console.print(
            f"stopped; {counts.pending} documents wait in the journal for the next start"
            if counts.pending
            else "stopped; nothing is left over"
        )


async def _until_stopped(settings: Settings, stack: Stack, stopped: asyncio.Task[Literal[True]], status: Status) -> None:
    reading = asyncio.create_task(_read_feeds(settings, stack)) if settings.feeds.file is not None else None
    failed = asyncio.create_task(stack.wait_failed())
    counting = asyncio.create_task(_count(stack, status))
    waiting: set[asyncio.Task[Any]] = {stopped, failed, *([reading] if reading else [])}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in (reading, failed):
            if task is not None and task.done():
                task.result()
    finally:
        await end_tasks(*(task for task in (reading, failed, counting) if task is not None))


async def _count(stack: Stack, status: Status) -> None:
    """Keep the line below the addresses up to date."""
    while True:
        counts = stack.journal.counts()
        if counts.produced:
            status.update(
                f"{counts.produced:,} documents in: {counts.indexed:,} indexed, {counts.duplicates:,} duplicates, "
                f"{counts.dead:,} dead-lettered, {counts.filtered:,} filtered, {counts.pending:,} under way"
            )
        await asyncio.sleep(1)


def _say_where(console: Console, stack: Stack) -> None:
    for child in stack.status():
        console.print(f"[green]●[/] {child.name:<8} {child.state:<8} {child.detail}")
    console.print(f"search   {stack.settings.search.url}/{stack.settings.search.index_prefix}-documents-*/_search")
    console.print(f"kafka    {stack.settings.kafka.bootstrap_servers}")
    console.print("feed it: bellwether replay FILE.jsonl.gz --speed max      stop it: Ctrl-C")


async def _read_feeds(settings: Settings, stack: Stack) -> None:
    from streams.sources.cursors import JournalCursorStore
    from streams.sources.feeds import FeedReader
    from streams.sources.pump import pump

    await pump(FeedReader(_feeds(settings), settings.feeds, JournalCursorStore(stack.journal)), stack.intake(), patience=None)
    Console(stderr=True).print("[yellow]every feed of the list is gone (410): nothing is read any more; the stack stays up[/]")
    await asyncio.Event().wait()
