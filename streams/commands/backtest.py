"""``bellwether backtest``: the alert engine over history."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from streams.errors import SettingsError

if TYPE_CHECKING:
    from streams.alerts.backtest.comparison import Comparison
    from streams.alerts.backtest.history import History
    from streams.alerts.backtest.run import Detection, Run
    from streams.alerts.backtest.scoring import Score
    from streams.alerts.backtest.sweep import Trial

__all__ = ["History_", "Incidents_", "Zone_", "advancing", "described", "read_all", "register"]

History_ = Annotated[Path, typer.Argument(metavar="DATA", help="Scored documents (.jsonl, .jsonl.gz) or counts (.csv: timestamp,value).")]
Incidents_ = Annotated[Path | None, typer.Option("--incidents", help="Labelled incidents: key, start, end (JSON, JSON lines or CSV).")]
Zone_ = Annotated[str | None, typer.Option("--zone", help="Zone of times that carry none, for example UTC.")]
_REASONS = {"no_key": "that no rule watches", "late": "too late", "absurd_time": "with an absurd time", "redelivered": "seen before"}
_FAULTS_SHOWN = 3
_ALERTS_SHOWN = 30


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def backtest(
        rules: Annotated[Path, typer.Argument(metavar="RULES", help="Rule file (YAML).")],
        data: History_,
        incidents: Incidents_ = None,
        against: Annotated[Path | None, typer.Option("--against", help="A second rule file, to compare with.")] = None,
        sweep: Annotated[
            list[str] | None, typer.Option("--sweep", metavar="NAME=V,V", help="A parameter and its values; may be given several times.")
        ] = None,
        picture: Annotated[Path | None, typer.Option("--picture", help="Draw the series with alerts and incidents: .svg or .png.")] = None,
        zone: Zone_ = None,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    ) -> None:
        """Run rules over history, exactly as the service would have, and say what they would have told.

        Example: bellwether backtest docs/rules/bank-run.yaml scored.jsonl.gz --incidents incidents.json --picture run.svg
        """
        from streams.alerts.backtest.comparison import compare
        from streams.alerts.backtest.parameters import parse_axis
        from streams.alerts.backtest.picture import draw
        from streams.alerts.backtest.run import count_keys, run
        from streams.alerts.backtest.scoring import match, score
        from streams.alerts.backtest.sweep import pareto
        from streams.alerts.backtest.sweep import sweep as run_all
        from streams.alerts.rules.reading import read_rules

        console = Console(stderr=True, highlight=False)
        axes = [parse_axis(text) for text in sweep or ()]
        if axes and against is not None:
            raise SettingsError("--sweep and --against cannot be given together", mend="one after the other")
        chosen = read_rules(rules)
        other = read_rules(against) if against is not None else None
        history, happened = read_all(data, incidents, zone, console)
        keys = count_keys(chosen, history.sightings)
        answer: dict[str, Any] = {"documents": len(history.sightings), "unreadable": len(history.faults), "keys": keys}
        if axes:
            with advancing(console, "combinations") as tell:
                trials = run_all(chosen, history.sightings, happened, axes, keys=keys, progress=tell)
            best = pareto(trials)
            answer["trials"] = [{**trial.parameters, **described(trial.score), "pareto": trial in best} for trial in trials]
            _say(as_json, answer, lambda out: _show_trials(out, trials, best))
            return
        with advancing(console, "documents") as tell:
            found = run(chosen, history.sightings, progress=tell)
        windows = {rule.name: rule.window_minutes for rule in chosen.rules}
        figures = score(found, happened, windows, keys=keys)
        matches, false = match(found.detections, happened, grace=max(windows.values()))
        answer |= {"days": round(found.days, 3), "documents_per_second": round(found.rate), "notices": found.notices, **described(figures)}
        answer["ignored"] = dict(found.ignored)
        answer["alerts_told"] = [_detection(item, false) for item in found.detections]
        answer["missed"] = [f"{item.incident.key} {_time(item.incident.start)}" for item in matches if item.detection is None]
        comparison: Comparison | None = None
        if other is not None:
            with advancing(console, "documents") as tell:
                second = run(other, history.sightings, progress=tell)
            both = max(max(windows.values()), *(rule.window_minutes for rule in other.rules))
            comparison = compare(found.detections, second.detections, within=both)
            their_windows = {rule.name: rule.window_minutes for rule in other.rules}
            theirs = score(second, happened, their_windows, keys=count_keys(other, history.sightings))
            answer["against"] = {
                **described(theirs),
                "both": len(comparison.both),
                "only_first": [_detection(item, false) for item in comparison.only_first],
                "only_second": [_detection(item, []) for item in comparison.only_second],
                "second_leads_by_minutes": comparison.lead_minutes,
            }
        if picture is not None:
            answer["picture"] = str(picture)
            answer["panels"] = draw(picture, chosen, history.sightings, found, happened)
        _say(as_json, answer, lambda out: _show(out, found, figures, false, answer, comparison))


def read_all(data: Path, incidents: Path | None, zone: str | None, console: Console) -> tuple[History, list[Any]]:
    """History and incidents of the command line; lines that cannot be read are told.

    Raises:
        BellwetherError: a file cannot be read.
    """
    from streams.alerts.backtest.history import read_history
    from streams.alerts.backtest.incidents import read_incidents
    from streams.sources.mapping import parse_zone

    where = parse_zone(zone) if zone else None
    happened = read_incidents(incidents, zone=where) if incidents is not None else []
    history = read_history(data, zone=where)
    if history.faults:
        console.print(f"[yellow]{len(history.faults):,} lines cannot be read and are left out:[/]")
        for fault in history.faults[:_FAULTS_SHOWN]:
            console.print(f"  line {fault.line}: {fault.reason}", markup=False)
    return history, happened


@contextmanager
def advancing(console: Console, noun: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left, on a terminal."""
    with Progress(
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} " + noun),
        BarColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("run", total=1)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def described(figures: Score) -> dict[str, Any]:
    """The figures by name, rounded for reading."""

    def short(value: float | None) -> float | None:
        return None if value is None else round(value, 4)

    return {
        "alerts": figures.alerts,
        "incidents": figures.incidents,
        "found": figures.found,
        "recall": short(figures.recall),
        "precision": short(figures.precision) if figures.incidents else None,
        "false_per_day": short(figures.false_per_day),
        "false_per_key_month": short(figures.false_per_key_month),
        "delay_minutes": short(figures.delay_minutes),
        "delay_windows": short(figures.delay_windows),
    }


def _say(as_json: bool, answer: dict[str, Any], show: Callable[[Console], None]) -> None:
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False))
    else:
        show(Console(highlight=False))


def _length(minutes: float | None) -> str:
    if minutes is None:
        return "-"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h" if minutes < 2880 else f"{minutes / 1440:.1f} days"


def _time(minute: int) -> str:
    return f"{datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%d %H:%M}"


def _detection(item: Detection, false: list[Detection]) -> dict[str, Any]:
    return {
        "at": datetime.fromtimestamp(item.minute * 60, UTC).isoformat(),
        "rule": item.rule,
        "key": str(item.key),
        "severity": item.severity,
        "summary": item.summary,
        "outside_incidents": item in false,
    }


def _show(out: Console, found: Run, figures: Score, false: list[Detection], answer: dict[str, Any], comparison: Comparison | None) -> None:
    from rich.markup import escape

    out.print(
        f"{found.documents:,} documents of {found.days:,.1f} days about {answer['keys']:,} keys in {found.seconds:.1f} s "
        f"({found.rate:,.0f} a second); {figures.alerts} alerts in {found.notices} messages"
    )
    if found.ignored:
        reasons = ", ".join(f"{count:,} {_REASONS.get(reason, reason)}" for reason, count in sorted(found.ignored.items()))
        out.print(f"not counted: {reasons}")
    if figures.alerts:
        table = Table(
            "told at (UTC)", "rule", "key", "summary", title=f"Alerts{' (the first of them)' if figures.alerts > _ALERTS_SHOWN else ''}"
        )
        for item in found.detections[:_ALERTS_SHOWN]:
            mark = "[yellow]" if figures.incidents and item in false else ""
            table.add_row(f"{mark}{_time(item.minute)}", escape(item.rule), escape(item.key.name), escape(item.summary))
        out.print(table)
    if figures.incidents:
        out.print(
            f"incidents: {figures.found} of {figures.incidents} found (recall {figures.recall:.2f})"
            + (f", precision {figures.precision:.2f}" if figures.precision is not None else "")
            + (f", after {_length(figures.delay_minutes)} (median; {figures.delay_windows:.2f} windows)" if figures.found else "")
        )
        for missed in answer["missed"]:
            out.print(f"  missed: {missed}", markup=False)
    noun = "false alerts" if figures.incidents else "alerts"
    out.print(f"{noun}: {figures.false_per_day:.2f} a day, {figures.false_per_key_month:.3f} a key and month")
    if comparison is not None:
        other = answer["against"]
        out.print(
            f"against the second file: both tell {other['both']}, only the first {len(comparison.only_first)}, only the second "
            f"{len(comparison.only_second)}"
            + (f"; the second is {comparison.lead_minutes:+.0f} minutes ahead on average" if comparison.lead_minutes is not None else "")
        )
        for name, items in (("first", comparison.only_first), ("second", comparison.only_second)):
            for item in items[:_ALERTS_SHOWN]:
                out.print(f"  only the {name}: {_time(item.minute)} {item.rule} {item.key.name}", markup=False)
    if "picture" in answer:
        out.print(f"picture: {answer['picture']} ({answer['panels']} keys)", markup=False)


def _show_trials(out: Console, trials: list[Trial], best: list[Trial]) -> None:
    names = list(trials[0].parameters)
    table = Table(*names, "recall", "precision", "false a day", "median delay", "alerts", "", title="Sweep")
    rest = [trial for trial in trials if trial not in best]
    for trial in [*best, *rest]:
        figures = trial.score
        table.add_row(
            *(str(trial.parameters[name]) for name in names),
            "-" if figures.recall is None else f"{figures.recall:.2f}",
            "-" if figures.precision is None or not figures.incidents else f"{figures.precision:.2f}",
            f"{figures.false_per_day:.2f}",
            _length(figures.delay_minutes),
            str(figures.alerts),
            "[green]Pareto" if trial in best else "",
        )
    out.print(table)
