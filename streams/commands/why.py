"""``bellwether why``: why a rule fired, or why it did not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from streams.commands.options import Config, Data, Set, read_settings
from streams.commands.running import where_it_runs
from streams.errors import BellwetherError

if TYPE_CHECKING:
    from streams.alerts.why import Answer
    from streams.documents import Alert, Decision, Key
    from streams.settings import Settings
    from streams.sinks.inquiry import Inquiry

__all__ = ["register"]

_LIMIT = 5


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def why(
        rule: Annotated[str, typer.Argument(metavar="RULE", help="Name of the rule.")],
        key: Annotated[str, typer.Argument(metavar="KEY", help="What it watches: entity:caldrava-bank, the bare value, or the name.")],
        at: Annotated[
            str | None,
            typer.Option("--at", metavar="TIME", help="Event time, ISO 8601, UTC if it names no zone. Absent: the last that is known."),
        ] = None,
        limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="Decisions to show.")] = _LIMIT,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
        data: Data = None,
        config: Config = None,
        set_: Set = None,
    ) -> None:
        """Say why a rule fired about a key at some time, or why it did not: the numbers, the thresholds, what was missing.

        Reads the decision log and the alerts in the index of the embedded stack that runs on the data folder, else of the
        configured Elasticsearch.

        Example: bellwether why negative-share caldrava-bank --at 2026-04-07T15:00
        """
        moment = _moment(at) if at is not None else None
        settings = where_it_runs(read_settings(config, set_, embedded={"data": data}))
        found = asyncio.run(_ask(settings, rule, key, moment, limit))
        if as_json:
            typer.echo(json.dumps(found.to_json(), ensure_ascii=False))
            return
        typer.echo(f"{found.rule} · {found.key.name} ({found.key}) · {found.at:%Y-%m-%d %H:%M} UTC\n")
        for sentence in found.sentences:
            typer.echo(sentence)
        if len(found.decisions) > 1:
            typer.echo("\nBefore that:")
            for decision in found.decisions[1:]:
                typer.echo(f"  {decision.at:%Y-%m-%d %H:%M}  {decision.outcome.value}: {decision.explanation}")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BellwetherError(
            f"--at {text}: not a time", mend="for example --at 2026-04-07T15:00, which is UTC, or 2026-04-07T17:00+02:00"
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


async def _ask(settings: Settings, rule: str, text: str, at: datetime | None, limit: int) -> Answer:
    from streams.alerts.rules.configured import configured_rules
    from streams.sinks.inquiry import Inquiry

    windows = {known.name: known.window for known in configured_rules(settings.alerts).rules}
    inquiry = Inquiry(settings.search)
    await inquiry.open()
    try:
        return await _answer(inquiry, windows, rule, text, at, limit)
    finally:
        await inquiry.close()


async def _answer(inquiry: Inquiry, windows: Mapping[str, timedelta], rule: str, text: str, at: datetime | None, limit: int) -> Answer:
    from streams.alerts.why import answer, window_of

    key = await _key(inquiry, windows, rule, text)
    decisions = await inquiry.decisions(rule, key, at, limit)
    alerts = await inquiry.alerts_about(rule, key, at, limit)
    moment = at or await _latest(inquiry, key, decisions, alerts)
    window = window_of(decisions, alerts, windows.get(rule))
    return answer(rule, key, moment, decisions, alerts, await inquiry.heard(key, moment - window, moment), window)


async def _latest(inquiry: Inquiry, key: Key, decisions: Sequence[Decision], alerts: Sequence[Alert]) -> datetime:
    """The last moment of event time of which anything is known about the key."""
    known = [decision.at for decision in decisions] + [alert.observed.end for alert in alerts]
    last = await inquiry.last_heard(key)
    if last is not None:
        # The end of its minute, so that a window that ends there holds it.
        known.append(last.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1))
    return max(known, default=datetime.now(UTC))


async def _key(inquiry: Inquiry, windows: Mapping[str, timedelta], rule: str, text: str) -> Key:
    from streams.alerts.asked_key import DIMENSIONS, candidates, choose_key, find_key

    known = await inquiry.keys(rule)
    found = find_key(text, known)
    if found is not None:
        return found
    if not known and rule not in windows:
        rules = sorted({*windows, *await inquiry.rules()})
        raise BellwetherError(f"there is no rule {rule!r}, and it never decided anything", mend=f"rules: {', '.join(rules)}")
    possible = candidates(text)
    present = [key for key in possible if key.kind == "all" or await inquiry.last_heard(key) is not None]
    return choose_key(text, present, known, {} if present else {name: await inquiry.values(name) for name in DIMENSIONS})
