"""`bellwether backtest` and `bellwether tune`: what a person types, and what a script reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli import app
from streams.errors import BellwetherError, SettingsError

RUNNER = CliRunner()
START = datetime(2026, 3, 2, tzinfo=UTC)
RULES = """
rules:
  - name: shares
    window: 3h
    detector: {type: share, max_p_value: 1.0e-4, baseline: 7d}
    evidence: {documents: 8}
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Ten days of a bank, one document in forty minutes; on the ninth every ten minutes, all negative."""
    rows: list[dict[str, Any]] = []
    for number in range(10 * 36):
        at = START + timedelta(minutes=40 * number)
        rows.append(
            {"id": f"q{number}", "published_at": at.isoformat(), "label": ("negative", "positive", "neutral")[number % 3], "target": "بنك"}
        )
    for number in range(30):
        at = START + timedelta(days=8, minutes=10 * number)
        rows.append({"id": f"c{number}", "published_at": at.isoformat(), "label": "negative", "target": "بنك"})
    data, rules, incidents = tmp_path / "data.jsonl", tmp_path / "rules.yaml", tmp_path / "incidents.json"
    data.write_text("\n".join([*map(json.dumps, rows), "{broken"]), encoding="utf-8")
    rules.write_text(RULES, encoding="utf-8")
    incident = {"key": "بنك", "start": (START + timedelta(days=8)).isoformat(), "end": (START + timedelta(days=8, hours=6)).isoformat()}
    incidents.write_text(json.dumps([incident]), encoding="utf-8")
    return {"data": str(data), "rules": str(rules), "incidents": str(incidents)}


def answer(*arguments: str) -> Any:
    result = RUNNER.invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_figures_for_scripts(files: dict[str, str]) -> None:
    found = answer("backtest", files["rules"], files["data"], "--incidents", files["incidents"])
    assert (found["documents"], found["unreadable"], found["keys"], found["alerts"]) == (390, 1, 1, 1)
    assert (found["incidents"], found["found"], found["recall"], found["precision"]) == (1, 1, 1.0, 1.0)
    assert 0 < found["delay_windows"] <= 1
    assert found["missed"] == []
    (alert,) = found["alerts_told"]
    assert (alert["rule"], alert["key"], alert["outside_incidents"]) == ("shares", "entity:بنك", False)
    assert START + timedelta(days=8) < datetime.fromisoformat(alert["at"]) < START + timedelta(days=8, hours=6)


def test_words_for_people_and_a_picture(files: dict[str, str], tmp_path: Path) -> None:
    result = RUNNER.invoke(
        app, ["backtest", files["rules"], files["data"], "--incidents", files["incidents"], "--picture", str(tmp_path / "run.svg")]
    )
    assert result.exit_code == 0, result.output
    for expected in (
        "390 documents",
        "1 lines cannot be read",
        "line 391",
        "1 of 1 found (recall 1.00)",
        "precision 1.00",
        "picture:",
        "بنك",
    ):
        assert expected in result.output
    assert (tmp_path / "run.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_without_incidents_alerts_are_counted_and_not_called_false(files: dict[str, str]) -> None:
    result = RUNNER.invoke(app, ["backtest", files["rules"], files["data"]])
    assert "\nalerts: 0.10 a day" in result.output
    assert "recall" not in result.output


def test_two_files_are_compared(files: dict[str, str], tmp_path: Path) -> None:
    deaf = tmp_path / "deaf.yaml"
    deaf.write_text(RULES.replace("documents: 8", "documents: 500"), encoding="utf-8")
    found = answer("backtest", files["rules"], files["data"], "--incidents", files["incidents"], "--against", str(deaf))
    assert (found["against"]["alerts"], found["against"]["recall"], len(found["against"]["only_first"])) == (0, 0.0, 1)
    same = answer("backtest", files["rules"], files["data"], "--against", files["rules"])
    assert (same["against"]["both"], same["against"]["only_second"], same["against"]["second_leads_by_minutes"]) == (1, [], 0)
    assert "only the first" in RUNNER.invoke(app, ["backtest", files["rules"], files["data"], "--against", str(deaf)]).output


def test_a_sweep_marks_what_nothing_beats(files: dict[str, str]) -> None:
    arguments = ["backtest", files["rules"], files["data"], "--incidents", files["incidents"], "--sweep", "evidence.documents=8,500"]
    trials = answer(*arguments)["trials"]
    assert [(trial["evidence.documents"], trial["recall"], trial["pareto"]) for trial in trials] == [(8, 1.0, True), (500, 0.0, False)]
    assert "Pareto" in RUNNER.invoke(app, arguments).output


def test_tuning_proposes_and_says_so_when_it_cannot(files: dict[str, str], tmp_path: Path) -> None:
    (proposal,) = answer("tune", files["rules"], files["data"], "--incidents", files["incidents"], "--false-alerts-per-week", "2")
    assert proposal["parameter"] == "detector.max_p_value"
    assert proposal["tried"][-1]["value"] == proposal["proposal"]
    assert proposal["unseen"]["recall"] == 1.0
    result = RUNNER.invoke(app, ["tune", files["rules"], files["data"], "--false-alerts-per-week", "2"])
    assert "max_p_value:" in result.output or proposal["proposal"] == proposal["before"]
    jumpy = tmp_path / "jumpy.yaml"
    jumpy.write_text(
        "rules:\n  - {name: jumpy, signal: documents, window: 20m, hop: 20m, cool_down: 12h, evidence: {documents: 1},"
        " detector: {type: threshold, above: 0.01}}\n",
        encoding="utf-8",
    )
    result = RUNNER.invoke(app, ["tune", str(jumpy), files["data"], "--false-alerts-per-week", "2"])  # dozens of alerts
    assert result.exit_code == 1
    assert "none stays within the target" in result.output


@pytest.mark.parametrize(
    ("arguments", "fault", "message"),
    [
        (["backtest", "RULES", "absent.jsonl"], BellwetherError, "cannot be read"),
        (["backtest", "absent.yaml", "DATA"], SettingsError, "absent.yaml"),
        (["backtest", "RULES", "DATA", "--sweep", "nonsense"], SettingsError, "no parameter with values"),
        (["backtest", "RULES", "DATA", "--sweep", "window=1h", "--against", "RULES"], SettingsError, "cannot be given together"),
        (["backtest", "RULES", "DATA", "--picture", "run.gif"], BellwetherError, "neither .svg nor .png"),
        (["backtest", "RULES", "DATA", "--zone", "Mars"], SettingsError, "no such time zone"),
        (["tune", "RULES", "DATA", "--false-alerts-per-week", "0.01"], SettingsError, "too short"),
    ],
)
def test_bad_input_is_one_line(files: dict[str, str], arguments: list[str], fault: type[Exception], message: str) -> None:
    named = {"RULES": files["rules"], "DATA": files["data"]}
    result = RUNNER.invoke(app, [named.get(part, part) for part in arguments])
    assert result.exit_code != 0
    assert isinstance(result.exception, fault)
    assert message in str(result.exception)
