"""``bellwether alerts resend``: deliver alerts again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from streams.alerts.rules.duration import parse_duration
from streams.commands.options import Config, Data, Set, read_settings
from streams.commands.running import need_somewhere, where_it_runs
from streams.errors import SettingsError

if TYPE_CHECKING:
    from streams.documents import Alert
    from streams.settings import Settings

__all__ = ["add_resend"]


def add_resend(app: typer.Typer) -> None:
    """Add the command to the group of alert commands."""

    @app.command()
    def resend(
        alert_ids: Annotated[list[str] | None, typer.Argument(metavar="[ALERT_ID]...", help="Alerts to send again.")] = None,
        since: Annotated[
            str | None,
            typer.Option("--since", metavar="TIME", help="All that began (with --failed: were tried) since: 6h, 2d, 2026-03-31T12:00Z."),
        ] = None,
        channel: Annotated[str | None, typer.Option("--channel", help="Only to this channel.")] = None,
        failed: Annotated[bool, typer.Option("--failed", help="Only what a channel has not had, and only to those channels.")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
        data: Data = None,
        config: Config = None,
        set_: Set = None,
    ) -> None:
        """Deliver alerts again, as they stand in the index now, under new message ids.

        A running worker sends them, to the alert's channels unless --channel or --failed says otherwise.

        Example: bellwether alerts resend --failed --since 2d
        """
        ids = alert_ids or []
        if not ids and since is None and not failed:
            raise SettingsError("alerts resend: which ones?", mend="name alerts, or use --since 6h or --failed")
        settings = need_somewhere(where_it_runs(read_settings(config, set_, embedded={"data": data})))
        instant = None if since is None else _instant(since)
        alerts, missing = asyncio.run(_resend(settings, ids, instant, channel, failed, dry_run))
        for alert in alerts:
            to = ", ".join(alert.channels) or "default"
            typer.echo(f"{'would send' if dry_run else 'sent'} {alert.id} ({alert.status.value}, {alert.key.name}) to {to}")
        for id in missing:
            typer.echo(f"there is no alert {id} in the index", err=True)
        if not alerts:
            typer.echo("nothing to send", err=True)
        if missing:
            raise typer.Exit(1)


async def _resend(
    settings: Settings, ids: list[str], since: datetime | None, channel: str | None, failed: bool, dry_run: bool
) -> tuple[list[Alert], list[str]]:
    from streams.delivery.resending import chosen, put
    from streams.sinks.deliveries import DeliveryIndex

    index = DeliveryIndex(settings.search)
    try:
        await index.open()
        alerts, missing = await chosen(index, ids=ids, since=since, channel=channel, failed=failed)
    finally:
        await index.close()
    if alerts and not dry_run:
        await put(settings, alerts)
    return alerts, missing


def _instant(text: str) -> datetime:
    """A moment, or how long ago it was."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    try:
        moment = found or datetime.now(UTC) - parse_duration(text)
    except ValueError as error:
        raise SettingsError(f"--since {text}: is neither a duration nor a time", mend="for example 6h, 2d, 2026-03-31T12:00Z") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
