"""What each field allows, but what makes no sense together, is refused at the right field; what makes sense is not."""

from __future__ import annotations

import pytest
import yaml
from pydantic import ValidationError

from streams.alerts.rules.faults import FAULT
from streams.alerts.rules.model import Rule


def place_and_text(fields: str) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        Rule.model_validate({"name": "r", **yaml.safe_load(fields)})
    (error,) = caught.value.errors()
    assert error["type"] == FAULT, error
    location = [str(part) for part in (*error["loc"], *error["ctx"]["at"])]
    return ".".join(location), f"{error['ctx']['what']}; {error['ctx']['mend']}"


@pytest.mark.parametrize(
    ("fields", "place", "text"),
    [
        ("detector: {type: threshold}", "detector.threshold", "neither above nor below"),
        ("detector: {type: threshold, above: 0.2, below: 0.6}", "detector.threshold.above", "always fulfilled"),
        ("detector: {type: threshold, above: 1}", "detector.above", "never fulfilled; negative_share lies in [0, 1]"),
        ("detector: {type: threshold, above: -1}", "detector.above", "always fulfilled"),
        ("detector: {type: threshold, below: 0}", "detector.below", "never fulfilled"),
        ("signal: mean_score\ndetector: {type: threshold, below: -1}", "detector.below", "never fulfilled; mean_score lies in [-1, 1]"),
        ("signal: documents\ndetector: {type: threshold, above: -1}", "detector.above", "lies in [0, ∞]"),
        ("signal: documents\ndetector: {type: threshold, below: 5}", "detector.below", "cannot hold where evidence asks for 12"),
        ("detector: {type: rate_of_change}", "detector.rate_of_change", "neither factor nor delta"),
        ("detector: {type: rate_of_change, factor: 2, delta: 1}", "detector.rate_of_change", "both factor and delta"),
        ("detector: {type: rate_of_change, factor: 1}", "detector.rate_of_change.factor", "no change at all"),
        ("detector: {type: rate_of_change, delta: 0}", "detector.rate_of_change.delta", "no change at all"),
        ("signal: mean_score\ndetector: {type: rate_of_change, factor: 2}", "detector.factor", "write delta"),
        ("detector: {type: seasonal}", "signal", "cannot judge negative_share; signal: documents or negative"),
        ("signal: mean_score\ndetector: {type: seasonal}", "signal", "cannot judge mean_score"),
        ("detector: {type: spike}", "signal", "cannot judge negative_share"),
        ("detector: {type: return_period}", "signal", "cannot judge negative_share"),
        ("signal: mean_score\ndetector: {type: absence}", "signal", "cannot judge mean_score"),
        ("signal: documents", "signal", "detector share cannot judge documents"),
        ("signal: documents\ndetector: {type: seasonal, baseline: 1h}", "detector.baseline", "shorter than the window"),
        ("signal: documents\ndetector: {type: seasonal, baseline: 7d, seasonality: hour_of_week}", "detector.baseline", "at least 2w"),
        ("signal: documents\ndetector: {type: seasonal, baseline: 1d, seasonality: hour_of_day}", "detector.baseline", "at least 2d"),
        ("detector: {type: absence}\nevidence: {documents: 3}", "evidence", "where silence is what is looked for"),
        ("watch: {language: [de]}\nevidence: {languages: 2}", "evidence.languages", "2 languages cannot agree where the rule sees only 1"),
        (
            "watch: {source: [a, b, b]}\ndetector: {type: breadth}",
            "detector.min_sources",
            "3 sources cannot agree where the rule sees only 2",
        ),
        ("group_by: [source]\ndetector: {type: breadth, min_sources: 2}", "detector.min_sources", "sees only 1"),
        ("budget: 1\ndetector: {type: threshold, above: 0.9}", "budget", "has no probability"),
        ("severity: critical\nescalation: {severity: warning}", "escalation.severity", "less than the rule's own critical"),
        ("for: 8d", "for", "too long"),
        ("window: 90s", "window", "not a multiple of the hop of 1 minutes"),
        ("window: 30s", "window", "shorter than a minute"),
        ("window: 32d", "window", "longer than 31 days"),
        ("window: 7h\nhop: 2h", "hop", "does not divide an hour"),
        ("hop: 7m", "hop", "one of 1m, 2m"),
        ("window: 2d\nhop: 1m", "hop", "more than 1440 hops"),
        (
            "detector: {type: composite, at_least: 3, parts: [{detector: {type: share}}, {detector: {type: breadth}}]}",
            "detector.composite.at_least",
            "2 parts",
        ),
        (
            "detector: {type: composite, parts: [{detector: {type: share}}, {detector: {type: seasonal}}]}",
            "detector.parts.1",
            "seasonal cannot judge",
        ),
        (
            "detector: {type: composite, parts: [{detector: {type: share}}, {signal: mean_score, detector: {type: seasonal}}]}",
            "detector.parts.1.signal",
            "cannot judge mean_score",
        ),
        (
            "detector: {type: composite, parts: [{detector: {type: share}}, {detector: {type: threshold, above: 2}}]}",
            "detector.parts.1.detector.above",
            "never fulfilled",
        ),
    ],
)
def test_contradictions_are_refused_where_they_stand(fields: str, place: str, text: str) -> None:
    assert place_and_text(fields)[0] == place
    assert text in place_and_text(fields)[1]


@pytest.mark.parametrize(
    "fields",
    [
        "{}",
        "detector: {type: threshold, above: 0.8}",
        "detector: {type: threshold, above: 0.8, below: 0.1}",
        "signal: mean_score\ndetector: {type: threshold, below: -0.4}",
        "signal: documents\ndetector: {type: threshold, below: 5}\nevidence: {documents: 0}",
        "signal: mean_score\ndetector: {type: rate_of_change, delta: -0.3}",
        "signal: documents\ndetector: {type: rate_of_change, factor: 0.5}",
        "signal: documents\ndetector: {type: rate_of_change, delta: 50}",
        "signal: negative\ndetector: {type: seasonal, direction: both}",
        "signal: mean_score\ndetector: {type: change_point, direction: down}",
        "signal: documents\ndetector: {type: return_period}",
        "signal: documents\ndetector: {type: spike}",
        "detector: {type: breadth}",
        "budget: 2",
        "watch: {language: [de, fr]}\nevidence: {languages: 2}",
        "budget: 1\ndetector: {type: composite, at_least: 1, parts: [{detector: {type: share}}, {detector: {type: breadth}}]}",
        "detector: {type: composite, parts: [{detector: {type: share}}, {signal: negative, detector: {type: seasonal}}]}",
        "severity: warning\nescalation: {severity: critical}",
    ],
)
def test_what_makes_sense_is_taken(fields: str) -> None:
    assert Rule.model_validate({"name": "r", **yaml.safe_load(fields)}).name == "r"


def test_silence_is_of_documents_and_needs_no_evidence() -> None:
    rule = Rule.model_validate({"name": "r", "detector": {"type": "absence"}})
    assert rule.signal == "documents"
    assert (rule.evidence.documents, rule.evidence.sources, rule.evidence.languages) == (0, 0, 0)
    assert Rule.model_validate({"name": "r", "signal": "negative", "detector": {"type": "absence"}}).signal == "negative"


@pytest.mark.parametrize(("window", "hop"), [("3h", 5), ("1h", 1), ("6h", 10), ("24h", 30), ("36h", 60), ("7d", 60), ("1m", 1), ("61m", 1)])
def test_the_hop_is_about_a_thirty_sixth_of_the_window(window: str, hop: int) -> None:
    rule = Rule.model_validate({"name": "r", "window": window})
    assert rule.hop_minutes == hop
    assert rule.window_minutes % hop == 0


def test_the_baseline_of_a_composite_is_its_longest() -> None:
    parts = [{"detector": {"type": "share", "baseline": "7d"}}, {"signal": "negative", "detector": {"type": "seasonal", "baseline": "28d"}}]
    rule = Rule.model_validate({"name": "r", "detector": {"type": "composite", "parts": parts}})
    assert rule.baseline_minutes == 28 * 1440
    assert Rule.model_validate({"name": "r", "detector": {"type": "threshold", "above": 0.5}}).baseline_minutes == 0


def test_a_rule_that_is_written_is_read_again() -> None:
    rule = Rule.model_validate({"name": "r", "for": "15m", "watch": {"not": [{"terms": "x"}]}, "window": "90m"})
    assert Rule.model_validate_json(rule.model_dump_json(by_alias=True)) == rule
