"""The live terminal view: what is starting, counts per stage, rate, latest documents, alerts as they fire, where to look."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Final

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from streams.live.summary import Addresses, AlertSummary, Phase, Snapshot, Summary

__all__ = ["render", "render_summary"]

_COLOURS = {"negative": "red", "neutral": "bright_black", "positive": "green"}
_MARKS = {"up": ("✓", "green"), "off": ("–", "bright_black"), "stopped": ("·", "bright_black"), "failed": ("✗", "red")}
_WORK = {
    "broker": "opening its port",
    "search": "opening its index",
    "triton": "loading the model: the longest part",
    "worker": "joining the consumer group: about 5 s",
}
"""What a part is doing while it starts."""

_ROWS: Final = 12
_FEWEST_ROWS: Final = 2
_HEADER_LINES: Final = 6
_FRAME_LINES: Final = 3
_ADDRESS_LINES: Final = 6
# Isolates keep right-to-left headlines from reordering the columns around them (Unicode UAX 9).
_ISOLATE, _POP = "\u2068", "\u2069"


def render(snapshot: Snapshot, *, size: tuple[int, int] | None = None, addresses: Addresses | None = None) -> RenderableType:
    """The whole screen for one moment.

    Args:
        snapshot: the moment.
        size: columns and lines of the terminal; None: as many lines as the view likes to have.
        addresses: where the user can look, once there is something to see.
    """
    header = _header(snapshot)
    if snapshot.phase == Phase.STARTING:
        return Group(header, _start(snapshot))
    if size is None:
        return Group(header, _documents(snapshot, _ROWS), _alerts(snapshot.alerts), *_optional(addresses))
    width, height = size
    left = height - _HEADER_LINES - (_ADDRESS_LINES if addresses is not None else 0)
    # A low terminal shows fewer documents, then less of what an alert says: that it fired must be seen.
    brief = left < 30
    headlines = 4 if left >= 24 else 2 if left >= 12 else 1
    rows = left - _alert_lines(snapshot.alerts, headlines=headlines, brief=brief, width=width) - _FRAME_LINES
    parts: list[RenderableType] = [header]
    if rows >= _FEWEST_ROWS:
        parts.append(_documents(snapshot, min(rows, _ROWS)))
    return Group(*parts, _alerts(snapshot.alerts, headlines=headlines, brief=brief), *_optional(addresses))


def render_summary(summary: Summary) -> RenderableType:
    """What is printed at the end."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="bright_black")
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(summary.dead_letter_reasons.items(), key=lambda item: -item[1]))
    for name, value, note in (
        ("documents in", summary.documents_in, ""),
        ("indexed", summary.indexed, f"{summary.near_copies:,} of them near-copies, linked to the first"),
        ("duplicates", summary.duplicates, "the same document again"),
        ("dead-lettered", summary.dead_lettered, reasons),
        ("filtered", summary.filtered, ""),
    ):
        table.add_row(name, f"{value:,}", Text(note))
    languages = "  ".join(f"{code} {count}" for code, count in sorted(summary.languages.items(), key=lambda item: -item[1]))
    books = Text("the books balance: nothing was lost", "green") if summary.balanced else Text("THE BOOKS DO NOT BALANCE", "bold red")
    rate = Text(
        f"up after {summary.startup_seconds:.1f} s, then {summary.seconds:.1f} s: {summary.documents_per_second:.0f} documents a second,"
        f" scored by {summary.scorer}"
    )
    told = Text(f"webhook deliveries with a right signature: {summary.webhooks_verified}")
    parts: list[RenderableType] = [
        table,
        books,
        rate,
        told,
        Text(f"{len(summary.languages)} languages: {languages}"),
        _alerts(summary.alerts),
    ]
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
        stages.add_column(justify="center", no_wrap=True)
    stages.add_row(*(Text(name, "bright_black") for name in names))
    stages.add_row(*(Text(f"{value:,}" if isinstance(value, int) else value, "bold") for value in values))
    children = Text("  ", no_wrap=True, overflow="ellipsis")
    for name, state, detail in snapshot.children:
        mark, colour = _MARKS.get(state, ("◌", "yellow"))
        children.append(f"{mark} ", colour)
        children.append(f"{name}  ", "default")
        if detail:
            children.append(f"{detail}  ", "bright_black")
    bar = ProgressBar(total=max(snapshot.total, 1), completed=ended, pulse=snapshot.phase == Phase.STARTING)
    title = Text(f"Bellwether · {snapshot.phase} · {snapshot.seconds:.0f} s", no_wrap=True, overflow="ellipsis")
    # Text, not markup: a folder may have brackets in its name.
    subtitle = Text(snapshot.address, no_wrap=True, overflow="ellipsis") if snapshot.address else None
    return Panel(Group(children, stages, bar), title=title, subtitle=subtitle)


def _start(snapshot: Snapshot) -> Panel:
    """What is up already, and what the user is waiting for."""
    table = Table.grid(padding=(0, 2))
    for name, state, detail in snapshot.children:
        mark, colour = _MARKS.get(state, ("◌", "yellow"))
        doing = _WORK.get(name, "") if state in {"starting", "restarting"} else "waits for the others" if state == "stopped" else ""
        said = Text(detail or doing, "bright_black", no_wrap=True, overflow="ellipsis")
        table.add_row(Text(mark, colour), Text(name), Text(state if state != "stopped" else "", colour), said)
    return Panel(table, title="Starting, usually 10 to 20 seconds")


def _documents(snapshot: Snapshot, rows: int) -> Panel:
    table = Table(expand=True, box=None, show_edge=False, pad_edge=False)
    table.add_column("lang", width=4)
    table.add_column("sentiment", width=10)
    table.add_column("score", width=6, justify="right")
    table.add_column("topic", max_width=24, ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("headline", ratio=3, no_wrap=True, overflow="ellipsis")
    for document in snapshot.latest[:rows]:
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
    for _ in range(rows - len(snapshot.latest[:rows])):
        table.add_row("", "", "", "", "")
    return Panel(table, title="Latest documents")


def _alerts(alerts: list[AlertSummary], *, headlines: int = 4, brief: bool = False) -> Panel:
    """The alerts. Brief: one line for what the newest says, and one in all for each of the others."""
    if not alerts:
        return Panel(Text("no alert so far", "bright_black"), title="Alerts")
    parts: list[RenderableType] = []
    for number, alert in enumerate(alerts):
        parts.append(_fired(alert))
        if brief and number:
            continue
        parts.append(Text(alert.summary, no_wrap=brief, overflow="ellipsis" if brief else "fold"))
        shown = [
            Text(f"   {_isolated(headline)}", "bright_black", no_wrap=True, overflow="ellipsis") for headline in alert.headlines[:headlines]
        ]
        if alert.words and not brief and alert.words_of < len(shown):
            shown.insert(alert.words_of + 1, Text(f"      {alert.words}", "red", no_wrap=True, overflow="ellipsis"))
        parts += shown
    states = Counter(alert.status for alert in alerts)
    counts = ", ".join(f"{count} {'firing' if state == 'firing' else f'fired and {state}'}" for state, count in states.items())
    return Panel(Group(*parts), title=Text(f"Alerts · {counts}", "bold red"), border_style="red")


def _alert_lines(alerts: list[AlertSummary], *, headlines: int, brief: bool, width: int) -> int:
    """How many lines :func:`_alerts` takes at most: wrapping at words may cost a line more than the letters need."""
    if not alerts:
        return 3
    shown = alerts[:1] if brief else alerts
    summaries = sum(1 if brief else cell_len(alert.summary) // max(width - 12, 1) + 1 for alert in shown)
    words = 0 if brief else sum(bool(alert.words) for alert in shown)
    return 2 + len(alerts) + summaries + words + sum(len(alert.headlines[:headlines]) for alert in shown)


def _fired(alert: AlertSummary) -> Text:
    """One line that cannot be taken for anything but an alert that fired, whether or not it is over by now."""
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f" {alert.severity.upper()} ", "bold white on red")
    line.append(f" {_isolated(alert.name)}", "bold red")
    line.append(f"  fired {_minute(alert.starts_at)} UTC", "bold")
    if alert.resolved_at is not None:
        line.append(f", resolved {_minute(alert.resolved_at, alert.starts_at)}", "green")
    elif alert.status != "firing":
        line.append(f", {alert.status} since", "green")
    else:
        line.append(", firing", "red")
    return line


def _minute(instant: str, after: str = "") -> str:
    """``2026-03-04 12:48`` of an ISO 8601 instant; without the day where `after` has the same one."""
    return instant[11:16] if instant[:10] == after[:10] else instant[:16].replace("T", " ")


def _optional(addresses: Addresses | None) -> list[Panel]:
    if addresses is None:
        return []
    lines = (
        f"curl '{addresses.search}/{addresses.index}-documents-*/_search?q=bank&pretty'",
        f"curl '{addresses.search}/{addresses.index}-alerts/_search?pretty'",
        f"{addresses.program} topics --data {addresses.data}",
        f"Kafka {addresses.kafka} · everything runs on until Ctrl-C",
    )
    text = Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
    return [Panel(text, title="The newswire is through. Try in another terminal:", border_style="green")]


def _isolated(text: str) -> str:
    """`text`, isolated where it is written from right to left (Unicode UAX 9); other scripts need none."""
    if any(unicodedata.bidirectional(letter) in {"R", "AL"} for letter in text):
        return f"{_ISOLATE}{text}{_POP}"
    return text
