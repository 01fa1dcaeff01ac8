"""``bellwether tune``: parameters for a bearable number of false alerts."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from streams.alerts.rules.duration import write_duration
from streams.commands.backtest import History_, Incidents_, Zone_, advancing, described, read_all

if TYPE_CHECKING:
    from streams.alerts.backtest.tuning import Proposal

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def tune(
        rules: Annotated[Path, typer.Argument(metavar="RULES", help="Rule file (YAML).")],
        data: History_,
        false_per_week: Annotated[float, typer.Option("--false-alerts-per-week", help="Bearable for each rule, over all its keys.")] = 1.0,
        incidents: Incidents_ = None,
        zone: Zone_ = None,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    ) -> None:
        """Propose the most sensitive parameters that stay within a number of false alerts a week.

        They are chosen on the first two thirds of the history; the rest says what they cost on text they were not chosen on.
        Alerts within labelled incidents are not false; without a file of incidents all of them count as false. Exit 1 where
        nothing stays within the target.

        Example: bellwether tune docs/rules/bank-run.yaml scored.jsonl.gz --false-alerts-per-week 1
        """
        from streams.alerts.backtest.run import count_keys
        from streams.alerts.backtest.tuning import tune as propose
        from streams.alerts.rules.reading import read_rules

        console = Console(stderr=True, highlight=False)
        chosen = read_rules(rules)
        history, happened = read_all(data, incidents, zone, console)
        keys = count_keys(chosen, history.sightings)
        with advancing(console, "runs") as tell:
            proposals = propose(chosen, history.sightings, happened, false_per_week=false_per_week, keys=keys, progress=tell)
        if as_json:
            typer.echo(json.dumps([_described(item) for item in proposals]))
        else:
            _show(Console(highlight=False), proposals)
        if any(item.value is None for item in proposals):
            raise typer.Exit(1)


def _described(item: Proposal) -> dict[str, object]:
    return {
        "rule": item.rule,
        "parameter": item.parameter,
        "before": _plain(item.before),
        "proposal": _plain(item.value),
        "tried": [{"value": _plain(value), "false_per_week": round(rate, 4)} for value, rate in item.tried],
        "chosen_on": described(item.chosen) if item.chosen is not None else None,
        "unseen": described(item.unseen) if item.unseen is not None else None,
    }


def _plain(value: Any) -> Any:
    return write_duration(value) if isinstance(value, timedelta) else value


def _written(value: Any) -> str:
    """As in a rule file."""
    return write_duration(value) if isinstance(value, timedelta) else f"{value:g}"


def _show(out: Console, proposals: list[Proposal]) -> None:
    table = Table("rule", "parameter", "now", "proposal", "false a week", "on unseen text", "recall there", title="Proposals")
    for item in proposals:
        unseen = item.unseen
        table.add_row(
            item.rule,
            item.parameter,
            _written(item.before),
            "[red]none stays within the target" if item.value is None else f"[bold]{_written(item.value)}",
            f"{item.tried[-1][1]:.2f}",
            "-" if unseen is None else f"{7 * unseen.false_per_day:.2f}",
            "-" if unseen is None or unseen.recall is None else f"{unseen.recall:.2f}",
        )
    out.print(table)
    for item in proposals:
        if item.value is not None and item.value != item.before:
            *parents, name = item.parameter.split(".")
            place = "".join(f"{'  ' * depth}{parent}:\n" for depth, parent in enumerate(parents, start=1))
            out.print(f"rule {item.rule}:\n{place}{'  ' * (len(parents) + 1)}{name}: {_written(item.value)}", markup=False)
