"""What a run is worth: matching, delays, causes of false alerts; from made-up alerts, and once through the engine."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from streams.alerts.backtest.run import Detection, Run, run
from streams.alerts.benchmark import measuring
from streams.alerts.benchmark.generator import Stream
from streams.alerts.benchmark.injection import Injected
from streams.alerts.benchmark.measuring import judge, parts, pool
from streams.alerts.benchmark.plan import Plan, small
from streams.alerts.benchmark.tables import markdown, standard_tables
from streams.alerts.rules.reading import parse_rules, read_rules
from streams.alerts.rules.ruleset import RuleSet
from streams.documents import Key

SHIPPED = Path(measuring.__file__).parent
RULES = """
rules:
  - {name: fast, window: 3h, hop: 1h, group_by: [entity]}
  - {name: slow, window: 12h, hop: 1h, group_by: [entity]}
"""


@pytest.fixture(scope="module")
def stream() -> Stream:
    return Stream.generate(replace(small(), keys=4, days=30, busiest=120.0), 1)


@pytest.fixture
def rules() -> RuleSet:
    return parse_rules(RULES, "folder/two.yaml")


def told(rule: str, key: str, minute: int) -> Detection:
    return Detection(rule, Key(kind="entity", value=key, name=key), minute, f"{rule}-{key}-{minute}", "warning", "")


def test_the_first_alert_counts_in_windows_of_its_own_rule(stream: Stream, rules: RuleSet) -> None:
    first, second = stream.incidents[:2]
    alerts = [
        told("slow", first.key, first.start + 360),
        told("fast", first.key, first.start + 540),
        told("fast", second.key, second.end + 179),
    ]
    outcome = judge(stream, rules, Run(detections=alerts))
    assert outcome.name == "two"
    assert outcome.found[0] == (first, 0.5)
    assert outcome.found[1][1] == pytest.approx((second.end + 179 - second.start) / 180)
    assert outcome.recall == 2 / len(stream.incidents)
    assert outcome.precision == 1.0
    assert outcome.false_per_key_month == 0.0


def test_alerts_elsewhere_are_false_and_those_of_the_warm_up_do_not_count(stream: Stream, rules: RuleSet) -> None:
    first = stream.incidents[0]
    begin = stream.plan.start + stream.plan.warm_up * 1440
    other = next(key for key, _ in stream.keys if key != first.key)
    quiet = max(item.end for item in stream.incidents) + 2_000
    alerts = [told("fast", other, begin - 1), told("fast", first.key, first.start - 60), told("fast", first.key, quiet)]
    outcome = judge(stream, rules, Run(detections=alerts))
    assert outcome.alerts == 2
    assert outcome.false.total() == 2
    assert outcome.precision == 0.0
    assert outcome.recall == 0.0
    assert outcome.delay is None
    assert outcome.false_per_key_month == pytest.approx(2 / (4 * 16 / 30))


def test_a_false_alert_is_laid_to_what_happened_in_its_window(stream: Stream, rules: RuleSet) -> None:
    begin = stream.plan.start + stream.plan.warm_up * 1440
    busy = {item.key: item for item in stream.incidents}
    causes = [item for item in stream.disturbances if item.key and item.start > begin and item.key not in busy] or [
        item
        for item in stream.disturbances
        if item.key and item.start > begin and all(not one.start <= item.end < one.end + 800 for one in stream.incidents)
    ]
    item = causes[0]
    outcome = judge(stream, rules, Run(detections=[told("fast", item.key, item.end)]))
    assert outcome.false == Counter({item.kind: 1})


def test_streams_are_pooled_and_split(stream: Stream, rules: RuleSet) -> None:
    first = stream.incidents[0]
    one = judge(stream, rules, Run(detections=[told("fast", first.key, first.start + 180)], documents=10, seconds=1.0))
    both = pool([one, judge(stream, rules, Run(documents=10, seconds=3.0))])
    assert both.recall == one.recall / 2
    assert (both.documents, both.seconds, both.key_months) == (20, 4.0, 2 * one.key_months)
    split = parts(both, lambda item: item.kind)
    assert sum(part.incidents for part in split) == 2 * len(stream.incidents)
    assert sum(part.found for part in split) == 1
    page = markdown(standard_tables([both]))
    assert f"| two | {both.recall:.3f} (1/{2 * len(stream.incidents)}) | 1.000 |" in page
    assert all(f"| {item.kind} |" in page and f"| {item.shape} |" in page for item in stream.incidents)


def test_the_shipped_rules_can_be_read() -> None:
    rules = read_rules(SHIPPED / "standard.yaml").rules
    assert len(rules) >= 3
    matters = {rule.detector.type: {other.matter for other in rules if other.detector.type == rule.detector.type} for rule in rules}
    assert matters == {"share": {"share"}, "seasonal": {"volume"}, "absence": {""}}, "a key is told of once for all windows"
    assert {rule.detector.type for rule in read_rules(SHIPPED / "spike.yaml").rules} == {"spike"}


def test_the_engine_notices_what_cannot_be_overlooked() -> None:
    plan = Plan(keys=1, days=13, warm_up=7, busiest=120.0, incidents=0, silences=1, bursts=0.0, stories=0.0, campaigns=0.0, outages=0.0)
    stream = Stream.generate(plan, 1)
    (silence,) = stream.incidents
    loud = Injected(silence.key, silence.start, silence.end, "silence", "step", 0.02)
    assert loud == silence
    rules = read_rules(SHIPPED / "standard.yaml")
    outcome = judge(stream, rules, run(rules, list(stream.sightings())))
    assert outcome.recall == 1.0
    assert outcome.false_per_key_month <= 5.0


@pytest.mark.slow
def test_the_shipped_rules_hold_a_floor_on_a_stream_that_they_were_not_chosen_on() -> None:
    plan = replace(small(), keys=3, days=26, busiest=150.0, zipf=0.3)
    stream = Stream.generate(plan, 21)
    rules = read_rules(SHIPPED / "standard.yaml")
    outcome = judge(stream, rules, run(rules, list(stream.sightings())))
    assert len(stream.incidents) >= 4
    assert outcome.recall >= 0.75
    assert outcome.false_per_key_month <= 2.0
    assert outcome.delay is not None
    assert outcome.delay <= 2.0
