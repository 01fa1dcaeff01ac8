"""The command line as a user meets it: help with examples, faults in one line, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
import typer
from typer.testing import CliRunner

from streams import __version__, cli
from streams.commands.running import where_it_runs
from streams.errors import BellwetherError, SettingsError, StackError, TransientError
from streams.settings import load_settings

ROOT = Path(__file__).parents[4]


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))  # type: ignore[arg-type]
        else:
            yield (*path, name), command


ROOT_COMMAND = typer.main.get_command(cli.app)
ALL = dict(commands(ROOT_COMMAND))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def bellwether(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **variables}
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_commands_of_the_service_are_there() -> None:
    assert {"demo", "up", "worker", "replay", "doctor", "topics", "config", "audit"} <= {path[0] for path in ALL}


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli.app, [*path, "--help"])
    assert result.exit_code == 0, result.output
    assert "Example:" in result.output
    assert path[-1] in result.output.split("Example:", 1)[1]


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_option_says_what_it_does(path: tuple[str, ...]) -> None:
    for parameter in ALL[path].params:
        assert getattr(parameter, "help", None), f"{path}: {parameter.name}"


def test_help_comes_by_its_short_name_and_the_version_by_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert CliRunner().invoke(cli.app, ["-h"]).exit_code == 0
    assert CliRunner().invoke(cli.app, ["--version"]).output == f"bellwether {__version__}\n"


BAD = [
    (["config", "--set", "scoring.batch_size=many"], {}, "scoring.batch_size", "BELLWETHER_SCORING__BATCH_SIZE=128"),
    (["config", "--set", "nope"], {}, "--set nope", "--set scoring.batch_size=64"),
    (["config", "--set", "nope.x=1"], {}, "nope.x: there is no such setting", "bellwether config"),
    (["config", "--config", "absent.toml"], {}, "absent.toml", "BELLWETHER_CONFIG"),
    (["worker", "--agents", "score,read"], {}, "worker.agents", "BELLWETHER_WORKER__AGENTS="),
    (["worker", "--agents", "watch"], {}, "watch and notify go together", "BELLWETHER_WORKER__AGENTS="),
    (["topics"], {"BELLWETHER_KAFKA__BOOTSTRAP_SERVERS": "kafka"}, "kafka.bootstrap_servers", "kafka-1:9092"),
    (["doctor"], {"BELLWETHER_SEARCH__URL": "search:9200"}, "search.url", "https://search:9200"),
    (["up"], {"BELLWETHER_NOPE": "1"}, "BELLWETHER_NOPE", "bellwether config"),
    (["demo", "--once"], {"BELLWETHER_ALERTS__MIN_SHARE": "2"}, "alerts.min_share", "BELLWETHER_ALERTS__MIN_SHARE=0.5"),
    (["audit"], {"BELLWETHER_LOG_LEVEL": "loud"}, "log_level", "BELLWETHER_LOG_LEVEL=debug"),
]


@pytest.mark.parametrize(
    ("arguments", "variables", "says", "mend"), BAD, ids=lambda value: " ".join(value) if isinstance(value, list) else None
)
def test_a_bad_setting_is_one_line_and_its_mend_with_exit_2(
    arguments: list[str],
    variables: dict[str, str],
    says: str,
    mend: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["bellwether", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    output = capsys.readouterr()
    assert caught.value.code == 2
    assert output.out == ""
    first, second = output.err.splitlines()
    assert first.startswith("error: ")
    assert says in first
    assert second.startswith(" mend: ")
    assert mend in second


def test_the_real_program_says_it_in_two_lines_however_narrow_the_terminal(own_folder: Path) -> None:
    result = bellwether("config", folder=own_folder, BELLWETHER_KAFKA__BOOTSTRAP_SERVERS="x" * 300)
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 2
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [["nope"], ["replay"], ["config", "--nope"], ["worker", "--metrics-port", "many"]], ids=" ".join)
def test_wrong_usage_is_exit_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("x: [bold]wrong[/bold]", mend="[do] that"), 2),
        (BellwetherError("x: [bold]wrong[/bold]", mend="[do] that"), 1),
        (StackError("x: [bold]wrong[/bold]", mend="[do] that"), 1),
        (TransientError("x: [bold]wrong[/bold]", mend="[do] that"), 1),
    ],
)
def test_errors_are_shown_as_they_are(
    error: BellwetherError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise error

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == code
    assert capsys.readouterr().err == "error: x: [bold]wrong[/bold]\n mend: [do] that\n"


def test_ctrl_c_is_exit_130_without_a_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 130
    assert capsys.readouterr().err == ""


def test_a_broker_that_was_named_wins_over_a_running_stack(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = load_settings(kafka={"bootstrap_servers": "127.0.0.1:1"})
    monkeypatch.setattr("streams.embedded.stack.find_stack", lambda data: SimpleNamespace(settings=lambda settings: stack))
    named = load_settings(kafka={"bootstrap_servers": "kafka-1:9092"})
    assert where_it_runs(named) is named
    assert where_it_runs(load_settings()) is stack
    assert where_it_runs(load_settings(kafka={"group": "mine"})) is stack, "a group is no broker"


def test_without_a_running_stack_the_settings_stand(own_folder: Path) -> None:
    settings = load_settings(embedded={"data": own_folder})
    assert where_it_runs(settings) is settings


def test_an_empty_data_folder_and_no_broker_is_said_plainly(own_folder: Path) -> None:
    result = bellwether("topics", "--data", str(own_folder), folder=own_folder, BELLWETHER_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "127.0.0.1:1" in result.stderr
    assert " mend:" in result.stderr
