"""``bellwether demo``: the sample newswire through the real stack."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.live import Live

from streams.commands.options import Config, Set, read_settings
from streams.commands.stopping import stop_on_signals
from streams.logs import configure_logs
from streams.settings import Settings

__all__ = ["register"]


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
            status = asyncio.run(_run(settings, once=once or not interactive, interactive=interactive, as_json=as_json, picture=picture))
        finally:
            if data is None:
                shutil.rmtree(folder, ignore_errors=True)
        raise typer.Exit(status)


async def _run(settings: Settings, *, once: bool, interactive: bool, as_json: bool, picture: Path | None) -> int:
    from streams.live.demo import DemoRun
    from streams.live.summary import Snapshot
    from streams.live.view import render, render_summary

    console = Console()
    stop = stop_on_signals()
    phases: list[str] = []
    screens: list[Snapshot] = []

    def tell(snapshot: Snapshot) -> None:
        if snapshot.latest:
            screens[:] = [snapshot]
        if live is not None:
            live.update(render(snapshot), refresh=True)
        elif not as_json and snapshot.phase not in phases:
            phases.append(snapshot.phase)
            console.print(f"{snapshot.seconds:5.1f} s  {snapshot.phase}")

    live = Live(console=console, screen=False, auto_refresh=False, transient=True) if interactive else None
    if live is not None:
        live.start()
    try:
        summary = await DemoRun(settings, on_change=tell, stop=stop).run(once=once)
    finally:
        if live is not None:
            live.stop()
    if summary is None:
        console.print("stopped before the newswire was through") if not as_json else typer.echo(json.dumps({"stopped": True}))
        return 130
    if picture is not None:
        _save(picture, [render(screen) for screen in screens] + [render_summary(summary)])
    if as_json:
        typer.echo(json.dumps(summary.to_json(), ensure_ascii=False))
    else:
        console.print(render_summary(summary))
    return 0 if summary.balanced else 1


def _save(picture: Path, parts: list[RenderableType]) -> None:
    canvas = Console(record=True, width=126, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for part in parts:
        canvas.print(part)
    picture.write_text(canvas.export_svg(title="bellwether demo"), encoding="utf-8")
