"""Groups and storms: few messages, nothing lost."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from streams.alerts.judgement import TurnKind
from streams.alerts.life.commands import Acknowledge
from streams.alerts.life.digests import Limits
from streams.alerts.life.grouping import LISTED, is_recorded_only
from streams.documents import AlertStatus

START = 29_000_000 // 60 * 60
NAMES = ("alpha", "beta", "gamma", "delta", "epsilon")


def at(minute: int) -> datetime:
    return datetime.fromtimestamp((START + minute) * 60, UTC)


def wave(desk, names, minute, **more):
    return desk.handle(minute, *(desk.turn(TurnKind.FIRED, name, minute, start=minute, **more) for name in names))


def test_a_sector_wide_move_is_one_notice(story):
    desk = story()
    wave(desk, NAMES, 10)
    assert [alert.reason for alert in desk.messages] == ["fired"]
    digest = desk.messages[0]
    assert {member.key.value for member in digest.members} == set(NAMES)
    assert (digest.status, digest.revision, str(digest.key)) == (AlertStatus.FIRING, 0, "all:digest")
    assert (digest.observed.documents, digest.observed.negative, digest.languages) == (150, 100, {"en": 100})
    assert "5 keys turned together" in digest.summary
    recorded = [alert for alert in desk.alerts if is_recorded_only(alert)]
    assert {alert.id for alert in recorded} == {member.id for member in digest.members}
    assert all(alert.channels == () for alert in recorded)
    grouped = [decision for decision in desk.decisions if decision.outcome == "grouped"]
    assert {decision.key.value for decision in grouped} == set(NAMES)
    assert {decision.alert_id for decision in grouped} == {digest.id}


def test_it_is_over_with_its_last_member(story):
    desk = story()
    wave(desk, NAMES, 10)
    for place, name in enumerate(NAMES):
        assert len(desk.messages) == 1
        desk.end(name, 100 + place, 10)
    assert [(alert.reason, alert.status, alert.revision) for alert in desk.messages] == [
        ("fired", AlertStatus.FIRING, 0),
        ("recovered", AlertStatus.RESOLVED, 1),
    ]
    assert desk.messages[0].id == desk.messages[1].id
    assert len(desk.messages[1].members) == len(NAMES)
    assert desk.messages[1].ends_at == at(104)
    index = {alert.id: alert.status for alert in desk.alerts}
    assert set(index.values()) == {AlertStatus.RESOLVED}, "the index hears of the end of every member too"


def test_a_digest_of_what_was_taken_back_is_taken_back(story):
    desk = story()
    wave(desk, NAMES, 10)
    for name in NAMES:
        desk.end(name, 60, 10, TurnKind.RETRACTED)
    assert [alert.reason for alert in desk.messages] == ["fired", "retracted"]


def test_two_at_once_are_told_one_by_one(story):
    desk = story()
    assert sorted(wave(desk, NAMES[:2], 10)) == [("fired", "alpha"), ("fired", "beta")]


def test_rules_of_one_circle_are_told_together_and_others_apart(story, rule):
    desk = story(rule("one", channels=["chat"]), rule("two", channels=["chat"]), rule("three", channels=["phone"]))
    turns = [
        desk.turn(TurnKind.FIRED, name, 10, start=10, rule=of)
        for name, of in zip(NAMES, ["one", "two", "one", "three", "three"], strict=True)
    ]
    desk.handle(10, *turns)
    assert sorted((alert.rule, len(alert.members), alert.channels) for alert in desk.messages) == [
        ("one+two", 3, ("chat",)),
        ("three", 0, ("phone",)),
        ("three", 0, ("phone",)),
    ]


def test_more_that_join_are_told_once_an_interval(story):
    desk = story()
    wave(desk, NAMES, 10)
    for minute in range(15, 60, 5):
        wave(desk, [f"{name}{minute}" for name in NAMES], minute)
    assert len(desk.messages) == 1
    desk.advance(70)
    assert [alert.reason for alert in desk.messages] == ["fired", "amended"]
    assert len(desk.messages[1].members) == 50
    assert {alert.id for alert in desk.messages} == {desk.messages[0].id}


def test_a_later_wave_is_another_digest(story):
    desk = story()
    wave(desk, NAMES, 10)
    wave(desk, [f"{name}2" for name in NAMES], 200)
    assert [alert.reason for alert in desk.messages] == ["fired", "fired"]
    first, second = desk.messages
    assert first.id != second.id
    assert first.fingerprint != second.fingerprint, "both last: receivers must not take one for the other"
    for name in NAMES:
        desk.end(name, 300, 10)
    desk.end("alpha2", 301, 200)
    wave(desk, [f"{name}3" for name in NAMES], 500)
    assert desk.messages[-1].fingerprint == first.fingerprint, "the name is free again"
    assert desk.messages[-1].id != first.id


def test_an_amended_member_is_recorded_only(story):
    desk = story()
    wave(desk, NAMES, 10)
    desk.handle(50, desk.turn(TurnKind.AMENDED, "alpha", 50, start=10))
    assert len(desk.messages) == 1
    assert desk.outcomes("alpha") == ["grouped", "amended"]
    assert [alert.revision for alert in desk.alerts if alert.key.value == "alpha"] == [0, 1]


def test_a_digest_escalates_unless_somebody_looks_after_it(story, rule):
    for cared in (False, True):
        desk = story(rule(channels=["chat"], escalation={"after": "1h", "channels": ["phone"]}))
        wave(desk, NAMES, 10)
        if cared:
            desk.command(Acknowledge(target=desk.messages[0].id, until=at(5000), author="ann"))
            assert desk.outcomes("alpha") == ["grouped", "acknowledged"]
        desk.advance(500)
        assert [alert.reason for alert in desk.messages] == (["fired"] if cared else ["fired", "escalated"])
        assert desk.messages[-1].channels == (("chat",) if cared else ("chat", "phone"))


def test_a_wave_after_an_acknowledgement_is_told(story):
    desk = story()
    wave(desk, NAMES, 10)
    desk.command(Acknowledge(target=desk.messages[0].id, until=at(5000)))
    wave(desk, [f"{name}2" for name in NAMES], 20)
    assert [alert.reason for alert in desk.messages] == ["fired", "fired"]


def test_a_circle_that_had_its_fill_gets_digests(story):
    desk = story(limits=Limits(together=3, notices=4, interval=60))
    for place in range(20):
        wave(desk, [f"key{place}"], 10 + place)
    assert [len(alert.members) for alert in desk.messages] == [0, 0, 0, 0, 1]
    desk.advance(200)
    assert [len(alert.members) for alert in desk.messages] == [0, 0, 0, 0, 1, 16]


def test_amendments_beyond_the_fill_are_recorded_only(story):
    desk = story(limits=Limits(together=3, notices=4, interval=60))
    desk.fire("bank", 10)
    for minute in range(20, 30):
        desk.handle(minute, desk.turn(TurnKind.AMENDED, "bank", minute, start=10))
    assert [alert.reason for alert in desk.messages] == ["fired", "amended", "amended", "amended"]
    assert desk.outcomes().count("grouped") == 7
    assert desk.end("bank", 31, 10) == [("recovered", "bank")]
    assert [alert.revision for alert in desk.alerts] == list(range(12))


def test_the_end_of_a_digest_waits_for_the_hour(story, rule):
    hour = at(0).hour
    desk = story(rule(active={"hours": f"{hour:02d}:00-{hour + 1:02d}:00"}))
    wave(desk, NAMES, 10)
    for name in NAMES:
        desk.end(name, 100, 10)
    assert [alert.reason for alert in desk.messages] == ["fired"]
    desk.restart()
    desk.advance(24 * 60)
    assert [alert.reason for alert in desk.messages] == ["fired", "recovered"]


def test_what_waited_for_the_hour_is_told_together(story, rule):
    begin = (at(0).hour + 3) % 23
    desk = story(rule(active={"hours": f"{begin:02d}:00-{begin + 1:02d}:00"}))
    for place, name in enumerate(NAMES):
        desk.fire(name, 10 + place)
    assert desk.messages == []
    desk.advance(24 * 60)
    assert [len(alert.members) for alert in desk.messages] == [5]


def test_a_digest_that_was_cut_off_while_saving_is_ended(story):
    """A store that fails between two entries has the digest and not all of its members: what comes again is told again."""
    desk = story()
    wave(desk, NAMES, 10)
    changes = desk.desk.changes()
    kept = {name: value for name, value in changes.items() if value is not None}
    for cut in range(len(kept) + 1):
        torn = story(saved=dict(list(kept.items())[:cut]))
        torn.restart()
        wave(torn, NAMES, 10)
        for name in NAMES:
            torn.end(name, 100, 10)
        torn.advance(200)
        state = {}
        for alert in torn.messages:
            state[alert.id] = alert.status
        assert set(state.values()) <= {AlertStatus.RESOLVED}
        told = {member.key.value for alert in torn.messages for member in alert.members} | {alert.key.value for alert in torn.messages}
        assert told >= set(NAMES)


def test_ten_thousand_keys_at_once_are_a_handful_of_messages(story):
    desk = story()
    names = [f"key{n}" for n in range(10_000)]
    turns = [desk.turn(TurnKind.FIRED, name, 10 + n % 40 // 5 * 5, start=10, negative=20 + n % 7) for n, name in enumerate(names)]
    began = time.process_time()  # what a busy machine does beside it does not count
    for minute in range(10, 50, 5):
        desk.handle(minute, *(turn for turn in turns if turn[0].judgement.end == START + minute))
    assert time.process_time() - began < 60
    desk.advance(300)
    ends = [desk.turn(TurnKind.SILENT, name, 400, start=10) for name in names]
    desk.restart()
    desk.handle(400, *ends)
    assert [alert.reason for alert in desk.messages] == ["fired", "amended", "recovered"]
    assert len(desk.messages[1].members) == LISTED
    assert "10000 keys" in desk.messages[1].summary
    recorded = {alert.key.value for alert in desk.alerts if is_recorded_only(alert)}
    assert recorded == set(names)
    assert {decision.key.value for decision in desk.decisions if decision.outcome == "grouped"} == set(names)
    assert max(len(alert.model_dump_json()) for alert in desk.messages) < 200_000
    desk.advance(20_000)
    desk.save()
    assert sorted(name.split("|")[1] for name in desk.saved) == ["meta", "storm"]


def test_a_member_that_an_entity_explains_leaves_its_digest(story, rule):
    desk = story(rule("tags", group_by=["tag"]), rule("banks", watch={"entity": ["bank"]}, channels=["phone"]))
    wave(desk, NAMES, 10, dimension="tag", witnesses=((40, True, ("bank",)), (6, False, ())))
    desk.fire("bank", 30, rule="banks")
    assert [alert.reason for alert in desk.messages] == ["fired", "fired", "explained"]
    assert [len(alert.members) for alert in desk.messages] == [5, 0, 5]
    assert desk.outcomes("alpha") == ["grouped", "held"]
    assert len(desk.desk.held) == len(NAMES)
