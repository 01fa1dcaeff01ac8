"""The engine as its callers see it: what fires, when, once, and the same after a kill."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from streams.alerts.engine import Engine
from streams.alerts.evidence.compose import MAX_SOURCES
from streams.alerts.rules.ruleset import RuleSet
from streams.documents import AlertStatus, DecisionOutcome
from streams.errors import BellwetherError, SettingsError

START = datetime(2026, 3, 1, tzinfo=UTC)


def outcomes(result):
    return [decision.outcome for decision in result.decisions]


def fired(alerts):
    return [(alert.id, alert.revision, alert.reason, str(alert.key), alert.starts_at, alert.ends_at) for alert in alerts]


def calm(seen, count=120, every=20, **changed):
    """`count` documents of which every fifth is negative."""
    return [seen(f"calm{n}", n * every, "negative" if n % 5 == 0 else "neutral", **changed) for n in range(count)]


def storm(seen, count=20, at=2500, mood="negative", name="storm", **changed):
    return [seen(f"{name}{n}", at + n, mood, **changed) for n in range(count)]


def run(rules, documents, size=None):
    engine = Engine(rules())
    size = size or len(documents)
    results = [engine.observe(documents[i : i + size]) for i in range(0, len(documents), size)]
    results.append(engine.advance(engine.next_end))
    return [alert for result in results for alert in result.alerts], [d for result in results for d in result.decisions]


def test_a_turn_fires_once_with_evidence_and_numbers(rules, seen):
    engine = Engine(rules())
    assert engine.observe(calm(seen)).alerts == ()
    (alert,) = engine.observe(storm(seen, 40)).alerts
    assert alert.status is AlertStatus.FIRING
    assert (alert.rule, str(alert.key), alert.key.name, alert.severity) == ("negative-share", "entity:bank", "Bank", "critical")
    assert alert.observed.documents >= 12
    assert alert.observed.share >= 0.5
    assert alert.p_value <= 1e-4
    assert 0.15 < alert.baseline.expected_share < 0.25
    assert timedelta(0) <= alert.observed.start - alert.baseline.end < timedelta(hours=1)
    assert alert.evidence
    assert all(item.score < 0 and item.title.startswith("Headline") and item.url for item in alert.evidence)
    assert len(alert.evidence) == alert.observed.negative <= 20
    assert alert.languages == {"en": alert.observed.negative}
    assert alert.sources == {"wire": alert.observed.negative}
    assert f"{alert.observed.negative} of {alert.observed.documents} documents" in alert.summary
    assert (alert.independent_languages, alert.independent_sources) == (1, 1)
    assert engine.undelivered() == [alert]


def test_evidence_is_at_most_twenty_and_originals_come_first(rules, seen):
    copies = [seen(f"copy{n}", 2471 + n / 10, "negative", duplicate_of="storm0", source=f"copy{n}") for n in range(30)]
    documents = calm(seen) + sorted(copies + storm(seen, 14, at=2470), key=lambda item: item.minute)
    (alert, *_), _ = run(rules, documents)
    assert len(alert.evidence) <= 20
    flags = [item.duplicate_of is not None for item in alert.evidence]
    assert not flags[0]
    assert alert.observed.documents < 30, "near-copies have no votes of their own"


def test_made_up_sources_do_not_swell_an_alert(rules, seen):
    made_up = [seen(f"s{n}", 2500 + n // 4, "negative", source=f"{n:0512}") for n in range(400)]
    (alert,), _ = run(lambda: rules(min_documents=200), calm(seen) + made_up)
    assert len(alert.sources) == MAX_SOURCES
    assert alert.independent_sources > 150


@pytest.mark.parametrize("count", [1, 2, 5, 11])
def test_tiny_samples_never_fire(rules, seen, count):
    alerts, decisions = run(rules, calm(seen) + storm(seen, count, at=2700))
    assert not alerts
    assert {d.outcome for d in decisions} <= {DecisionOutcome.TOO_FEW}


def test_from_nothing_to_something_does_not_fire(rules, seen):
    """A key of which nothing is known, in a stream that has just begun."""
    engine = Engine(rules())
    result = engine.observe(storm(seen, 60, at=0))
    assert result.alerts == ()
    assert set(outcomes(result)) <= {DecisionOutcome.TOO_FEW, DecisionOutcome.NOT_UNUSUAL, DecisionOutcome.NO_BASELINE}


def test_a_new_key_in_a_known_world_fires_only_with_many_documents(rules, seen):
    world = calm(seen, entities=("other",))
    few, _ = run(rules, world + storm(seen, 13))
    many, _ = run(rules, world + storm(seen, 90, at=2400))
    assert not few
    (alert,) = many
    assert alert.baseline.documents == 0


def test_a_key_that_is_always_negative_is_not_news(rules, seen):
    gloomy = [seen(n, n * 5, "positive" if n % 5 == 0 else "negative") for n in range(900)]
    alerts, _ = run(rules, gloomy)
    assert not alerts


def test_it_resolves_under_the_same_id_and_then_stays_silent(rules, seen):
    documents = calm(seen) + storm(seen, 25) + storm(seen, 60, at=2700, mood="positive", name="relief")
    documents += storm(seen, 40, at=3200, name="again")
    alerts, decisions = run(rules, documents)
    assert [alert.status for alert in alerts] == [AlertStatus.FIRING, AlertStatus.RESOLVED]
    first, second = alerts
    assert (first.id, first.fingerprint, first.starts_at) == (second.id, second.fingerprint, second.starts_at)
    assert "back near its baseline" in second.summary
    assert second.observed.share < first.observed.share
    assert DecisionOutcome.COOLING_DOWN in {d.outcome for d in decisions}
    assert all(d.alert_id == first.id for d in decisions if d.outcome is DecisionOutcome.COOLING_DOWN)


def test_after_the_cool_down_a_new_episode_has_a_new_id(rules, seen):
    documents = calm(seen, 120) + storm(seen, 25)
    documents += [seen(f"rest{n}", 2600 + n * 20, "neutral") for n in range(100)] + storm(seen, 40, at=4700, name="again")
    alerts, _ = run(rules, documents)
    assert [alert.status.value for alert in alerts] == ["firing", "resolved", "firing"]
    assert alerts[0].id != alerts[2].id
    assert alerts[0].fingerprint == alerts[2].fingerprint


def test_silence_resolves_when_time_passes_elsewhere(rules, seen):
    engine = Engine(rules())
    engine.observe(calm(seen) + storm(seen, 25))
    assert engine.observe([seen("x", 2600, entities=("other",))]).alerts == ()
    (alert,) = engine.observe([seen("y", 2800, entities=("other",))]).alerts
    assert alert.status is AlertStatus.RESOLVED
    assert alert.observed.documents == 0
    assert "No more is heard about Bank" in alert.summary


@pytest.mark.parametrize("seed", range(4))
def test_batches_do_not_change_which_alerts_fire_and_when(rules, crisis, seed):
    documents = crisis(seed)
    whole = run(rules, documents)
    assert [alert.status.value for alert in whole[0]] == ["firing", "resolved"]
    assert {str(alert.key) for alert in whole[0]} == {"entity:bank"}
    for size in (1, 7, 500):
        assert fired(run(rules, documents, size)[0]) == fired(whole[0])


def test_redelivery_changes_nothing(rules, crisis):
    documents = crisis(2)
    rng = random.Random(5)
    noisy = []
    for n, item in enumerate(documents):
        noisy.append(item)
        if n > 50 and rng.random() < 0.3:
            noisy.extend(documents[n - 20 : n + 1])
    assert run(rules, noisy, 40) == run(rules, documents)


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_and_restored_at_every_prefix_it_gives_the_same(rules, crisis, seed):
    documents = crisis(seed, days=2, others=2)
    expected, expected_decisions = run(rules, documents, 1)
    assert expected
    store: dict[str, bytes] = {}
    engine = Engine(rules())
    alerts, decisions = [], []
    for n, item in enumerate(documents):
        result = engine.observe([item])
        alerts += result.alerts
        decisions += result.decisions
        save(store, engine)
        engine = Engine(rules())
        engine.restore(store)
        if n % 9 == 0:
            again = engine.observe(documents[max(0, n - 4) : n + 1])
            assert again.alerts == ()
            assert sum(again.ignored.values()) == min(n, 4) + 1
    assert alerts == expected
    assert decisions == expected_decisions


def save(store, engine):
    write(store, engine.changes().items())


def write(store, entries):
    for name, value in entries:
        if value is None:
            store.pop(name, None)
        else:
            store[name] = value


@pytest.mark.parametrize("cut", [100, 150, 200, 240])
def test_a_kill_loses_the_unsaved_batch_and_redelivery_heals_it(rules, crisis, cut):
    documents = crisis(3, days=2, others=2)
    expected, _ = run(rules, documents)
    store: dict[str, bytes] = {}
    engine = Engine(rules())
    alerts = list(engine.observe(documents[:cut]).alerts)
    save(store, engine)
    engine.observe(documents[cut : cut + 30])  # and killed before the save
    engine = Engine(rules())
    engine.restore(store)
    assert engine.undelivered() == alerts
    alerts += engine.observe(documents[cut:]).alerts
    assert alerts == expected


def test_a_save_that_is_cut_off_between_entries_loses_no_alert(rules, seen):
    """However much of a save is written, the redelivered batch leads to the same alert, in the outbox or anew, under one id."""
    before, after = calm(seen), storm(seen, 14)
    engine = Engine(rules())
    engine.observe(before)
    base: dict[str, bytes] = {}
    save(base, engine)
    result = engine.observe(after)
    (alert,) = result.alerts
    changes = list(engine.changes().items())
    assert len(changes) > 3
    for written in range(len(changes) + 1):
        store = dict(base)
        write(store, changes[:written])
        again = Engine(rules())
        again.restore(store)
        pending = again.undelivered()
        told = pending + list(again.observe(after).alerts)
        assert {item.id for item in told} == {alert.id}
        assert {item.status for item in told} == {AlertStatus.FIRING}


def test_the_outbox_holds_an_alert_until_it_is_acknowledged(rules, seen):
    store: dict[str, bytes] = {}
    engine = Engine(rules())
    (alert,) = engine.observe(calm(seen) + storm(seen, 25)).alerts
    save(store, engine)
    assert f"outbox:{alert.id}:0:firing" in store
    again = Engine(rules())
    again.restore(store)
    assert again.undelivered() == [alert]
    again.acknowledge(alert)
    again.acknowledge(alert)
    assert again.undelivered() == []
    save(store, again)
    assert not [name for name in store if name.startswith("outbox:")]
    assert again.changes() == {}


def test_changes_are_small_and_complete(rules, crisis):
    documents = crisis(1)
    engine = Engine(rules())
    engine.observe(documents)
    assert engine.changes()
    assert engine.changes() == {}
    engine.observe([documents[-1]])
    assert engine.changes() == {}, "a redelivered document touches nothing"
    fresh = documents[-1]._replace(id="fresh", original="fresh")
    engine.observe([fresh])
    touched = engine.changes()
    assert sum(len(value or b"") for value in touched.values()) < 20_000


def test_shuffled_within_the_lateness_the_same_key_fires(rules, crisis):
    documents = crisis(4)
    for seed in range(5):
        rng = random.Random(seed)
        shuffled = sorted(documents, key=lambda item: item.minute * 60 + rng.uniform(0, 12 * 3600))
        alerts, _ = run(rules, shuffled)
        assert {str(alert.key) for alert in alerts if alert.status is AlertStatus.FIRING} == {"entity:bank"}


def test_backwards_within_the_lateness_a_past_window_still_fires(rules, seen):
    before = calm(seen)
    late = storm(seen, 30, at=2500)
    after = [seen("now", 3200, "neutral")]
    alerts, _ = run(rules, before + after + late[::-1])
    assert [alert.status for alert in alerts][:1] == [AlertStatus.FIRING]
    assert alerts[0].starts_at <= START + timedelta(minutes=3200)


def test_a_sector_is_not_told_what_its_bank_is_told(rules, seen):
    both = {"tags": ("banking",)}
    documents = calm(seen, **both) + storm(seen, 40, **both)
    alerts, decisions = run(rules, documents)
    assert {str(alert.key) for alert in alerts} == {"entity:bank"}
    held = [d for d in decisions if d.outcome is DecisionOutcome.HELD]
    assert held
    assert str(held[0].key) == "tag:banking"
    assert held[0].alert_id in {None, alerts[0].id}
    assert "name bank" in held[0].explanation


def test_a_move_of_the_whole_sector_is_told(rules, seen):
    names = [f"bank{n}" for n in range(10)]
    ordinary = [seen(n, n * 10, "negative" if n % 5 == 0 else "neutral", entities=(names[n % 10],), tags=("banking",)) for n in range(250)]
    move = [seen(f"m{n}", 2500 + n, "negative", entities=(names[n % 10],), tags=("Banking",)) for n in range(40)]
    alerts, _ = run(rules, ordinary + move)
    assert [(str(alert.key), alert.reason) for alert in alerts] == [("tag:banking", "fired"), ("tag:banking", "amended")]


def test_who_is_named_beside_the_bank_is_not_accused(rules, seen):
    ordinary = calm(seen) + [seen(f"s{n}", n * 20 + 1, "neutral", entities=("supervisor",)) for n in range(120)]
    ordinary.sort(key=lambda item: item.minute)
    alone = storm(seen, 20)
    together = [seen(f"t{n}", 2520 + n, "negative", entities=("bank", "supervisor")) for n in range(40)]
    alerts, decisions = run(rules, ordinary + alone + together)
    assert {str(alert.key) for alert in alerts} == {"entity:bank"}
    held = [d for d in decisions if d.outcome is DecisionOutcome.HELD and str(d.key) == "entity:supervisor"]
    assert held
    assert held[0].alert_id == alerts[0].id


def test_what_is_not_counted_is_told(rules, seen):
    engine = Engine(rules(allowed_lateness="PT1H"))
    result = engine.observe(
        [
            seen(1, 600),
            seen(2, 610, None),
            seen(3, 620, entities=()),
            seen(1, 600),
            seen(4, 300),
            seen(5, 700, received=-10_000),
            seen(6, -60 * 24 * 365 * 50, received=0),
        ]
    )
    assert result.ignored == {"unscored": 1, "no_key": 1, "redelivered": 1, "late": 1, "absurd_time": 2}


def test_decisions_are_bounded_by_key_kind_and_hour(rules, seen):
    engine = Engine(rules())
    engine.observe(calm(seen))
    result = engine.observe([seen(f"n{n}", 2500 + n / 10, "negative" if n % 20 < 9 else "neutral") for n in range(600)])
    assert len(result.decisions) == len({(d.outcome, str(d.key), d.at.replace(minute=0)) for d in result.decisions})
    assert len({d.id for d in result.decisions}) == len(result.decisions)
    assert result.decisions


def test_rules_need_names_of_their_own(rules):
    with pytest.raises(SettingsError):
        Engine(RuleSet((*rules().rules, *rules().rules), {}, "twice", ""))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rule|negative-share|meta", b'{"v":99}', "version 99"),
        ("rule|negative-share|key|entity:x", b"{", "cannot be read"),
        ("outbox:x:firing", b"{}", "not an alert"),
    ],
)
def test_a_state_that_cannot_be_read_says_so(rules, name, value, message):
    with pytest.raises(BellwetherError, match=message) as caught:
        Engine(rules()).restore({name: value})
    assert caught.value.mend


def test_restore_comes_first(rules, seen):
    engine = Engine(rules())
    engine.observe([seen(1, 1)])
    with pytest.raises(BellwetherError, match="already seen"):
        engine.restore({})
