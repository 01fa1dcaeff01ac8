"""Figures of a run, worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.alerts.backtest.comparison import compare
from streams.alerts.backtest.incidents import Incident
from streams.alerts.backtest.run import Detection, Run
from streams.alerts.backtest.scoring import match, score
from streams.alerts.backtest.sweep import Trial, pareto
from streams.documents import Key

DAY = 1440


def told(minute: int, key: str = "a", name: str | None = None, rule: str = "r") -> Detection:
    return Detection(rule, Key(kind="entity", value=key, name=key), minute, name or f"{rule}/{key}@{minute}", "critical", "")


def ran(*detections: Detection, days: int = 30) -> Run:
    return Run(detections=list(detections), first=0, last=days * DAY - 1)


def test_figures_by_hand() -> None:
    incidents = [Incident("a", 1000, 2000), Incident("b", 5000, 6000), Incident("c", 9000, 9500)]
    run = ran(told(1060), told(1500), told(5240, "b"), told(20_000, "b"), told(1200, "z"))
    figures = score(run, incidents, {"r": 120}, keys=4)
    assert (figures.alerts, figures.true_alerts, figures.false_alerts) == (5, 3, 2)
    assert (figures.incidents, figures.found) == (3, 2)
    assert figures.recall == pytest.approx(2 / 3)
    assert figures.precision == pytest.approx(3 / 5)
    assert figures.false_per_day == pytest.approx(2 / 30)
    assert figures.false_per_key_month == pytest.approx(2 / 4)
    assert figures.delay_minutes == pytest.approx(150)
    assert figures.delay_windows == pytest.approx(150 / 120)


def test_without_incidents_or_alerts_nothing_is_claimed() -> None:
    figures = score(ran(), [], {"r": 60}, keys=1)
    assert (figures.recall, figures.precision, figures.delay_minutes, figures.delay_windows) == (None, None, None, None)
    assert figures.false_per_day == 0


@pytest.mark.parametrize(("minute", "about"), [(999, False), (1000, True), (1999, True), (2029, True), (2030, False)])
def test_an_alert_counts_from_the_start_until_the_window_has_left_the_incident(minute: int, about: bool) -> None:
    matches, false = match([told(minute)], [Incident("a", 1000, 2000)], grace=30)
    assert (matches[0].detection is not None, bool(false)) == (about, not about)


def test_the_first_alert_decides_the_delay_and_one_alert_may_be_about_two_incidents() -> None:
    incidents = [Incident("a", 0, 100), Incident("a", 50, 150)]
    matches, false = match([told(90), told(60)], incidents)
    assert [item.delay for item in matches] == [60, 10]
    assert false == []


@given(
    minutes=st.lists(st.integers(0, 5000), max_size=12, unique=True),
    spans=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 500)), max_size=5),
    grace=st.integers(0, 200),
)
def test_every_alert_is_about_an_incident_or_false(minutes: list[int], spans: list[tuple[int, int]], grace: int) -> None:
    incidents = [Incident("a", start, start + length) for start, length in spans]
    detections = [told(minute) for minute in minutes]
    matches, false = match(detections, incidents, grace=grace)
    assert [item.incident for item in matches] == incidents
    for detection in detections:
        inside = any(item.start <= detection.minute < item.end + grace for item in incidents)
        assert inside == (detection not in false)
    assert all(item.detection is None or item.detection not in false for item in matches)


def test_two_runs_are_paired_by_key_and_nearness() -> None:
    first = [told(100), told(1000), told(50, "b")]
    second = [told(90), told(130), told(60, "c")]
    found = compare(first, second, within=60)
    assert found.both == ((first[0], second[0]),)
    assert (found.only_first, found.only_second) == ((first[1], first[2]), (second[1], second[2]))
    assert found.lead_minutes == 10
    assert compare(first, first, within=0).only_first == ()
    assert compare(first, [], within=60).lead_minutes is None


@given(st.lists(st.integers(0, 3000), max_size=8, unique=True), st.lists(st.integers(0, 3000), max_size=8, unique=True))
def test_no_alert_is_paired_twice_or_forgotten(first: list[int], second: list[int]) -> None:
    mine, theirs = [told(minute) for minute in first], [told(minute) for minute in second]
    found = compare(mine, theirs, within=100)
    assert sorted([a.minute for a, _ in found.both] + [item.minute for item in found.only_first]) == sorted(first)
    assert sorted([b.minute for _, b in found.both] + [item.minute for item in found.only_second]) == sorted(second)
    assert all(abs(a.minute - b.minute) <= 100 for a, b in found.both)


def test_the_front_holds_what_nothing_beats() -> None:
    incidents = [Incident("a", 1000, 2000), Incident("b", 5000, 6000)]
    runs = {
        "sharp": ran(told(1010), told(5010, "b"), told(9000), told(9900)),
        "good": ran(told(1100), told(5100, "b")),
        "worse": ran(told(1200), told(5200, "b"), told(9000)),
        "quiet": ran(told(1900)),
        "copy": ran(told(1100), told(5100, "b")),
    }
    trials = [Trial({"name": name}, score(run, incidents, {"r": 60}, keys=2)) for name, run in runs.items()]
    assert {trial.parameters["name"] for trial in pareto(trials)} == {"good", "copy", "sharp"}
    assert pareto(trials)[-1].parameters["name"] == "sharp"
    assert pareto([]) == []
