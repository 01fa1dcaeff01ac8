"""The live terminal view: counts per stage, rate, latest documents, alerts as they fire."""

from __future__ import annotations

import unicodedata

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from streams.live.summary import AlertSummary, Snapshot, Summary

__all__ = ["render", "render_summary"]

_COLOURS = {"negative": "red", "neutral": "bright_black", "positive": "green"}
_ROWS = 10
# Isolates keep right-to-left headlines from reordering the columns around them (Unicode UAX 9).
_ISOLATE, _POP = "\u2068", "\u2069"


def render(snapshot: Snapshot) -> RenderableType:
    """The whole screen for one moment."""
    return Group(_header(snapshot), _documents(snapshot), _alerts(snapshot.alerts))


def render_summary(summary: Summary) -> RenderableType:
    """What is printed at the end."""
    table = Table.grid(padding=(0, 2))
    for name, value in (
        ("documents in", summary.documents_in),
        ("indexed", summary.indexed),
        ("  of them near-copies", summary.near_copies),
        ("duplicates", summary.duplicates),
        ("dead-lettered", summary.dead_lettered),
        ("filtered", summary.filtered),
    ):
        table.add_row(name, Text(f"{value:,}", justify="right"))
    languages = "  ".join(f"{code} {count}" for code, count in sorted(summary.languages.items(), key=lambda item: -item[1]))
    books = Text("the books balance: nothing was lost", "green") if summary.balanced else Text("THE BOOKS DO NOT BALANCE", "bold red")
    rate = Text(f"{summary.seconds:.1f} s, {summary.documents_per_second:.0f} documents a second by {summary.scorer}")
    parts: list[RenderableType] = [table, books, rate, Text(f"languages: {languages}"), _alerts(summary.alerts)]
    return Panel(Group(*parts), title="Summary", border_style="green" if summary.balanced else "red")


def _header(snapshot: Snapshot) -> Panel:
    ended = snapshot.indexed + snapshot.duplicates + snapshot.dead + snapshot.filtered
    stages = Table.grid(expand=True)
    names = ("in", "under way", "indexed", "duplicates", "dead-lettered", "filtered", "docs/s")
    values = (
        snapshot.produced,
        snapshot.pending,
        snapshot.indexed,
        snapshot.duplicates,
        snapshot.dead,
        snapshot.filtered,
        f"{snapshot.rate:.0f}",
    )
    for _ in names:
        stages.add_column(justify="center")
    stages.add_row(*(Text(name, "bright_black") for name in names))
    stages.add_row(*(Text(f"{value:,}" if isinstance(value, int) else value, "bold") for value in values))
    children = Text("  ")
    for name, state, detail in snapshot.children:
        children.append("● ", "green" if state in {"up", "off"} else "yellow")
        children.append(f"{name} ", "default")
        children.append(f"{detail}  ", "bright_black")
    bar = ProgressBar(total=max(snapshot.total, 1), completed=ended, pulse=ended == 0)
    title = Text(f"Bellwether · {snapshot.phase} · {snapshot.seconds:.0f} s")
    # Text, not markup: a folder may have brackets in its name.
    return Panel(Group(children, stages, bar), title=title, subtitle=Text(snapshot.address) if snapshot.address else None)


def _documents(snapshot: Snapshot) -> Panel:
    table = Table(expand=True, box=None, show_edge=False, pad_edge=False)
    table.add_column("lang", width=4)
    table.add_column("sentiment", width=10)
    table.add_column("score", width=6, justify="right")
    table.add_column("topic", width=24, no_wrap=True, overflow="ellipsis")
    table.add_column("headline", ratio=1, no_wrap=True, overflow="ellipsis")
    for document in snapshot.latest[:_ROWS]:
        label = document.get("sentiment") or "unscored"
        colour = _COLOURS.get(label, "yellow")
        score = document.get("score")
        table.add_row(
            document.get("language") or "",
            Text(label, colour),
            Text("" if score is None else f"{score:+.2f}", colour),
            Text(document.get("topic") or "", "bright_black"),
            Text(_isolated(document.get("title") or "–")),
        )
    for _ in range(_ROWS - len(snapshot.latest[:_ROWS])):
        table.add_row("", "", "", "", "")
    return Panel(table, title="Latest documents")


def _alerts(alerts: list[AlertSummary]) -> Panel:
    if not alerts:
        return Panel(Text("no alert so far", "bright_black"), title="Alerts")
    parts: list[RenderableType] = []
    for alert in alerts:
        head = Text(f"{alert.severity.upper()} {alert.name}", "bold red" if alert.status == "firing" else "green")
        head.append(f"  {alert.status}, began {alert.starts_at[:16].replace('T', ' ')} UTC", "bright_black")
        parts += [head, Text(alert.summary)]
        parts += [Text(f"   {_isolated(headline)}", "bright_black", no_wrap=True, overflow="ellipsis") for headline in alert.headlines[:4]]
    return Panel(Group(*parts), title="Alerts", border_style="red")


def _isolated(text: str) -> str:
    """`text`, isolated where it is written from right to left (Unicode UAX 9); other scripts need none."""
    if any(unicodedata.bidirectional(letter) in {"R", "AL"} for letter in text):
        return f"{_ISOLATE}{text}{_POP}"
    return text
