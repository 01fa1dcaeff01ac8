"""The command line of `bellwether why`; its answers are tested against a real index."""

from __future__ import annotations

import socket
from pathlib import Path

import typer
from typer.testing import CliRunner, Result

from streams.commands import why
from streams.errors import BellwetherError, TransientError


def _invoke(*arguments: str) -> Result:
    app = typer.Typer()
    why.register(app)
    return CliRunner().invoke(app, list(arguments))


def test_a_time_that_is_none_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    result = _invoke("negative-share", "x", "--at", "noon", "--data", str(tmp_path))
    assert isinstance(result.exception, BellwetherError)
    assert not isinstance(result.exception, TransientError)
    assert str(result.exception).startswith("--at noon: not a time (for example --at 2026-04-07T15:00")


def test_a_server_that_is_away_is_named(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = _invoke("negative-share", "x", "--data", str(tmp_path), "-s", f"search.url=http://127.0.0.1:{port}")
    assert isinstance(result.exception, TransientError)
    assert f"127.0.0.1:{port}: connecting" in result.exception.message
    assert result.exception.mend


def test_how_many_decisions_are_shown_is_bounded() -> None:
    for limit in ("0", "101", "many"):
        assert _invoke("negative-share", "x", "--limit", limit).exit_code == 2
