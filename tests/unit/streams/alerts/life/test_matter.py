"""Rules of one matter: what one has told, the others do not tell again."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from streams.alerts.judgement import TurnKind
from streams.alerts.life.cases import by_rule

CALM = ((9, True, ()), (21, False, ()))
"""A window in which the rules' condition, half of the documents negative, does not hold."""


@pytest.fixture
def rules(rule):
    """The same in windows of three, six and twelve hours, and a rule that speaks for itself."""
    return [
        rule("fast", window="3h", hop="1h", matter="share"),
        rule("hours", window="6h", hop="1h", matter="share"),
        rule("slow", window="12h", hop="1h", matter="share"),
        rule("alone", window="3h", hop="1h"),
    ]


def about(desk, kind, rule, minute, *, start=None, value="bank", **more):
    turn = desk.turn(kind, value, minute, rule=rule, start=minute if start is None else start, **more)
    told = len(desk.alerts)
    desk.handle(minute, turn)
    return [(alert.reason, alert.rule) for alert in desk.alerts[told:]]


def test_a_second_rule_of_the_matter_is_held_and_the_log_says_why(story, rules):
    desk = story(*rules)
    assert about(desk, TurnKind.FIRED, "fast", 60) == [("fired", "fast")]
    assert about(desk, TurnKind.FIRED, "slow", 120) == []
    held = desk.decisions[-1]
    assert (held.outcome, held.rule, held.alert_id) == ("held", "slow", desk.alerts[0].id)
    assert "fast speaks of the same matter" in held.explanation
    assert len(desk.desk.held) == 1, "the engine judges it again at every hop"


def test_other_keys_and_other_matters_are_told(story, rules):
    desk = story(*rules)
    about(desk, TurnKind.FIRED, "fast", 60)
    assert about(desk, TurnKind.FIRED, "slow", 120, value="other") == [("fired", "slow")]
    assert about(desk, TurnKind.FIRED, "alone", 120) == [("fired", "alone")]


def test_of_several_in_one_minute_the_one_with_the_most_behind_it_speaks(story, rules):
    for order in (("fast", "hours", "slow"), ("slow", "hours", "fast")):
        desk = story(*rules)
        turns = [desk.turn(TurnKind.FIRED, "bank", 60, start=60, rule=name, negative=20 + len(name)) for name in order]
        assert desk.handle(60, *turns) == [("fired", "bank")]
        assert desk.alerts[0].rule == "hours"
        assert sorted(desk.outcomes()) == ["fired", "held", "held"]


@pytest.mark.parametrize(("after", "told"), [(660, []), (720, [("fired", "slow")])])
def test_it_is_told_once_its_window_no_longer_holds_what_the_other_fired_for(story, rules, after, told):
    desk = story(*rules)
    about(desk, TurnKind.FIRED, "fast", 60)
    about(desk, TurnKind.FIRED, "slow", 120)
    about(desk, TurnKind.RECOVERED, "fast", 300, start=60)
    assert about(desk, TurnKind.AMENDED, "slow", 60 + after, start=120) == told
    assert bool(desk.desk.held) is not told


def test_a_longer_windows_mere_memory_is_not_told(story, rules):
    """When its turn would come, its condition no longer holds: nobody hears of it, now or when it ends."""
    desk = story(*rules)
    about(desk, TurnKind.FIRED, "fast", 60)
    about(desk, TurnKind.FIRED, "slow", 120)
    assert about(desk, TurnKind.AMENDED, "slow", 900, start=120, witnesses=CALM) == []
    assert about(desk, TurnKind.AMENDED, "slow", 960, start=120) == [("fired", "slow")], "it holds anew"
    desk = story(*rules)
    about(desk, TurnKind.FIRED, "fast", 60)
    about(desk, TurnKind.FIRED, "slow", 120)
    assert about(desk, TurnKind.RECOVERED, "slow", 960, start=120) == []
    assert "rule fast" in desk.decisions[-1].explanation
    assert desk.advance(9000) == []


def test_what_late_documents_took_back_holds_nothing(story, rules):
    desk = story(*rules)
    about(desk, TurnKind.FIRED, "fast", 60)
    about(desk, TurnKind.FIRED, "slow", 120)
    about(desk, TurnKind.RETRACTED, "fast", 180, start=60)
    assert about(desk, TurnKind.AMENDED, "slow", 180, start=120) == [("fired", "slow")]


def test_later_documents_are_news(story, rules):
    """A short window that begins where the first alert had its end holds nothing of what was told."""
    desk = story(*rules)
    about(desk, TurnKind.FIRED, "slow", 60)
    assert about(desk, TurnKind.FIRED, "fast", 180) == []
    assert about(desk, TurnKind.AMENDED, "fast", 240, start=180) == [("fired", "fast")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"severity": "warning"}, {"severity": "critical"}),
        ({}, {"channels": ["default"]}),
        ({}, {"escalation": {"after": "10h"}}),
    ],
    ids=["more severe", "other people", "escalates"],
)
def test_who_would_not_hear_of_it_is_told(story, rule, first, second):
    desk = story(rule("one", matter="share", **first), rule("two", matter="share", **second))
    about(desk, TurnKind.FIRED, "one", 60)
    assert about(desk, TurnKind.FIRED, "two", 120) == [("fired", "two")]
    desk = story(rule("one", matter="share", **first), rule("two", matter="share", **second))
    about(desk, TurnKind.FIRED, "two", 60)
    assert about(desk, TurnKind.FIRED, "one", 120) == []


def test_it_survives_a_kill(story, rules):
    desk = story(*rules)
    about(desk, TurnKind.FIRED, "fast", 60)
    about(desk, TurnKind.FIRED, "slow", 120)
    desk.restart()
    assert len(desk.desk.held) == 1
    assert about(desk, TurnKind.AMENDED, "slow", 180, start=120) == []
    desk.restart()
    assert about(desk, TurnKind.AMENDED, "slow", 780, start=120) == [("fired", "slow")]


def test_a_rule_that_is_gone_holds_nothing(story, rules):
    desk = story(*rules)
    about(desk, TurnKind.FIRED, "fast", 60)
    about(desk, TurnKind.FIRED, "slow", 120)
    desk.restart(*rules[1:])
    assert about(desk, TurnKind.AMENDED, "slow", 180, start=120) == [("retracted", "fast"), ("fired", "slow")]


def test_a_matter_is_a_name(rule):
    assert rule("one").matter == ""
    assert by_rule("one") == "rule one"
    for wrong in ("A matter", "-x", "a" * 70):
        with pytest.raises(ValidationError):
            rule("one", matter=wrong)
