"""``bellwether replay``: a file of JSON lines into the running service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from streams.cancellation import end_tasks
from streams.commands.options import Config, Data, Set, read_settings
from streams.commands.running import need_somewhere, where_it_runs
from streams.commands.stopping import stop_on_signals
from streams.errors import SettingsError
from streams.logs import configure_logs

if TYPE_CHECKING:
    from streams.embedded.journal import Journal
    from streams.settings import Settings
    from streams.sources.contract import CursorStore, Intake
    from streams.sources.replay import ReplayProgress, ReplayReport

__all__ = ["register"]


@dataclass(frozen=True, slots=True)
class _Way:
    """Where the documents go in: the journal of the running stack, or Kafka."""

    intake: Intake
    cursors: CursorStore
    destination: str
    journal: Journal | None


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def replay(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines, plain or gzip.")],
        speed: Annotated[str, typer.Option("--speed", help="max, or a multiple of the events' own pace such as 60x.")] = "max",
        rebase: Annotated[
            str | None,
            typer.Option("--rebase", metavar="TIME", help="Shift all times so that the newest event falls on TIME: now, or ISO 8601."),
        ] = None,
        topic: Annotated[str | None, typer.Option("--topic", help="Another topic than documents.raw (Kafka only).")] = None,
        mapping: Annotated[
            str | None,
            typer.Option(
                "--map", metavar="PAIRS", help="Field mapping, for example text=body,published_at=date,tags=target,source:=archive."
            ),
        ] = None,
        zone: Annotated[str | None, typer.Option("--zone", help="Zone of times that carry none, for example Asia/Jakarta.")] = None,
        restart: Annotated[bool, typer.Option("--restart", help="Begin anew instead of going on where the last replay stopped.")] = False,
        follow: Annotated[
            bool, typer.Option("--follow/--no-follow", help="Embedded: wait until every document is indexed, and say how fast it went.")
        ] = True,
        data: Data = None,
        config: Config = None,
        set_: Set = None,
    ) -> None:
        """Replay a file through the stack that runs on the data folder, or into the configured Kafka.

        Goes on where an earlier replay of the same file was stopped or killed.

        Example: bellwether replay news.jsonl.gz --speed 60x --rebase now
        """
        settings = read_settings(config, set_, embedded={"data": data})
        # What the user has to know is said below; the clients' own complaints would be said again and again.
        configure_logs(settings if "log_level" in settings.model_fields_set else settings.model_copy(update={"log_level": "error"}))
        settings = need_somewhere(where_it_runs(settings))
        asyncio.run(_run(settings, file, speed, rebase, topic, mapping, zone, restart, follow))


async def _run(
    settings: Settings,
    file: Path,
    speed: str,
    rebase: str | None,
    topic: str | None,
    mapping: str | None,
    zone: str | None,
    restart: bool,
    follow: bool,
) -> None:
    from streams.sources.mapping import FieldMapping
    from streams.sources.replay import Replay

    console = Console(stderr=True, highlight=False)
    way = _way(settings, topic)
    stop = stop_on_signals()
    before = way.journal.counts() if way.journal is not None else None
    began = time.monotonic()
    try:
        with _progress(console, file.name) as tell:
            replay = Replay(
                file,
                destination=way.destination,
                cursors=way.cursors,
                speed=speed,
                rebase=rebase,
                mapping=FieldMapping.parse(mapping, zone=zone),
                restart=restart,
                progress=tell,
            )
            report = await _unless(stop, replay.run(way.intake, on_wait=_waiting(console)))
        if report is None:
            console.print("stopped; the same command goes on from here")
            raise typer.Exit(130)
        if report.resumed_from:
            console.print(f"went on after line {report.resumed_from:,}, where an earlier replay of this file had stopped")
        if not report.lines:
            console.print(
                "nothing to put in: " + ("--restart replays it from its begin" if report.resumed_from else f"{file} has no lines")
            )
            return
        console.print(f"{report.lines:,} lines put in {report.seconds:.1f} s, {report.per_second:,.0f} a second")
        if way.journal is not None and before is not None and follow:
            await _follow(console, way.journal, before.produced - before.pending, began, stop)
    finally:
        await way.intake.close()
        if way.journal is not None:
            way.journal.close()


def _way(settings: Settings, topic: str | None) -> _Way:
    from streams.sources.cursors import FileCursorStore, JournalCursorStore

    if settings.journal is not None:
        from streams.embedded.journal import Journal, JournalIntake

        if topic not in (None, settings.topics.raw):
            raise SettingsError(f"--topic {topic}: the embedded stack reads {settings.topics.raw} only", mend="leave --topic out")
        journal = Journal(settings.journal)
        intake = JournalIntake(journal, settings.embedded.max_pending)
        return _Way(intake, JournalCursorStore(journal), str(settings.embedded.data.resolve()), journal)
    from streams.sources.intake import KafkaIntake

    name = topic or settings.topics.raw
    place = f"{settings.kafka.bootstrap_servers}/{name}"
    return _Way(KafkaIntake(settings, topic=topic), FileCursorStore(settings.embedded.data / "cursors"), place, None)


def _waiting(console: Console) -> Callable[[Exception], None]:
    """Say what is waited for: once, however often it is tried."""
    said: set[str] = set()

    def say(error: Exception) -> None:
        if str(error) not in said:
            said.add(str(error))
            console.print(f"waiting: {error}; Ctrl-C stops, the same command goes on later", markup=False, soft_wrap=True)

    return say


async def _unless(stop: asyncio.Event, running: object) -> ReplayReport | None:
    """The report of `running`, or None when `stop` was set first."""
    task = asyncio.ensure_future(running)  # type: ignore[call-overload]
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not task.done():
        await end_tasks(task)
        return None
    report: ReplayReport = task.result()
    return report


@contextmanager
def _progress(console: Console, name: str) -> Iterator[Callable[[ReplayProgress], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[lines]:,} lines"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
    )
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=None, lines=0, rate=0.0)

        def tell(found: ReplayProgress) -> None:
            note = f"{name} (next event in {found.waiting:.0f} s)" if found.waiting else name
            progress.update(
                task, description=note, total=found.bytes_total, completed=found.bytes_done, lines=found.lines, rate=found.per_second
            )

        yield tell


async def _follow(console: Console, journal: Journal, ended_before: int, began: float, stop: asyncio.Event) -> None:
    """Show the documents on their way until none is left."""
    columns = (TextColumn("on their way"), BarColumn(), TextColumn("{task.fields[pending]:,} left"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        total = journal.counts().produced - ended_before
        task = progress.add_task("", total=total, pending=total)
        while not stop.is_set():
            counts = journal.counts()
            progress.update(task, completed=total - counts.pending, pending=counts.pending)
            if not counts.pending:
                break
            await asyncio.sleep(0.2)
    seconds = time.monotonic() - began
    counts = journal.counts()
    ended = counts.produced - counts.pending - ended_before
    console.print(
        f"{ended:,} documents ended their way in {seconds:.1f} s, {ended / seconds:,.1f} a second; in all {counts.indexed:,} indexed, "
        f"{counts.duplicates:,} duplicates, {counts.dead:,} dead-lettered, {counts.filtered:,} filtered, {counts.pending:,} under way"
    )
