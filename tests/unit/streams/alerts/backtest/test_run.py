"""Runs over history: the same engine, the same alerts, at any rate."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from streams.alerts.backtest.incidents import Incident
from streams.alerts.backtest.parameters import parse_axis, with_parameters
from streams.alerts.backtest.picture import draw
from streams.alerts.backtest.run import BATCH, count_keys, run
from streams.alerts.backtest.scoring import score
from streams.alerts.backtest.sweep import pareto, sweep
from streams.alerts.backtest.tuning import tune
from streams.alerts.engine import Engine
from streams.alerts.rules.reading import RuleSet
from streams.alerts.sighting import Sighting
from streams.errors import BellwetherError, SettingsError

WINDOWS = {"shares": 180}


def test_the_incident_is_found_early_and_nothing_else_is_told(history: list[Sighting], rules: RuleSet, incident: Incident) -> None:
    found = run(rules, history)
    figures = score(found, [incident], WINDOWS, keys=count_keys(rules, history))
    assert [(item.rule, item.key.value) for item in found.detections] == [("shares", "bank")]
    assert (figures.recall, figures.precision, figures.false_alerts, figures.keys) == (1.0, 1.0, 0, 2)
    assert figures.delay_windows is not None
    assert 0 < figures.delay_windows <= 1
    assert found.documents == len(history)
    assert found.days == pytest.approx(15, abs=0.1)
    assert found.notices >= 2
    assert incident.start < found.ended[found.detections[0].id] <= incident.end + 24 * 60
    assert found.rate > 100


def test_a_run_tells_what_the_engine_tells_document_by_document(history: list[Sighting], rules: RuleSet) -> None:
    engine = Engine(rules)
    alerts = [alert for item in history for alert in engine.observe([item]).alerts]
    fired = [(alert.id, str(alert.key)) for alert in alerts if alert.reason == "fired"]
    assert [(item.id, str(item.key)) for item in run(rules, history).detections] == fired


def test_progress_reaches_the_end_and_nothing_is_a_run_too(history: list[Sighting], rules: RuleSet) -> None:
    told: list[tuple[int, int]] = []
    unwatched = [item._replace(id=f"{item.id}-{i}", entities=(), names=()) for i in range(4) for item in history][: BATCH + 10]
    run(rules, unwatched, progress=lambda done, total: told.append((done, total)))
    assert told == [(BATCH, BATCH + 10), (BATCH + 10, BATCH + 10)]
    assert run(rules, []).detections == []


def test_a_sweep_tries_everything_and_its_front_is_not_beaten(history: list[Sighting], rules: RuleSet, incident: Incident) -> None:
    axes = [parse_axis("detector.max_p_value=1e-2,1e-4,1e-30"), parse_axis("evidence.documents=8,500")]
    done: list[tuple[int, int]] = []
    trials = sweep(rules, history, [incident], axes, keys=2, progress=lambda *now: done.append(now))
    assert [tuple(trial.parameters.values()) for trial in trials] == [(p, n) for p in (1e-2, 1e-4, 1e-30) for n in (8, 500)]
    assert done[-1] == (6, 6)
    recalls = {tuple(trial.parameters.values()): trial.score.recall for trial in trials}
    assert recalls[1e-4, 8] == 1.0
    assert recalls[1e-4, 500] == recalls[1e-30, 8] == 0.0
    front = pareto(trials)
    assert [tuple(trial.parameters.values()) for trial in front] == [(1e-2, 8)]  # as much is found, sooner, at no cost
    alone = run(with_parameters(rules, {"detector.max_p_value": 1e-4}), history)
    assert score(alone, [incident], WINDOWS, keys=2) == next(
        trial.score for trial in trials if trial.parameters["detector.max_p_value"] == 1e-4
    )


def test_tuning_proposes_the_most_sensitive_value_within_the_target(history: list[Sighting], rules: RuleSet, incident: Incident) -> None:
    (proposal,) = tune(rules, history, [incident], false_per_week=1.0, keys=2)
    assert (proposal.rule, proposal.parameter, proposal.before) == ("shares", "detector.max_p_value", 1e-4)
    assert proposal.value is not None
    assert proposal.chosen is not None
    assert 7 * proposal.chosen.false_per_day <= 1.0
    assert all(rate > 1.0 for _, rate in proposal.tried[:-1])
    assert proposal.tried[-1] == (proposal.value, pytest.approx(7 * proposal.chosen.false_per_day))
    assert proposal.unseen is not None
    assert proposal.unseen.recall == 1.0  # the incident lies in the part that nothing was chosen on


def test_tuning_says_when_nothing_is_quiet_enough_or_nothing_can_be_said(history: list[Sighting], rules: RuleSet) -> None:
    with pytest.raises(SettingsError, match="too short"):
        tune(rules, history[: len(history) // 10], [], false_per_week=0.5, keys=2)
    with pytest.raises(SettingsError, match="false alerts a week"):
        tune(rules, history, [], false_per_week=0, keys=2)
    loud = {
        "detector": {"type": "threshold", "above": 0.01},
        "signal": "documents",
        "window": "10m",
        "hop": "10m",
        "cool_down": "12h",
        "evidence.documents": 1,
    }
    jumpy = with_parameters(rules, loud)
    (proposal,) = tune(jumpy, history, [], false_per_week=1.0, keys=2)
    assert proposal.value is None
    assert proposal.chosen is None
    assert proposal.parameter == "detector.above"


DAY = 1440


@pytest.mark.parametrize("ending", [".svg", ".png"])
def test_a_picture_shows_the_keys_that_matter(
    tmp_path: Path, history: list[Sighting], rules: RuleSet, incident: Incident, ending: str
) -> None:
    found = run(rules, history)
    path = tmp_path / f"run{ending}"
    other = Incident("entity:soap", incident.start, incident.end)
    assert draw(path, rules, history, found, [incident, other]) == 2
    if ending == ".svg":
        assert ET.fromstring(path.read_text(encoding="utf-8")).tag.endswith("svg")
        again = tmp_path / "again.svg"
        draw(again, rules, history, found, [incident, other])
        assert again.read_bytes() == path.read_bytes()
    else:
        assert path.read_bytes().startswith(b"\x89PNG")


def test_a_picture_without_alerts_shows_the_busiest_keys_and_bad_places_are_one_line(
    tmp_path: Path, history: list[Sighting], rules: RuleSet
) -> None:
    quiet = dataclasses.replace(run(rules, history), detections=[])
    assert draw(tmp_path / "quiet.svg", rules, history, quiet, []) == 2
    with pytest.raises(BellwetherError, match="neither"):
        draw(tmp_path / "a.gif", rules, history, quiet, [])
    with pytest.raises(BellwetherError, match="cannot be written"):
        draw(tmp_path / "no" / "a.svg", rules, history, quiet, [])
