"""``bellwether alerts silences``: what is silenced now, by whom, and until when."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from streams.alerts.life.commands import Silence, SilenceMatcher
from streams.commands.options import Config, Data, Set, read_settings
from streams.commands.running import need_somewhere, where_it_runs
from streams.logs import configure_logs

if TYPE_CHECKING:
    from streams.settings import Settings

__all__ = ["add_silences"]


def add_silences(group: typer.Typer) -> None:
    """Add the command to `group`."""
    group.command("silences")(silences)


def silences(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a silence.")] = False,
    data: Data = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """List the silences that the watch agent keeps, the one that ends first first. What is over in the documents' own time is gone.

    Example: bellwether alerts silences
    """
    settings = need_somewhere(where_it_runs(read_settings(config, set_, embedded={"data": data})))
    configure_logs(settings if "log_level" in settings.model_fields_set else settings.model_copy(update={"log_level": "error"}))
    found = asyncio.run(_kept(settings))
    if as_json:
        for silence in found:
            typer.echo(silence.model_dump_json())
        return
    table = Table("id", "what", "from (UTC)", "until (UTC)", "by", "why")
    for silence in found:
        what = "\n".join(_what(matcher) for matcher in silence.matchers)
        table.add_row(silence.id, what, _when(silence.starts_at), _when(silence.ends_at), silence.author, silence.comment)
    Console().print(table)


def _what(matcher: SilenceMatcher) -> str:
    named = (("rule", matcher.rule), ("severity", matcher.severity))
    key = f"{matcher.kind}:{matcher.value}" if matcher.kind != "*" else matcher.value
    return " ".join([key, *(f"{name}={pattern}" for name, pattern in named if pattern != "*")])


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


async def _kept(settings: Settings) -> list[Silence]:
    from streams.alerts.life.book import silences_of
    from streams.keepers import keepers

    _, store = keepers(settings)
    try:
        return silences_of(await store.load())
    finally:
        await store.close()
