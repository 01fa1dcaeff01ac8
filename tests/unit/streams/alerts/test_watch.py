"""What the engine forgets, that the saved state forgets it too, and what survives other rules."""

from __future__ import annotations

from datetime import timedelta

import pytest
import structlog

from streams.alerts import watch as watch_module
from streams.alerts.engine import Engine
from streams.alerts.rules.ruleset import RuleSet

DAY = 1440


def write(store, engine):
    for name, value in engine.changes().items():
        if value is None:
            store.pop(name, None)
        else:
            store[name] = value


def keys(store):
    return {name.split("|", 3)[3] for name in store if "|key|" in name}


def mine(store):
    return [name for name in store if name.startswith(("rule|", "source|"))]


def calm(seen, count=120, **changed):
    return [seen(f"calm{n}", n * 20, "negative" if n % 5 == 0 else "neutral", **changed) for n in range(count)]


def storm(seen, count=40, at=2500, **changed):
    return [seen(f"storm{n}", at + n, "negative", **changed) for n in range(count)]


def with_rule(rules, **changed):
    """The same rules, the first of them with other fields."""
    first, *rest = rules.rules
    return RuleSet((first.model_copy(update=changed), *rest), rules.channels, "changed", "")


def test_idle_keys_and_sources_leave_memory_and_state(rules, seen):
    store: dict[str, bytes] = {}
    engine = Engine(rules(baseline="P1D", allowed_lateness="PT1H"))
    for first in range(0, 900, 300):
        engine.observe([seen(n, n, entities=(f"old{n % 3}",), tags=("old",), source="old") for n in range(first, first + 300)])
        write(store, engine)
    assert keys(store) == {"entity:old0", "entity:old1", "entity:old2", "tag:old"}
    engine.observe([seen("new", 5 * DAY, entities=("new",), source="new")])
    write(store, engine)
    assert keys(store) == {"entity:new"}
    assert engine.keys == 1
    assert not [name for name in mine(store) if "old" in name]


def test_a_key_that_comes_back_after_it_was_forgotten_is_saved(rules, seen):
    store: dict[str, bytes] = {}
    engine = Engine(rules(baseline="P1D", allowed_lateness="PT1H"))
    engine.observe([seen(1, 0)])
    write(store, engine)
    engine.observe([seen(2, 5 * DAY, entities=("other",)), seen(3, 5 * DAY + 1)])
    write(store, engine)
    assert keys(store) == {"entity:bank", "entity:other"}
    again = Engine(rules(baseline="P1D", allowed_lateness="PT1H"))
    again.restore(store)
    assert again.observe([seen(3, 5 * DAY + 1)]).ignored == {"redelivered": 1}
    assert again.observe([seen(1, 0)]).ignored == {"late": 1}


def test_no_more_keys_than_the_limit(rules, seen, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watch_module, "MAX_KEYS", 100)
    store: dict[str, bytes] = {}
    engine = Engine(rules())
    for n in range(500):
        engine.observe([seen(n, n, entities=(), tags=(f"tag{n}",))])
        write(store, engine)
        assert len(keys(store)) <= 101
    assert "tag:tag499" in keys(store)
    assert "tag:tag0" not in keys(store)
    assert not [name for name in mine(store) if name.endswith("tag:tag0")]
    # What a forgotten key had said is not known: its silence must not be taken for silence.
    watch = engine._watches["negative-share-tags"]
    assert watch.trackers["tag:tag499"].known_since > watch.frame.known_since


def test_saved_votes_of_old_hours_become_sums(rules, seen):
    store: dict[str, bytes] = {}
    engine = Engine(rules(baseline="P2D", allowed_lateness="PT1H"))
    for n in range(400):
        engine.observe([seen(n, n * 10, "negative" if n % 2 else "neutral")])
        write(store, engine)
    assert 6 <= len([name for name in store if "|votes|" in name]) <= 12
    assert 3 <= len([name for name in store if "|day|" in name]) <= 4
    again = Engine(rules(baseline="P2D", allowed_lateness="PT1H"))
    again.restore(store)
    fresh = seen("fresh", 4000)
    again.observe([fresh])
    engine.observe([fresh])
    assert again.changes() == engine.changes()
    one, other = (each.explain("negative-share", "entity:bank") for each in (engine, again))
    assert one is not None
    assert other is not None
    assert one.view.hours.documents.tolist() == other.view.hours.documents.tolist()
    assert one.view.hours.total().documents > 250


def test_a_save_that_was_cut_off_while_an_hour_was_closed(rules, seen):
    """Neither counted twice nor lost, wherever the cut is."""
    engine = Engine(rules(baseline="P2D", allowed_lateness="PT1H"))
    base: dict[str, bytes] = {}
    engine.observe([seen(n, n * 10) for n in range(60)])
    write(base, engine)
    engine.observe([seen("next", 60 * 10 + 50)])
    changes = list(engine.changes().items())
    expected = engine.explain("negative-share", "entity:bank").view.hours.total()
    closing = [place for place, (name, value) in enumerate(changes) if "|votes|" in name and value is None]
    assert closing
    for cut in range(len(changes) + 1):
        store = dict(base)
        for name, value in changes[:cut]:
            store[name] = value
        again = Engine(rules(baseline="P2D", allowed_lateness="PT1H"))
        again.restore({name: value for name, value in store.items() if value is not None})
        again.observe([seen("next", 60 * 10 + 50)])
        assert again.explain("negative-share", "entity:bank").view.hours.total() == expected


def test_a_state_survives_other_thresholds(rules, seen):
    """Votes are kept, not judgements: an operator who changes the window keeps the past."""
    engine = Engine(rules())
    engine.observe([seen(n, n * 10) for n in range(300)])
    store: dict[str, bytes] = {}
    write(store, engine)
    for changed in ({"window": "PT1H", "allowed_lateness": "PT1H"}, {"window": "PT6H", "baseline": "P14D"}):
        again = Engine(rules(**changed))
        again.restore(store)
        result = again.observe([seen(f"storm{n}", 3000 + n / 2, "negative") for n in range(60)])
        assert [str(alert.key) for alert in result.alerts if alert.reason == "fired"] == ["entity:bank"]


def test_a_rule_that_counts_something_else_begins_anew_and_says_so(rules, seen):
    engine = Engine(rules())
    engine.observe(calm(seen))
    store: dict[str, bytes] = {}
    write(store, engine)
    other = with_rule(rules(), group_by=("entity", "language"))
    again = Engine(other)
    with structlog.testing.capture_logs() as logs:
        again.restore(store)
    assert [entry["rule"] for entry in logs if "begins anew" in entry["event"]] == ["negative-share"]
    write(store, again)
    assert keys(store) == set()
    again.observe(calm(seen))
    write(store, again)
    assert keys(store) == {"entity+language:bank|en"}


def test_reloading_keeps_what_is_counted_and_uses_the_new_thresholds(rules, seen):
    engine = Engine(rules(min_documents=1000))
    engine.observe(calm(seen))
    assert engine.observe(storm(seen)[:30]).alerts == ()
    engine.reload(rules(min_documents=12))
    alerts = [*engine.observe(storm(seen)[30:]).alerts, *engine.advance(engine.next_end).alerts]
    assert [(str(alert.key), alert.reason) for alert in alerts] == [("entity:bank", "fired")]


def test_reloading_ends_the_alerts_of_a_rule_that_is_gone(rules, seen):
    engine = Engine(rules())
    store: dict[str, bytes] = {}
    engine.observe([*calm(seen), *storm(seen)])
    write(store, engine)
    assert keys(store)
    first, second = rules().rules
    result = engine.reload(RuleSet((second,), {}, "fewer", ""))
    assert [(alert.reason, alert.status.value) for alert in result.alerts] == [("retracted", "resolved")]
    write(store, engine)
    assert not [name for name in store if name.startswith(f"rule|{first.name}|")]


def test_what_a_rule_told_before_it_counted_something_else_is_over(rules, seen):
    other = with_rule(rules(), group_by=("entity", "language"))
    engine = Engine(rules())
    engine.observe([*calm(seen), *storm(seen)])
    store: dict[str, bytes] = {}
    write(store, engine)
    result = engine.reload(other)
    assert [(alert.reason, alert.status.value, str(alert.key)) for alert in result.alerts] == [("retracted", "resolved", "entity:bank")]
    again = Engine(other)
    again.restore(store)
    assert [(alert.reason, str(alert.key)) for alert in again.undelivered() if alert.status.value == "resolved"] == [
        ("retracted", "entity:bank")
    ]
    write(store, again)
    last = Engine(other)
    last.restore(store)
    assert [alert.reason for alert in last.undelivered()] == [alert.reason for alert in again.undelivered()]


def test_a_disabled_rule_does_nothing(rules, seen):
    engine = Engine(with_rule(rules(), enabled=False))
    result = engine.observe([*calm(seen), *storm(seen)])
    assert result.alerts == ()
    assert result.ignored == {"no_key": 160}


def test_the_state_of_an_earlier_release_is_dropped_with_a_word(rules, seen):
    old = {
        "negative-share|meta": b'{"v":1,"first":1}',
        "negative-share|key|entity:bank": b'{"v":1,"name":"Bank","hours":[],"episode":null,"noted":{}}',
        "negative-share|votes|1.0|entity:bank": b"[]",
    }
    engine = Engine(rules())
    with structlog.testing.capture_logs() as logs:
        engine.restore(old)
    assert [entry["entries"] for entry in logs if "earlier release" in entry["event"]] == [3]
    changes = engine.changes()
    assert all(changes[name] is None for name in old)


def test_an_order_of_magnitude_of_silence_costs_nothing(rules, seen):
    engine = Engine(rules())
    engine.observe([*calm(seen), *storm(seen)])
    result = engine.observe([seen("later", 300 * DAY, entities=("other",))])
    assert [alert.reason for alert in result.alerts] == ["silent"]
    assert engine.keys == 1


def test_explain_judges_without_a_trace(rules, seen):
    engine = Engine(rules())
    engine.observe([*calm(seen), *storm(seen)])
    engine.changes()
    judgement = engine.explain("negative-share", "entity:bank")
    assert judgement is not None
    assert judgement.assessment.holds
    assert judgement.view.window.negative == sum(witness.negative for witness in judgement.witnesses if witness.weight)
    minute = seen(0, 1000).minute
    earlier = engine.explain("negative-share", "entity:bank", minute)
    assert earlier is not None
    assert minute < earlier.end <= minute + 60
    assert not earlier.assessment.holds
    assert engine.explain("negative-share", "entity:nobody") is None
    assert engine.explain("no-rule", "entity:bank") is None
    assert not [name for name in engine.changes() if name.startswith("rule|")]


def test_hold_is_waited_for(rules, seen):
    engine = Engine(with_rule(rules(), hold=timedelta(minutes=15)))
    result = engine.observe([*calm(seen), *storm(seen)])
    fired = [turn for turn in result.turns if turn.kind.value == "fired"]
    assert [turn.episode.fired - turn.episode.start for turn in fired] == [15]
    assert {decision.outcome.value for decision in result.decisions} >= {"pending"}


def test_too_few_sources_do_not_suffice(rules, seen):
    narrow = rules().rules[0].evidence.model_copy(update={"sources": 2})
    engine = Engine(with_rule(rules(), evidence=narrow))
    result = engine.observe([*calm(seen), *storm(seen)])
    assert result.alerts == ()
    assert "too_narrow" in {decision.outcome.value for decision in result.decisions}
    engine = Engine(with_rule(rules(), evidence=narrow))
    items = [item._replace(source=f"wire{n % 2}") for n, item in enumerate([*calm(seen), *storm(seen)])]
    assert [alert.reason for alert in engine.observe(items).alerts] == ["fired"]


def test_a_budget_is_kept(rules, seen):
    engine = Engine(with_rule(rules(), budget=1e-9))
    result = engine.observe([*calm(seen), *storm(seen, 20)])
    assert result.alerts == ()
    assert "over_budget" in {decision.outcome.value for decision in result.decisions}


def test_one_author_cannot_raise_an_alert(rules, seen):
    engine = Engine(rules())
    flood = [item._replace(author="troll") for item in storm(seen, 60)]
    assert engine.observe([*calm(seen), *flood]).alerts == ()
    many = [item._replace(author=f"person{n}", id=f"p{n}", original=f"p{n}") for n, item in enumerate(storm(seen, 60))]
    assert [alert.reason for alert in engine.observe(many).alerts][:1] == ["fired"]
