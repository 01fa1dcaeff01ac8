from __future__ import annotations

import io

from rich.console import Console

from models.progress import Lines, shown_progress


def test_a_line_a_minute_and_one_for_every_new_step() -> None:
    now = [0.0]
    lines: list[str] = []
    show = Lines(lines.append, every=60, clock=lambda: now[0])
    show("reading", 0, 1)
    for second in range(0, 181, 10):
        now[0] = float(second)
        show("fine-tuning", 1_000 + second, 1_600)
    show("done", 1, 1)
    assert lines == [
        "reading",
        "fine-tuning 1,000/1,600",
        "fine-tuning 1,060/1,600, 9 min left",
        "fine-tuning 1,120/1,600, 8 min left",
        "fine-tuning 1,180/1,600, 7 min left",
        "done",
    ]


def test_a_terminal_gets_bars_and_a_file_gets_lines() -> None:
    shown = {}
    for terminal in (True, False):
        stream = io.StringIO()
        with shown_progress(Console(file=stream, force_terminal=terminal, width=100)) as show:
            show("embedding", 5, 10)
            show("embedding", 10, 10)
        shown[terminal] = stream.getvalue()
    assert shown[False] == "embedding 5/10\n"
    assert "10/10" in shown[True]
    assert "━" in shown[True]
