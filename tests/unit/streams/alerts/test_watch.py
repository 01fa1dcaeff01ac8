"""What the engine forgets, and that the saved state forgets it too."""

from __future__ import annotations

import pytest

from streams.alerts import watch as watch_module
from streams.alerts.engine import Engine

DAY = 1440


def write(store, engine):
    for name, value in engine.changes().items():
        if value is None:
            store.pop(name, None)
        else:
            store[name] = value


def keys(store):
    return {name.split("|", 2)[2] for name in store if "|key|" in name}


def test_idle_keys_and_sources_leave_memory_and_state(rule, document):
    store: dict[str, bytes] = {}
    engine = Engine([rule(baseline="P1D", allowed_lateness="PT1H")])
    engine.observe([document(n, n, entities=(f"old{n % 3}",), tags=("old",), source="old") for n in range(900)])
    write(store, engine)
    assert keys(store) == {"entity:old0", "entity:old1", "entity:old2", "tag:old"}
    engine.observe([document("new", 5 * DAY, entities=("new",), source="new")])
    write(store, engine)
    assert sorted(store) == [
        name
        for name in sorted(store)
        if name.startswith(("negative-share|key|entity:new", "negative-share|votes|", "negative-share|source|new", "negative-share|meta"))
    ]
    assert not [name for name in store if "old" in name]


def test_a_key_that_comes_back_after_it_was_forgotten_is_saved(rule, document):
    store: dict[str, bytes] = {}
    engine = Engine([rule(baseline="P1D", allowed_lateness="PT1H")])
    engine.observe([document(1, 0)])
    write(store, engine)
    engine.observe([document(2, 5 * DAY, entities=("other",)), document(3, 5 * DAY + 1)])
    write(store, engine)
    assert keys(store) == {"entity:bank", "entity:other"}
    again = Engine([rule(baseline="P1D", allowed_lateness="PT1H")])
    again.restore(store)
    assert again.observe([document(3, 5 * DAY + 1)]).ignored == {"redelivered": 1}
    assert again.observe([document(1, 0)]).ignored == {"late": 1}


def test_no_more_keys_than_the_limit(rule, document, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watch_module, "MAX_KEYS", 100)
    store: dict[str, bytes] = {}
    engine = Engine([rule()])
    for n in range(500):
        engine.observe([document(n, n, entities=(), tags=(f"tag{n}",))])
        write(store, engine)
        assert len(keys(store)) <= 101
    assert "tag:tag499" in keys(store)
    assert "tag:tag0" not in keys(store)


def test_saved_votes_of_old_hours_are_deleted(rule, document):
    store: dict[str, bytes] = {}
    engine = Engine([rule(baseline="P2D", allowed_lateness="PT1H")])
    for n in range(400):
        engine.observe([document(n, n * 10)])
        write(store, engine)
    votes = [name for name in store if "|votes|" in name]
    assert 7 <= len(votes) <= 10
    again = Engine([rule(baseline="P2D", allowed_lateness="PT1H")])
    again.restore(store)
    fresh = document("fresh", 4000)
    again.observe([fresh])
    engine.observe([fresh])
    assert again.changes() == engine.changes()


def test_a_state_survives_other_thresholds(rule, document):
    """Votes are kept, not judgements: an operator who changes the window keeps the past."""
    engine = Engine([rule()])
    engine.observe([document(n, n * 10) for n in range(300)])
    store: dict[str, bytes] = {}
    write(store, engine)
    for changed in ({"window": "PT1H", "allowed_lateness": "PT1H"}, {"window": "PT6H", "baseline": "P14D"}):
        again = Engine([rule(**changed)])
        again.restore(store)
        result = again.observe([document(f"storm{n}", 3000 + n / 2, "negative") for n in range(60)])
        assert [str(alert.key) for alert in result.alerts] == ["entity:bank"]


def test_entries_of_others_are_left_alone(rule, document):
    engine = Engine([rule()])
    engine.restore({"another-rule|key|entity:x": b"whatever", "barrier": b"x"})
    engine.observe([document(1, 0)])
    assert all(name.startswith("negative-share|") for name in engine.changes())
