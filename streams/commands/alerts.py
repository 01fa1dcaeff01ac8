"""``bellwether alerts``: what was told, and telling the watch agent what people know better."""

from __future__ import annotations

import asyncio
import getpass
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from streams.alerts.life.commands import Acknowledge, Command, Silence, SilenceMatcher, Unsilence
from streams.alerts.rules.duration import parse_duration
from streams.commands.options import Config, Data, Set, read_settings
from streams.commands.resend import add_resend
from streams.commands.running import need_somewhere, where_it_runs
from streams.commands.silences import add_silences
from streams.errors import BellwetherError
from streams.logs import configure_logs

if TYPE_CHECKING:
    from streams.documents import Alert
    from streams.settings import Settings

__all__ = ["group", "register"]

group = typer.Typer(no_args_is_help=True, help="List alerts, silence them, acknowledge them.")

_Author = Annotated[str | None, typer.Option("--author", help="Who says so. Absent: the user of this shell.")]
_Comment = Annotated[str, typer.Option("--comment", help="Why; the decision log shows it.")]
_For = Annotated[str | None, typer.Option("--for", metavar="DURATION", help="How long, for example 90m, 4h, 2d.")]
_Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Until when (ISO 8601; UTC if it names no zone).")]
_ON_ITS_WAY = timedelta(days=1)
"""Text arrives after its own time: a silence that begins now has to hold for what was written before."""
_KINDS = ("entity", "tag", "topic", "language", "source", "all")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    add_resend(group)
    add_silences(group)
    app.add_typer(group, name="alerts")


@group.command("list")
def list_alerts(
    status: Annotated[Literal["firing", "resolved", "all"], typer.Option("--status", help="Which ones.")] = "firing",
    rule: Annotated[str | None, typer.Option("--rule", help="Of this rule only.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many of the latest to look at.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an alert.")] = False,
    data: Data = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """List the alerts in the index, the one that began last first.

    Example: bellwether alerts list --status all --rule negative-share
    """
    settings = where_it_runs(read_settings(config, set_, embedded={"data": data}))
    found = [
        alert
        for alert in asyncio.run(_alerts(settings, limit))
        if status in ("all", alert.status.value) and rule in (None, *alert.rule.split("+"))
    ]
    if as_json:
        for alert in found:
            typer.echo(alert.model_dump_json())
        return
    table = Table("began (UTC)", "status", "severity", "rule", "about", "id")
    for alert in found:
        began = f"{alert.starts_at.astimezone(UTC):%Y-%m-%d %H:%M}"
        table.add_row(began, alert.status.value, alert.severity, alert.rule, f"{alert.key.name} ({alert.key})", alert.id)
    Console().print(table)


@group.command()
def silence(
    pattern: Annotated[
        str, typer.Argument(metavar="PATTERN", help="Key, with * and ? as in a shell: entity:caldrava-bank, tag:bank*, or a bare value.")
    ] = "*",
    rule: Annotated[str, typer.Option("--rule", help="Rules, with * and ?.")] = "*",
    severity: Annotated[str, typer.Option("--severity", help="Severities, with * and ?.")] = "*",
    for_: _For = None,
    until: _Until = None,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="From when (ISO 8601). Absent: at once, also for text that is late.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Needed to silence every alert there is.")] = False,
    name: Annotated[str | None, typer.Option("--id", help="Name of the silence; one of the same name is replaced.")] = None,
    author: _Author = None,
    comment: _Comment = "",
    data: Data = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Send no alert that matches until the time is over; what still lasts then is sent. Prints the silence's id.

    Times are compared with the documents' own time, so that a replay of the past can be silenced too.

    Example: bellwether alerts silence entity:caldrava-bank --for 4h --comment "the press office knows"
    """
    if pattern == rule == severity == "*" and not everything:
        raise BellwetherError("this would silence every alert", mend="name a key, --rule or --severity, or say --all")
    kind, colon, value = pattern.partition(":")
    named = colon and all(part in _KINDS for part in kind.split("+"))
    start = datetime.now(UTC) if begin is None else _time("--from", begin)
    try:
        command = Silence(
            id=name or uuid.uuid4().hex[:12],
            matchers=(SilenceMatcher(rule=rule, kind=kind if named else "*", value=value if named else pattern, severity=severity),),
            starts_at=start,
            ends_at=_end(start, for_, until),
            author=_who(author),
            comment=comment,
        )
    except ValidationError as error:
        raise _fault(error) from error
    if begin is None:
        command = command.model_copy(update={"starts_at": start - _ON_ITS_WAY})
    _tell(command, read_settings(config, set_, embedded={"data": data}))
    typer.echo(command.id)


@group.command()
def unsilence(
    id: Annotated[str, typer.Argument(metavar="ID", help="What `alerts silence` printed; `alerts silences` lists them.")],
    author: _Author = None,
    data: Data = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """End a silence now; what it kept and still lasts is sent.

    Example: bellwether alerts unsilence 3f9d2c81a0b4
    """
    try:
        command = Unsilence(id=id, author=_who(author))
    except ValidationError as error:
        raise _fault(error) from error
    _tell(command, read_settings(config, set_, embedded={"data": data}))


@group.command()
def ack(
    target: Annotated[str, typer.Argument(metavar="ID", help="Id of an alert (32 digits), or a fingerprint (16): a rule and key.")],
    for_: _For = "24h",
    until: _Until = None,
    author: _Author = None,
    comment: _Comment = "",
    data: Data = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Say that somebody looks after an alert: it escalates no more and is not repeated; its end is still told.

    Example: bellwether alerts ack 0a7c5f3d9e8b41627f60d1c2b3a49586 --for 8h
    """
    try:
        command = Acknowledge(
            target=target,
            until=_end(datetime.now(UTC), None if until is not None else for_, until),
            author=_who(author),
            comment=comment,
        )
    except ValidationError as error:
        raise _fault(error) from error
    _tell(command, read_settings(config, set_, embedded={"data": data}))


def _time(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        mend = "for example 2026-04-07T15:00, which is UTC, or 2026-04-07T17:00+02:00"
        raise BellwetherError(f"{option} {text}: not a time", mend=mend) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _end(start: datetime, duration: str | None, until: str | None) -> datetime:
    if (duration is None) == (until is None):
        raise BellwetherError("it must be said when this ends, once", mend="give either --for 4h or --until 2026-04-07T15:00")
    if until is not None:
        return _time("--until", until)
    assert duration is not None
    try:
        length = parse_duration(duration)
    except ValueError as error:
        raise BellwetherError(f"--for {duration}: not a duration", mend="for example 90m, 4h, 2d") from error
    if length <= timedelta(0):
        raise BellwetherError(f"--for {duration}: must be longer than nothing", mend="for example 90m, 4h, 2d")
    return start + length


def _who(author: str | None) -> str:
    if author is not None:
        return author
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return ""


def _fault(error: ValidationError) -> BellwetherError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return BellwetherError(f"{place}: {message}" if place else message, mend="see --help for an example")


def _tell(command: Command, settings: Settings) -> None:
    # Only what was said goes to standard output: scripts read the id of a silence from it.
    configure_logs(settings if "log_level" in settings.model_fields_set else settings.model_copy(update={"log_level": "error"}))
    asyncio.run(_put(command, need_somewhere(where_it_runs(settings))))


async def _put(command: Command, settings: Settings) -> None:
    from streams.sources.intake import KafkaIntake

    intake = KafkaIntake(settings, topic=settings.topics.control)
    try:
        await intake.put([command.model_dump_json().encode()])
    finally:
        await intake.close()


async def _alerts(settings: Settings, limit: int) -> list[Alert]:
    from streams.sinks.inquiry import Inquiry

    reader = Inquiry(settings.search)
    await reader.open()
    try:
        return await reader.alerts(limit)
    finally:
        await reader.close()
