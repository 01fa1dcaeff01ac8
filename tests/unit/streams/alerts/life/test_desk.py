"""What becomes of turns at the desk."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streams.alerts.judgement import TurnKind
from streams.alerts.life.commands import Acknowledge, Silence, SilenceMatcher, Unsilence
from streams.documents import AlertStatus
from streams.errors import BellwetherError

START = 29_000_000 // 60 * 60
BOTH = ((40, True, ("bank",)), (6, False, ()))


def at(minute: int) -> datetime:
    return datetime.fromtimestamp((START + minute) * 60, UTC)


def silence(begin: int, end: int, id: str = "s1", **matcher: str) -> Silence:
    return Silence(id=id, matchers=(SilenceMatcher(**matcher),), starts_at=at(begin), ends_at=at(end), author="ann", comment="known")


def test_a_turn_is_told_when_its_hop_is_over(story):
    desk = story()
    assert desk.handle(7, desk.turn(TurnKind.FIRED, "bank", 10, start=10)) == []
    assert desk.advance(9) == []
    assert desk.advance(10) == [("fired", "bank")]
    assert desk.advance(500) == []
    alert = desk.alerts[0]
    assert (alert.revision, alert.status, alert.ends_at) == (0, AlertStatus.FIRING, None)
    assert desk.outcomes() == ["fired"]


def test_what_the_full_hop_takes_back_was_never_told(story):
    desk = story()
    desk.handle(7, desk.turn(TurnKind.FIRED, "bank", 10, start=10))
    desk.handle(9, desk.turn(TurnKind.RETRACTED, "bank", 10, start=10))
    assert desk.advance(2000) == []
    assert desk.outcomes() == ["retracted"]
    assert "before anybody was told" in desk.decisions[0].explanation


def test_an_episode_in_one_call_is_told_like_one_in_many(story):
    whole, pieces = story(), story()
    steps = [(TurnKind.FIRED, 10), (TurnKind.AMENDED, 60), (TurnKind.RECOVERED, 200)]
    told = whole.handle(300, *(whole.turn(kind, "bank", minute, start=10) for kind, minute in steps))
    for kind, minute in steps:
        pieces.handle(minute, pieces.turn(kind, "bank", minute, start=10))
    pieces.advance(300)
    assert told == [("fired", "bank"), ("amended", "bank"), ("recovered", "bank")]
    assert whole.alerts == pieces.alerts
    assert [alert.revision for alert in whole.alerts] == [0, 1, 2]
    assert whole.alerts[-1].ends_at == at(200)
    assert whole.decisions == pieces.decisions


def test_turns_of_several_rules_in_one_call_are_taken_in_by_time(story, rule):
    desk = story(rule("one"), rule("two"))
    turns = [
        desk.turn(kind, "bank", minute, start=10, rule=name)
        for name in ("one", "two")
        for kind, minute in ((TurnKind.FIRED, 10), (TurnKind.RECOVERED, 100))
    ]
    assert desk.handle(100, *turns) == [("fired", "bank")] * 2 + [("recovered", "bank")] * 2


def test_a_redelivered_turn_says_nothing_new(story):
    desk = story()
    turn = desk.turn(TurnKind.FIRED, "bank", 10, start=10)
    desk.handle(10, turn)
    assert desk.handle(12, turn) == []
    over = desk.turn(TurnKind.RECOVERED, "bank", 50, start=10)
    assert desk.handle(50, over, over) == [("recovered", "bank")]
    assert desk.handle(51, over) == []


def test_an_episode_that_late_documents_bring_back_goes_on_counting(story):
    desk = story()
    desk.fire("bank", 10)
    desk.end("bank", 30, 10, TurnKind.RETRACTED)
    assert desk.handle(60, desk.turn(TurnKind.FIRED, "bank", 10, start=10)) == [("fired", "bank")]
    assert [alert.revision for alert in desk.alerts] == [0, 1, 2]
    assert [alert.reason for alert in desk.alerts] == ["fired", "retracted", "fired"]


def test_the_end_of_what_nobody_knows_is_not_told(story):
    desk = story()
    assert desk.end("bank", 30, 10) == []


class TestInhibition:
    def test_a_tag_is_held_while_the_entity_speaks_and_told_a_window_after_it(self, story, rule):
        desk = story(rule(), rule("tags", group_by=["tag"]))
        desk.fire("bank", 10)
        assert desk.fire("banking", 15, rule="tags", dimension="tag", witnesses=BOTH) == []
        held = desk.decisions[-1]
        assert held.outcome == "held"
        assert held.alert_id == desk.alerts[0].id
        assert "87%" in held.explanation or "100%" in held.explanation
        assert "bank" in held.explanation
        assert len(desk.desk.held) == 1
        assert desk.end("bank", 300, 10) == [("recovered", "bank")]
        assert desk.advance(300 + 179) == []
        assert desk.advance(300 + 180) == [("fired", "banking")]
        assert desk.desk.held == frozenset()

    def test_it_is_told_at_once_where_the_cause_is_taken_back(self, story, rule):
        desk = story(rule(), rule("tags", group_by=["tag"]))
        desk.fire("bank", 10)
        desk.fire("banking", 15, rule="tags", dimension="tag", witnesses=BOTH)
        assert desk.end("bank", 40, 10, TurnKind.RETRACTED) == [("retracted", "bank"), ("fired", "banking")]

    def test_what_is_over_while_held_is_only_decided(self, story, rule):
        desk = story(rule(), rule("tags", group_by=["tag"]))
        desk.fire("bank", 10)
        desk.fire("banking", 15, rule="tags", dimension="tag", witnesses=BOTH)
        assert desk.end("banking", 200, 15, rule="tags", dimension="tag") == []
        assert desk.outcomes("banking") == ["held", "resolved"]
        assert desk.end("bank", 300, 10) == [("recovered", "bank")]
        assert desk.advance(5000) == []

    def test_told_first_explained_later(self, story, rule):
        # No rule watches every entity, so that the tag is told although all of it names the bank.
        some = rule("banks", watch={"entity": ["bank"]})
        desk = story(rule("tags", group_by=["tag"]), some)
        assert desk.fire("banking", 10, dimension="tag", witnesses=BOTH) == [("fired", "banking")]
        assert desk.fire("bank", 30, rule="banks") == [("fired", "bank"), ("explained", "banking")]
        explained = desk.alerts[-1]
        assert (explained.status, explained.revision) == (AlertStatus.RESOLVED, 1)
        assert desk.outcomes("banking") == ["fired", "held"]
        assert desk.end("bank", 60, 30, TurnKind.RETRACTED, rule="banks") == [("retracted", "bank"), ("fired", "banking")]
        assert desk.alerts[-1].revision == 2

    def test_a_sector_wide_move_is_told_beside_the_bank(self, story, rule):
        desk = story(rule(), rule("tags", group_by=["tag"]))
        desk.fire("bank", 10)
        sector = ((20, True, ("bank",)), (25, True, ("other",)), (5, False, ()))
        assert desk.fire("banking", 15, rule="tags", dimension="tag", witnesses=sector) == [("fired", "banking")]

    def test_of_two_entities_that_explain_each_other_the_heavier_speaks(self, story):
        both = ((30, True, ("bank", "peer")),)
        for order in (("bank", "peer"), ("peer", "bank")):
            desk = story()
            weights = {"bank": ((34, True, ("bank", "peer")),), "peer": both}
            turns = [desk.turn(TurnKind.FIRED, value, 10, start=10, witnesses=weights[value]) for value in order]
            assert desk.handle(10, *turns) == [("fired", "bank")]
            assert desk.outcomes("peer") == ["held"]

    def test_two_crises_hold_a_tag_together_and_only_together(self, story, rule):
        seen = ((20, True, ("bank",)), (18, True, ("fund",)), (6, True, ()))
        tag = {"rule": "tags", "dimension": "tag", "witnesses": seen}
        desk = story(rule(), rule("tags", group_by=["tag"]))
        desk.fire("bank", 10)
        assert desk.fire("finance", 15, **tag) == [("fired", "finance")]
        assert desk.fire("fund", 20) == [("fired", "fund"), ("explained", "finance")]
        assert "bank or fund" in desk.decisions[-1].explanation
        assert desk.end("fund", 50, 20, TurnKind.RETRACTED) == [("retracted", "fund")]
        again = desk.turn(TurnKind.AMENDED, "finance", 55, start=15, **tag)
        assert desk.handle(55, again) == [("fired", "finance")]

    def test_a_silenced_entity_explains_too(self, story, rule):
        desk = story(rule(), rule("tags", group_by=["tag"]))
        desk.command(silence(0, 9000, value="bank"))
        assert desk.fire("bank", 10) == []
        assert desk.fire("banking", 15, rule="tags", dimension="tag", witnesses=BOTH) == []
        assert desk.outcomes() == ["silenced", "held"]

    def test_an_entity_that_rests_explains_what_names_it_again(self, story, rule):
        desk = story(rule(cool_down="24h"), rule("tags", group_by=["tag"]))
        desk.fire("bank", 10)
        desk.end("bank", 100, 10)
        tag = {"rule": "tags", "dimension": "tag", "witnesses": BOTH}
        assert desk.fire("banking", 600, **tag) == []
        assert desk.outcomes("banking") == ["held"]
        desk.restart()
        assert desk.advance(10 + 1440 - 1) == []
        assert desk.advance(10 + 1440) == [("fired", "banking")]

    def test_a_held_entity_explains_nothing(self, story, rule):
        desk = story(rule(), rule("tags", group_by=["tag"]))
        desk.fire("bank", 10)
        desk.fire("peer", 15, witnesses=((30, True, ("bank", "peer")),))
        assert desk.outcomes("peer") == ["held"]
        seen = ((30, True, ("peer",)), (4, True, ()))
        assert desk.fire("banking", 20, rule="tags", dimension="tag", witnesses=seen) == [("fired", "banking")]

    def test_the_hold_and_its_release_survive_a_kill(self, story, rule):
        desk = story(rule(), rule("tags", group_by=["tag"]))
        desk.fire("bank", 10)
        desk.fire("banking", 15, rule="tags", dimension="tag", witnesses=BOTH)
        desk.restart()
        assert len(desk.desk.held) == 1
        desk.end("bank", 300, 10)
        desk.restart()
        assert desk.advance(480) == [("fired", "banking")]

    def test_a_rule_may_refuse_to_be_explained(self, story, rule):
        desk = story(rule(), rule("tags", group_by=["tag"], explains_away=False))
        desk.fire("bank", 10)
        assert desk.fire("banking", 15, rule="tags", dimension="tag", witnesses=BOTH) == [("fired", "banking")]

    def test_two_rules_about_one_key_both_speak(self, story, rule):
        desk = story(rule("one"), rule("two"))
        seen = ((30, True, ("bank",)),)
        turns = [desk.turn(TurnKind.FIRED, "bank", 10, start=10, rule=name, witnesses=seen) for name in ("one", "two")]
        assert desk.handle(10, *turns) == [("fired", "bank"), ("fired", "bank")]

    def test_a_held_alert_is_judged_again_by_an_amending_turn(self, story, rule):
        desk = story(rule(), rule("tags", group_by=["tag"]))
        desk.fire("bank", 10)
        desk.fire("banking", 15, rule="tags", dimension="tag", witnesses=BOTH)
        again = {"rule": "tags", "dimension": "tag", "start": 15}
        assert desk.handle(40, desk.turn(TurnKind.AMENDED, "banking", 40, witnesses=BOTH, **again)) == []
        assert desk.outcomes("banking") == ["held"], "once an hour is enough"
        spread = ((40, True, ("bank",)), (30, True, ()))
        assert desk.handle(45, desk.turn(TurnKind.AMENDED, "banking", 45, witnesses=spread, **again)) == [("fired", "banking")]

    def test_an_entity_without_an_alert_holds_a_tag_if_its_rule_watches_it(self, story, rule):
        desk = story(rule(), rule("tags", group_by=["tag"]))
        assert desk.fire("banking", 15, rule="tags", dimension="tag", witnesses=BOTH) == []
        assert "which has no alert of its own" in desk.decisions[0].explanation


class TestSilence:
    def test_it_is_decided_and_told_when_the_silence_ends(self, story):
        desk = story()
        desk.advance(0)
        desk.command(silence(0, 120, value="ba*"))
        assert desk.fire("bank", 10) == []
        assert desk.fire("other", 10) == [("fired", "other")]
        assert desk.outcomes("bank") == ["silenced"]
        assert "ann" in desk.decisions[0].explanation
        assert desk.advance(119) == []
        assert desk.advance(120) == [("fired", "bank")]

    def test_what_is_over_by_then_is_not_told(self, story):
        desk = story()
        desk.command(silence(0, 120))
        desk.fire("bank", 10)
        assert desk.end("bank", 100, 10) == []
        assert desk.advance(9000) == []
        assert desk.outcomes() == ["silenced", "resolved"]

    def test_unsilence_tells_at_once(self, story):
        desk = story()
        desk.command(silence(0, 9000))
        desk.fire("bank", 10)
        assert desk.command(Unsilence(id="nobody")) == []
        assert desk.command(Unsilence(id="s1")) == [("fired", "bank")]

    def test_the_end_of_what_was_told_is_told_in_silence_too(self, story):
        desk = story()
        desk.fire("bank", 10)
        desk.command(silence(0, 9000))
        assert desk.handle(30, desk.turn(TurnKind.AMENDED, "bank", 30, start=10)) == []
        assert desk.end("bank", 100, 10) == [("recovered", "bank")]

    def test_an_amendment_waits_for_the_end_of_the_silence(self, story):
        desk = story()
        desk.fire("bank", 10)
        desk.command(silence(0, 120))
        desk.handle(30, desk.turn(TurnKind.AMENDED, "bank", 30, start=10))
        assert desk.advance(120) == [("amended", "bank")]


class TestAcknowledgement:
    @pytest.mark.parametrize("by", ["id", "fingerprint"])
    def test_no_amendment_no_escalation_but_the_end(self, story, rule, by):
        desk = story(rule(escalation={"after": "1h", "channels": []}))
        desk.fire("bank", 10)
        target = getattr(desk.alerts[0], by)
        desk.command(Acknowledge(target=target, until=at(5000), author="ann"))
        assert desk.handle(30, desk.turn(TurnKind.AMENDED, "bank", 30, start=10)) == []
        assert desk.advance(1000) == []
        assert desk.end("bank", 1100, 10) == [("recovered", "bank")]
        assert desk.outcomes() == ["fired", "acknowledged", "acknowledged", "resolved"]

    def test_when_it_expires_the_escalation_comes(self, story, rule):
        desk = story(rule(escalation={"after": "1h"}))
        desk.fire("bank", 10)
        desk.command(Acknowledge(target=desk.alerts[0].id, until=at(500)))
        assert desk.advance(499) == []
        assert desk.advance(500) == [("escalated", "bank")]


class TestEscalation:
    def test_it_comes_once_with_more_weight_and_further_channels(self, story, rule):
        desk = story(rule(channels=["chat"], escalation={"after": "1h", "severity": "critical", "channels": ["phone", "chat"]}))
        desk.fire("bank", 10)
        assert desk.alerts[0].channels == ("chat",)
        assert desk.advance(69) == []
        assert desk.advance(70) == [("escalated", "bank")]
        assert (desk.alerts[1].severity, desk.alerts[1].channels, desk.alerts[1].revision) == ("critical", ("chat", "phone"), 1)
        assert desk.advance(900) == []
        desk.end("bank", 1000, 10)
        assert desk.alerts[-1].channels == ("chat", "phone"), "who was called hears the end"

    def test_not_after_the_end(self, story, rule):
        desk = story(rule(escalation={"after": "1h"}))
        desk.fire("bank", 10)
        desk.end("bank", 50, 10)
        assert desk.advance(3000) == []

    def test_silence_and_hours_delay_it(self, story, rule):
        hour = at(0).hour
        desk = story(
            rule("one", escalation={"after": "1h"}),
            rule("two", escalation={"after": "1h"}, active={"hours": f"{hour:02d}:00-{hour + 1:02d}:00"}),
        )
        desk.fire("bank", 10, rule="one")
        desk.fire("bank", 10, rule="two")
        desk.command(silence(0, 300, rule="one"))
        assert desk.advance(299) == []
        assert sorted(desk.outcomes()) == ["fired", "fired", "outside_hours", "silenced"]
        assert desk.advance(300) == [("escalated", "bank")]
        assert desk.advance(24 * 60) == [("escalated", "bank")]


class TestHours:
    def test_outside_them_it_waits_and_is_dropped_if_over(self, story, rule):
        # START is a full hour; the rule may speak in one hour of the day only.
        hour = at(0).hour
        begin = (hour + 3) % 24
        desk = story(rule(active={"hours": f"{begin:02d}:00-{(begin + 1):02d}:00"}))
        assert desk.fire("bank", 10) == []
        assert desk.fire("other", 10) == []
        assert desk.end("other", 60, 10) == []
        assert desk.outcomes("bank") == ["outside_hours"]
        assert desk.advance(179) == []
        assert desk.advance(180) == [("fired", "bank")]

    def test_the_end_of_what_was_told_waits_for_the_hour(self, story, rule):
        hour = at(0).hour
        desk = story(rule(active={"hours": f"{hour:02d}:00-{(hour + 1):02d}:00"}))
        assert desk.fire("bank", 10) == [("fired", "bank")]
        assert desk.end("bank", 90, 10) == []
        assert desk.advance(24 * 60 - 1) == []
        assert desk.advance(24 * 60) == [("recovered", "bank")]
        assert desk.alerts[-1].ends_at == at(90)


class TestRules:
    def test_a_rule_that_is_gone_takes_back_what_it_told(self, story, rule):
        desk = story(rule("one"), rule("two"))
        desk.fire("bank", 10, rule="one")
        desk.fire("bank", 12, rule="two")
        assert desk.take(desk.desk.reload([rule("two")])) == [("retracted", "bank")]
        assert desk.alerts[-1].rule == "one"
        assert desk.end("bank", 60, 12, rule="two") == [("recovered", "bank")]

    def test_a_rule_that_is_switched_off_or_counts_something_else_takes_back_too(self, story, rule):
        for rules, anew in (([rule("one", enabled=False), rule("two")], ()), ([rule("one"), rule("two")], ("one",))):
            desk = story(rule("one"), rule("two"))
            for name in ("one", "two"):
                desk.fire("bank", 10, rule=name)
            assert desk.take(desk.desk.reload(rules, anew)) == [("retracted", "bank")]
            assert desk.alerts[-1].rule == "one"

    def test_what_a_rule_that_is_gone_held_is_told(self, story, rule):
        desk = story(rule(), rule("tags", group_by=["tag"]))
        desk.fire("bank", 10)
        desk.fire("banking", 15, rule="tags", dimension="tag", witnesses=BOTH)
        assert desk.take(desk.desk.reload([rule("tags", group_by=["tag"])])) == [("retracted", "bank"), ("fired", "banking")]

    def test_a_digest_ends_with_the_rule_of_its_members(self, story, rule):
        desk = story(rule("one"), rule("two"))
        desk.handle(10, *(desk.turn(TurnKind.FIRED, name, 10, start=10, rule="one") for name in "abcd"))
        desk.take(desk.desk.reload([rule("two")]))
        assert [(alert.reason, alert.status.value) for alert in desk.messages] == [("fired", "firing"), ("recovered", "resolved")]
        desk.save()
        assert not [name for name in desk.saved if name.startswith(("desk|case", "desk|alert", "desk|digest"))]

    def test_a_restart_without_a_rule_takes_back_what_it_told(self, story, rule):
        desk = story(rule("one"), rule("two"))
        desk.fire("bank", 10, rule="one")
        desk.restart(rule("two"))
        assert desk.advance(20) == [("retracted", "bank")]
        desk.save()
        assert not [name for name in desk.saved if name.startswith(("desk|case", "desk|alert"))]


class TestState:
    def test_entries_of_others_are_left_alone_and_broken_ones_are_named(self, story):
        desk = story()
        desk.desk.restore({"outbox:1": b"?", "negative-share|meta": b"?"})
        with pytest.raises(BellwetherError, match=r"desk\|case\|1"):
            story().desk.restore({"desk|case|1": b"{", "desk|alert|1": b""})
        with pytest.raises(BellwetherError, match=r"desk\|meta"):
            story().desk.restore({"desk|meta": b'{"v": 99, "now": 1, "serial": 0}'})

    def test_what_is_over_is_forgotten(self, story):
        desk = story()
        desk.fire("bank", 10)
        desk.end("bank", 60, 10)
        desk.save()
        assert any(name.startswith("desk|case|") for name in desk.saved)
        desk.advance(60 + 180 + 60 + 2 * 1440)
        desk.save()
        assert sorted(name.split("|")[1] for name in desk.saved) == ["meta", "storm"]

    def test_nothing_new_is_nothing_to_save(self, story):
        desk = story()
        desk.fire("bank", 10)
        desk.save()
        assert desk.desk.changes() == {}

    def test_silences_and_acknowledgements_survive(self, story):
        desk = story()
        desk.fire("peer", 10)
        desk.command(silence(0, 9000, value="bank"))
        desk.command(Acknowledge(target=desk.alerts[0].id, until=at(5000)))
        desk.restart()
        assert desk.fire("bank", 20) == []
        assert desk.handle(30, desk.turn(TurnKind.AMENDED, "peer", 30, start=10)) == []
        assert desk.command(Unsilence(id="s1")) == [("fired", "bank")]
        assert desk.advance(9100) == []
        desk.save()
        assert not [name for name in desk.saved if name.startswith(("desk|ack", "desk|silence"))]

    def test_a_case_comes_after_its_alert_and_before_nothing(self, story):
        desk = story()
        desk.fire("bank", 10)
        names = [name.split("|")[1] for name in desk.desk.changes()]
        assert names.index("alert") < names.index("case")
