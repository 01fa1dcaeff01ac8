"""``bellwether demo``: the sample newswire through the real stack."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live

from streams.commands.options import Config, Set, read_settings
from streams.commands.running import program
from streams.commands.stopping import stop_on_signals
from streams.logs import configure_logs
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.live.summary import Addresses, Snapshot, Summary

__all__ = ["register"]

# DEC private mode 7 (DECAWM): whether a line that reaches the margin goes on below.
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def demo(
        once: Annotated[
            bool, typer.Option("--once", help="Stop when the newswire is through; the default where there is no terminal.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="No live view; print one JSON object at the end. Implies --once.")] = False,
        data: Annotated[Path | None, typer.Option("--data", metavar="FOLDER", help="Keep journal, index and logs here.")] = None,
        picture: Annotated[
            Path | None, typer.Option("--picture", metavar="FILE", help="Save the last screen and the summary as SVG.")
        ] = None,
        config: Config = None,
        set_: Set = None,
    ) -> None:
        """Start broker, search, Triton and worker, stream the sample newswire through them, show what comes out.

        Example: bellwether demo --once --json
        """
        folder = data or Path(tempfile.mkdtemp(prefix="bellwether-demo-"))
        try:
            settings = read_settings(config, set_, embedded={"data": folder})
            if "log_level" not in settings.model_fields_set:
                settings = settings.model_copy(update={"log_level": "error"})
            configure_logs(settings)
            interactive = sys.stdout.isatty() and not as_json
            teller = _screen(settings) if interactive else contextlib.nullcontext(_Lines(None if as_json else Console()))
            with teller as screen:
                summary = asyncio.run(_run(settings, screen, once=once or not interactive))
            status = _close(summary, screen, settings, kept=data is not None, as_json=as_json, picture=picture)
        finally:
            if data is None:
                shutil.rmtree(folder, ignore_errors=True)
        raise typer.Exit(status)


class _Lines:
    """Tells without a terminal: a line whenever something changed. Without a console it only remembers."""

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self._said: set[str] = set()
        self.last: Snapshot | None = None

    def tell(self, snapshot: Snapshot) -> None:
        """Hear of a moment."""
        if snapshot.latest:
            self.last = snapshot
        for news in (snapshot.phase, *(f"{name} {state} {detail}".rstrip() for name, state, detail in snapshot.children)):
            if news not in self._said and not news.endswith(" stopped"):
                self._said.add(news)
                if self._console is not None:
                    self._console.print(f"{snapshot.seconds:5.1f} s  {news}", highlight=False, soft_wrap=True)

    def stopping(self) -> None:
        """Ctrl-C was heard."""
        if self._console is not None:
            self._console.print("stopping: finishing what is under way …")


class _Screen(_Lines):
    """Tells by the live view."""

    def __init__(self, live: Live, settings: Settings) -> None:
        super().__init__(None)
        self._live = live
        self._settings = settings
        self._addresses: Addresses | None = None
        self._shown: Snapshot | None = None

    def tell(self, snapshot: Snapshot) -> None:
        """Hear of a moment."""
        from streams.live.summary import Phase
        from streams.live.view import render

        super().tell(snapshot)
        done = snapshot.phase in {Phase.DONE, Phase.STOPPING}
        if done and self._shown is not None:
            # Waiting for Ctrl-C is not working slowly.
            snapshot = replace(snapshot, rate=self._shown.rate)
        if done and self._addresses is None:
            self._addresses = _addresses(self._settings)
        self._shown = snapshot
        addresses = self._addresses if snapshot.phase == Phase.DONE else None
        self._live.update(render(snapshot, size=self._live.console.size, addresses=addresses), refresh=True)

    def stopping(self) -> None:
        """Ctrl-C was heard."""
        from streams.live.summary import Phase

        if self._shown is not None:
            self.tell(replace(self._shown, phase=Phase.STOPPING))


@contextmanager
def _screen(settings: Settings) -> Iterator[_Screen]:
    # The alternate screen: nothing flickers, nothing is left over, and a window that changes its size does no harm.
    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        try:
            # Terminals do not agree with us, or each other, on the width of Indic text: a line that is too wide for one
            # must not wrap and push the others down.
            console.file.write(_NO_WRAP)
            yield _Screen(live, settings)
        finally:
            console.file.write(_WRAP)
            console.file.flush()


async def _run(settings: Settings, screen: _Lines, *, once: bool) -> Summary | None:
    from streams.live.demo import DemoRun

    stop = stop_on_signals()

    async def say_when_stopping() -> None:
        await stop.wait()
        screen.stopping()

    watching = asyncio.create_task(say_when_stopping())
    try:
        return await DemoRun(settings, on_change=screen.tell, stop=stop).run(once=once)
    finally:
        watching.cancel()


def _close(summary: Summary | None, screen: _Lines, settings: Settings, *, kept: bool, as_json: bool, picture: Path | None) -> int:
    """Print what came out; gives the exit status."""
    from streams.live.picture import to_svg
    from streams.live.view import render, render_summary

    console = Console()
    if summary is None:
        if as_json:
            typer.echo(json.dumps({"stopped": True}))
        else:
            console.print(f"stopped before the newswire was through; {_what_is_kept(settings, kept=kept)}", highlight=False, soft_wrap=True)
        return 130
    if picture is not None:
        screens = [*([render(screen.last)] if screen.last is not None else []), render_summary(summary)]
        picture.write_text(to_svg(screens, title="bellwether demo"), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(summary.to_json(), ensure_ascii=False))
    else:
        console.print(render_summary(summary))
    return 0 if summary.balanced else 1


def _what_is_kept(settings: Settings, *, kept: bool) -> str:
    from streams.embedded.journal import Journal

    if not kept:
        return "nothing is kept: the demo ran in a folder of its own, which is gone (--data FOLDER keeps one)"
    journal = Journal(settings.embedded.data / "journal.db")
    try:
        counts = journal.counts()
    finally:
        journal.close()
    done = counts.produced - counts.pending
    return f"{settings.embedded.data} keeps {done:,} documents that are done and {counts.pending:,} for the next start"


def _addresses(settings: Settings) -> Addresses | None:
    from streams.embedded.stack import find_stack
    from streams.live.summary import Addresses

    stack = find_stack(settings.embedded.data)
    if stack is None:
        return None
    return Addresses(stack.search, settings.search.index_prefix, stack.kafka, str(stack.data), program())
