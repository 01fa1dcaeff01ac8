"""The demo's tellers: the terminal is left as it was found, and without one the start is told line by line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from streams.commands import demo
from streams.live.summary import Phase, Snapshot
from streams.settings import load_settings


def test_the_screen_does_not_wrap_and_gives_the_terminal_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(demo, "Console", lambda: Console(file=file, force_terminal=True, width=80, height=24))

    def broken() -> None:
        with demo._screen(load_settings(embedded={"data": tmp_path})) as screen:
            screen.tell(Snapshot(Phase.STARTING, 500, children=[("triton", "starting", "")]))
            raise RuntimeError("something else broke")

    with pytest.raises(RuntimeError):
        broken()
    written = file.getvalue()
    assert written.index("\x1b[?1049h") < written.index("\x1b[?7l") < written.index("loading the model")
    assert written.rindex("loading the model") < written.index("\x1b[?7h") < written.rindex("\x1b[?1049l")


def test_without_a_terminal_every_step_is_told_once() -> None:
    file = io.StringIO()
    lines = demo._Lines(Console(file=file, width=80))
    for seconds, state in ((0.1, "stopped"), (0.5, "starting"), (0.9, "starting"), (3.2, "up")):
        lines.tell(Snapshot(Phase.STARTING, 500, seconds=seconds, children=[("triton", state, "")]))
    lines.tell(Snapshot(Phase.STREAMING, 500, seconds=4.0, latest=[{"title": "x"}]))
    lines.stopping()
    assert file.getvalue().splitlines() == [
        "  0.1 s  starting",
        "  0.5 s  triton starting",
        "  3.2 s  triton up",
        "  4.0 s  streaming the newswire",
        "stopping: finishing what is under way …",
    ]
    assert lines.last is not None
    assert lines.last.latest == [{"title": "x"}]


@pytest.mark.parametrize("kept", [True, False])
def test_a_demo_that_was_stopped_says_what_is_kept(kept: bool, tmp_path: Path) -> None:
    from streams.embedded.journal import Journal

    journal = Journal(tmp_path / "journal.db")
    journal.append([b"one", b"two"])
    journal.close()
    said = demo._what_is_kept(load_settings(embedded={"data": tmp_path}), kept=kept)
    assert ("0 documents that are done and 2 for the next start" in said) is kept
    assert ("nothing is kept" in said) is not kept
