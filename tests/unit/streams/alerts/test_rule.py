"""Rules from settings, and the keys of a document."""

from __future__ import annotations

from datetime import timedelta

import pytest

from streams.alerts.rule import Rule, minutes
from streams.alerts.windows import Span
from streams.errors import SettingsError
from streams.settings import AlertSettings


def test_every_setting_reaches_the_rule():
    settings = AlertSettings(
        window=timedelta(hours=2),
        baseline=timedelta(days=3),
        min_documents=5,
        min_share=0.4,
        max_p_value=0.01,
        cool_down=timedelta(hours=5),
        allowed_lateness=timedelta(hours=6),
        severity="warning",
    )
    rule = Rule.from_settings(settings)
    assert rule.name == "negative-share"
    for name in type(settings).model_fields:
        assert getattr(rule, name) == getattr(settings, name)
    assert rule.span == Span(120, 4320, 360)


@pytest.mark.parametrize(("seconds", "expected"), [(0, 0), (1, 1), (60, 1), (61, 2), (86_400, 1440)])
def test_durations_are_rounded_up_to_minutes(seconds, expected):
    assert minutes(timedelta(seconds=seconds)) == expected


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"window": "PT30S"}, "window"),
        ({"window": "-PT3H"}, "window"),
        ({"window": "P8D"}, "baseline"),
        ({"cool_down": "-PT1S"}, "cool_down"),
        ({"allowed_lateness": "-PT1S"}, "allowed_lateness"),
    ],
)
def test_senseless_durations_are_refused(changed, message):
    with pytest.raises(SettingsError, match=message) as caught:
        Rule.from_settings(AlertSettings.model_validate(changed))
    assert caught.value.mend


@pytest.mark.parametrize("name", ["", "Negative", "a|b", "outbox:x", "a b"])
def test_names_that_would_clash_with_state_entries_are_refused(rule, name):
    good = rule()
    with pytest.raises(SettingsError, match="name"):
        Rule(name, *(getattr(good, field) for field in list(Rule.__dataclass_fields__)[1:]))


def test_keys_are_entities_then_tags_each_once(rule, document):
    keys = rule().keys(document(1, 0, entities=("b", "a", "b"), tags=("Banking", "BANKING", "b")))
    assert [str(key) for key in keys] == ["entity:b", "entity:a", "tag:banking", "tag:b"]
    assert [key.name for key in keys] == ["B", "A", "Banking", "b"]
    assert rule().keys(document(1, 0, entities=())) == []
