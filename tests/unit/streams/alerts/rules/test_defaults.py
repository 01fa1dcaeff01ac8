"""The rules of a service without a rule file are those that its settings describe."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from streams.alerts.rules.defaults import default_rules
from streams.errors import SettingsError
from streams.settings import AlertSettings


def test_there_is_one_for_entities_and_one_for_tags() -> None:
    found = default_rules(AlertSettings())
    assert [(rule.name, rule.group_by) for rule in found.rules] == [("negative-share", ("entity",)), ("negative-share-tags", ("tag",))]
    assert found.channels == {}
    assert all(rule.channels == () and rule.watch.empty for rule in found.rules)


def test_every_setting_reaches_the_rules() -> None:
    settings = AlertSettings(
        window=timedelta(hours=2),
        baseline=timedelta(days=3),
        min_documents=9,
        min_share=0.6,
        max_p_value=1e-3,
        cool_down=timedelta(hours=5),
        allowed_lateness=timedelta(hours=6),
        severity="warning",
    )
    for rule in default_rules(settings).rules:
        assert (rule.window_minutes, rule.baseline_minutes, rule.evidence.documents) == (120, 3 * 1440, 9)
        assert rule.detector.type == "share"
        assert (rule.detector.min_share, rule.detector.max_p_value) == (0.6, 1e-3)
        assert (rule.cool_down, rule.allowed_lateness, rule.severity) == (timedelta(hours=5), timedelta(hours=6), "warning")


def test_a_window_is_counted_in_whole_minutes() -> None:
    (rule, _) = default_rules(AlertSettings(window=timedelta(seconds=10_000))).rules
    assert rule.window == timedelta(minutes=167)


def test_the_digest_follows_the_settings() -> None:
    assert default_rules(AlertSettings()).digest == default_rules(AlertSettings()).digest
    assert default_rules(AlertSettings()).digest != default_rules(AlertSettings(min_documents=13)).digest


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"baseline": timedelta(hours=1)}, "alerts.baseline: 1h is shorter than the window of 3h"),
        ({"cool_down": timedelta(seconds=-1)}, "alerts.cool_down: is negative"),
        ({"window": timedelta(0)}, "alerts.window: is shorter than a minute"),
        ({"baseline": timedelta(days=4000)}, "alerts.baseline: "),
        ({"allowed_lateness": timedelta(days=60)}, "alerts.allowed_lateness: "),
    ],
)
def test_settings_that_contradict_each_other_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        default_rules(AlertSettings(**fields))
    assert message in caught.value.message
