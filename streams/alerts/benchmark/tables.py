"""What was measured, as tables for a terminal, a page or a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streams.alerts.benchmark.bankruptcies import Outcome as Mentioned
from streams.alerts.benchmark.injection import Injected
from streams.alerts.benchmark.measuring import Outcome, parts
from streams.alerts.benchmark.nab.measuring import NabReport

__all__ = ["Table", "bankruptcy_tables", "markdown", "nab_tables", "standard_tables"]

_CAUSES = ("nothing", "burst", "story", "campaign", "outage")


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as people read them; the first column is text, the others are numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def markdown(tables: Sequence[Table]) -> str:
    """The tables as GitHub's Markdown."""
    lines = []
    for table in tables:
        lines += [f"**{table.title}**", "", _line(table.head), _line(["---", *["---:"] * (len(table.head) - 1)])]
        lines += [*(_line(row) for row in table.rows), ""]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def nab_tables(report: NabReport) -> list[Table]:
    """Detectors; the parameters around ours; each series with the parameters that suit the others."""
    rows = [
        (
            row.detector,
            f"{row.fixed.normalised:.1f}",
            f"{row.optimised.normalised:.1f}",
            *(f"{file.points:.2f} ({file.found}/{file.windows}, {file.false_positives})" for file in row.fixed.files),
        )
        for row in report.rows
    ]
    head = ("detector", "fixed threshold", "best threshold", *report.titles)
    tables = [Table(f"NAB, profile {report.profile.name}; a series: points (windows found, rows wrongly flagged)", head, tuple(rows))]
    if report.grid:
        days = sorted({days for _, days in report.grid})
        windows = sorted({window for window, _ in report.grid})
        cells = [(f"{window // 60} h", *(f"{report.grid[window, once]:.1f}" for once in days)) for window in windows]
        tables.append(
            Table("The score with other windows and return periods", ("window", *(f"{once} days" for once in days)), tuple(cells))
        )
    if report.left_out:
        left = [(one.series, f"{one.window // 60} h", f"{one.once_in} days", f"{one.normalised:.1f}") for one in report.left_out]
        left.append(("all four", "", "", f"{report.left_out_normalised:.1f}"))
        tables.append(Table("Parameters chosen on the other three series", ("series", "window", "once in", "score"), tuple(left)))
    return tables


def standard_tables(outcomes: Sequence[Outcome]) -> list[Table]:
    """Rule files side by side; for each the incidents by kind, shape and size, and what false alerts were about."""
    head = ("rules", "recall", "precision", "false alerts per key and month", "median windows to detect", "alerts", "documents/s")
    rows = [
        (
            one.name,
            f"{one.recall:.3f} ({sum(delay is not None for _, delay in one.found)}/{len(one.found)})",
            f"{one.precision:.3f}",
            f"{one.false_per_key_month:.2f}",
            _number(one.delay),
            str(one.alerts),
            f"{one.documents / one.seconds:,.0f}" if one.seconds else "",
        )
        for one in outcomes
    ]
    tables = [Table("The standard stream", head, tuple(rows))]
    causes = [(one.name, *(str(one.false[cause]) for cause in _CAUSES)) for one in outcomes]
    tables.append(Table("False alerts by what happened in their window", ("rules", *_CAUSES), tuple(causes)))
    by: dict[str, Callable[[Injected], str]] = {
        "kind": lambda item: item.kind,
        "shape": lambda item: item.shape,
        "size": lambda item: f"{item.kind} {item.size:g}",
    }
    for name, of in by.items():
        split = [{part.name: part for part in parts(one, of)} for one in outcomes]
        lines = [
            (what, *(f"{mine[what].found}/{mine[what].incidents}, {_number(mine[what].delay)}" for mine in split)) for what in split[0]
        ]
        tables.append(
            Table(f"Found of the incidents by {name}, and median windows to detect", (name, *(one.name for one in outcomes)), tuple(lines))
        )
    return tables


def bankruptcy_tables(outcomes: Sequence[Mentioned], loud: float = 20.0) -> list[Table]:
    """One line for each company whose name fell at least `loud` times on one day around the date, and the sums of all."""
    shown = sorted((one for one in outcomes if one.most >= loud), key=lambda one: (one.first is None, one.first or 0, one.company))
    rows = [(one.company, f"{one.most:.0f}", "silent" if one.first is None else f"{one.first:+d}", str(one.false)) for one in shown]
    months = sum(one.judged_days for one in outcomes) / 30.0
    sums = []
    for name, some in (("loud", shown), ("all", list(outcomes))):
        found = [one.first for one in some if one.first is not None]
        early = sum(first < 0 for first in found)
        on_time = sum(first <= 0 for first in found)
        false = sum(one.false for one in some) / (sum(one.judged_days for one in some) / 30.0) if some else 0.0
        sums.append((name, str(len(some)), str(len(found)), str(on_time), str(early), f"{false:.2f}"))
    head = ("companies", "number", "noticed", "by the day", "days before", "false alerts per company and month")
    title = f"Alerts from 10 days before to 3 days after the bankruptcy ({months:.0f} company-months judged for false ones)"
    return [
        Table(title, head, tuple(sums)),
        Table("Loud companies", ("company", "most in a day", "first alert, day", "false alerts"), tuple(rows)),
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
