"""Both forms of Alertmanager. Whether a real one takes them is in tests/integration/delivery."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.formats.alertmanager import labels, posted, webhook_body
from streams.documents import Alert, Explanation, Key, Measure, Member, WordEffect

Make = Callable[..., Alert]
NOW = datetime(2026, 3, 31, 12, 5, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("entity", "bank", {"entity": "bank"}),
        ("entity+topic", "bank|economy", {"entity": "bank", "topic": "economy"}),
        ("all", "all", {}),
        ("tag", "a|b", {"key": "a|b"}),
        ("entity+language", "bank|", {"entity": "bank"}),
    ],
)
def test_labels_name_each_dimension(kind: str, value: str, expected: dict[str, str]) -> None:
    assert labels("r", "info", Key(kind=kind, value=value, name="n")) == {"alertname": "r", "severity": "info"} | expected


@given(st.text(), st.sampled_from(["entity", "entity+topic", "all"]))
def test_any_value_gives_labels_that_alertmanager_takes(value: str, kind: str) -> None:
    for name, content in labels("r", "info", Key(kind=kind, value=value, name="n")).items():
        assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name)
        assert isinstance(content, str)


def test_the_webhook_body_of_version_4(make_alert: Make) -> None:
    payload = json.loads(webhook_body(make_alert(), "ops", "https://bellwether.example"))
    assert payload["version"] == "4"
    assert payload["receiver"] == "ops"
    assert payload["status"] == "firing"
    assert payload["groupKey"]
    assert payload["truncatedAlerts"] == 0
    assert payload["externalURL"] == "https://bellwether.example"
    assert payload["groupLabels"] == {"alertname": "negative-share"}
    [told] = payload["alerts"]
    assert set(told) == {"status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"}
    assert told["labels"] == payload["commonLabels"] == {"alertname": "negative-share", "severity": "critical", "entity": "bank"}
    assert told["annotations"] == payload["commonAnnotations"]
    assert told["annotations"]["summary"] == make_alert().summary
    assert "奥雷利亚银行 https://news.example/1" in told["annotations"]["headlines"]
    assert told["startsAt"] == "2026-03-31T11:00:00.000Z"
    assert told["endsAt"] == "0001-01-01T00:00:00Z", "as Alertmanager writes an end that is not known"
    assert told["fingerprint"] == make_alert().fingerprint
    assert told["generatorURL"] == f"https://bellwether.example/alerts/{make_alert().id}"


def test_a_resolved_one_has_its_end(make_alert: Make) -> None:
    payload = json.loads(webhook_body(make_alert(1, "resolved"), "ops"))
    assert payload["status"] == payload["alerts"][0]["status"] == "resolved"
    assert payload["alerts"][0]["endsAt"] == "2026-03-31T12:00:00.000Z"
    assert payload["alerts"][0]["generatorURL"] == ""


def test_what_the_detector_measured_is_told(make_alert: Make) -> None:
    measure = Measure(
        signal="negative_share",
        detector="share",
        value=0.75,
        expected=0.1,
        low=0.0,
        high=0.3,
        score=0.9,
        p_value=1e-9,
        baseline_minutes=10080,
        baseline_documents=200,
        explanation="15 of 20 are negative; 2 are usual",
    )
    notes = json.loads(webhook_body(make_alert(measure=measure), "ops"))["alerts"][0]["annotations"]
    assert (notes["description"], notes["value"], notes["expected"]) == (measure.explanation, "0.75", "0.1")


def digest(make_alert: Make, **changes: object) -> Alert:
    keys = [Key(kind="entity", value=f"e{number}", name="E") for number in range(3)]
    members = [
        Member(id=f"m{number}", fingerprint=f"f{number}", rule="r", key=key, severity="warning", summary="s")
        for number, key in enumerate(keys)
    ]
    return make_alert(members=members, **changes)


def test_a_digest_tells_of_each_of_its_members(make_alert: Make) -> None:
    payload = json.loads(webhook_body(digest(make_alert), "ops"))
    assert [told["fingerprint"] for told in payload["alerts"]] == [make_alert().fingerprint, "f0", "f1", "f2"]
    assert payload["commonLabels"] == {}
    assert len(posted(digest(make_alert), NOW, WEEK)) == 4


def test_a_firing_one_is_posted_with_an_end_that_is_far(make_alert: Make) -> None:
    [entry] = posted(make_alert(), NOW, WEEK, "https://b.example")
    assert entry["endsAt"] == "2026-04-07T12:05:00.000Z"
    assert entry["startsAt"] == "2026-03-31T11:00:00.000Z"
    assert entry["generatorURL"] == f"https://b.example/alerts/{make_alert().id}"
    assert "generatorURL" not in posted(make_alert(), NOW, WEEK)[0]


def test_an_escalated_one_ends_that_of_the_severity_it_had(make_alert: Make) -> None:
    entries = {entry["labels"]["severity"]: entry["endsAt"] for entry in posted(make_alert(revision=2), NOW, WEEK)}
    assert entries == {"info": "2026-03-31T12:00:00.000Z", "warning": "2026-03-31T12:00:00.000Z", "critical": "2026-04-07T12:05:00.000Z"}


@pytest.mark.parametrize("ends_at", [None, NOW + timedelta(days=1), NOW - timedelta(days=9)])
def test_a_resolved_one_has_ended_and_not_before_it_began(make_alert: Make, ends_at: datetime | None) -> None:
    entries = posted(make_alert(1, "resolved", ends_at=ends_at), NOW, WEEK)
    assert {entry["labels"]["severity"] for entry in entries} == {"info", "warning", "critical"}
    for entry in entries:
        assert entry["startsAt"] <= entry["endsAt"] <= "2026-03-31T12:05:00.000Z"


def test_the_words_of_the_first_document_are_an_annotation(make_alert: Make) -> None:
    bare = make_alert()
    words = Explanation(words=(WordEffect(text="挤兑", effect=-0.31),))
    told = make_alert(evidence=(bare.evidence[0].model_copy(update={"explanation": words}),))
    assert json.loads(webhook_body(told, "ops"))["alerts"][0]["annotations"]["words"] == "挤兑 -0.31"
    assert "words" not in json.loads(webhook_body(bare, "ops"))["alerts"][0]["annotations"]
