"""Which alerts a silence means, and until when; who looks after what."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from streams.alerts.life import acknowledgements, silences
from streams.alerts.life.acknowledgements import Acknowledgements
from streams.alerts.life.book import Book, silences_of
from streams.alerts.life.commands import Acknowledge, Silence, SilenceMatcher
from streams.alerts.life.silences import Silences, matches
from streams.alerts.life.storm import Storm
from streams.documents import Key
from streams.errors import BellwetherError

BANK = Key(kind="entity", value="caldrava-bank", name="Caldrava Bank")


def at(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


def silence(id: str, begin: int, end: int, **matcher: str) -> Silence:
    return Silence(id=id, matchers=(SilenceMatcher(**matcher),), starts_at=at(begin), ends_at=at(end))


def ack(target: str, until: int) -> Acknowledge:
    return Acknowledge(target=target, until=at(until))


@pytest.mark.parametrize(
    ("matcher", "meant"),
    [
        ({}, True),
        ({"value": "caldrava-*"}, True),
        ({"value": "CALDRAVA-BANK"}, True),
        ({"value": "caldrava"}, False),
        ({"kind": "tag"}, False),
        ({"kind": "entity", "rule": "neg*", "severity": "warning"}, True),
        ({"severity": "critical"}, False),
        ({"rule": "negative-share?"}, False),
    ],
)
def test_all_four_must_match(matcher, meant):
    assert matches(SilenceMatcher(**matcher), "negative-share", BANK, "warning") is meant


def test_it_lasts_from_its_start_to_before_its_end():
    found = Silences()
    found.add(silence("a", 10, 20))
    assert [found.covering("r", BANK, "info", minute) is not None for minute in (9, 10, 19, 20)] == [False, True, True, False]


def test_of_several_the_longest_counts_and_one_of_the_same_name_replaces():
    found = Silences()
    found.add(silence("a", 0, 20))
    found.add(silence("b", 0, 30, value="cal*"))
    assert found.covering("r", BANK, "info", 5).id == "b"
    found.add(silence("b", 0, 30, value="other"))
    assert found.covering("r", BANK, "info", 5).id == "a"
    assert len(found) == 2


def test_what_is_over_is_removed():
    found = Silences()
    for id, end in (("a", 20), ("b", 30), ("c", 25)):
        found.add(silence(id, 0, end))
    found.changed.clear()
    found.expire(19)
    assert found.changed == set()
    found.expire(25)
    assert [each.id for each in found] == ["b"]
    assert found.changed == {"a", "c"}
    found.expire(30)
    assert len(found) == 0


def test_their_number_is_bounded():
    found = Silences()
    for number in range(silences.MAX_SILENCES + 5):
        found.add(silence(f"s{number}", 0, 10 + number))
    assert len(found) == silences.MAX_SILENCES
    assert found.get("s4") is None
    assert found.get("s5") is not None


def test_an_acknowledgement_is_of_an_episode_or_of_a_key():
    found = Acknowledgements()
    found.add(ack("a" * 32, 20))
    found.add(ack("b" * 16, 30))
    assert found.covering("a" * 32, "c" * 16, 19).until == at(20)
    assert found.covering("a" * 32, "c" * 16, 20) is None
    assert found.covering("a" * 32, "b" * 16, 5).until == at(30)
    found.expire(20)
    assert [each.target for each in found] == ["b" * 16]


def test_the_number_of_acknowledgements_is_bounded(monkeypatch):
    monkeypatch.setattr(acknowledgements, "MAX_ACKNOWLEDGEMENTS", 3)
    found = Acknowledgements()
    for number in range(5):
        found.add(ack(f"{number:032x}", 10 + number))
    assert sorted(each.until for each in found) == [at(12), at(13), at(14)]


def test_a_silence_must_last_and_mean_something():
    with pytest.raises(ValidationError, match="ends_at"):
        silence("a", 20, 20)
    with pytest.raises(ValidationError, match="matchers"):
        Silence(id="a", matchers=(), starts_at=at(0), ends_at=at(1))


def test_the_saved_state_tells_which_silences_are_kept_whoever_else_keeps_something_there():
    book = Book(Storm(limit=2, interval=60))
    late, soon, over = silence("late", 0, 300), silence("soon", 0, 200, value="bank*"), silence("over", 0, 50)
    for each in (late, over, soon):
        book.silences.add(each)
    saved = {name: value for name, value in book.changes().items() if value is not None}
    others = {"key|entity:caldrava-bank": b"\x00\x01", "outbox|1": b"{}"}
    assert silences_of({**saved, **others}) == [over, soon, late]
    book.now = 100
    book.expire()
    for name, value in book.changes().items():
        if value is None:
            del saved[name]
    assert silences_of(saved) == [soon, late]
    assert silences_of(others) == []


def test_a_silence_that_cannot_be_read_is_named():
    with pytest.raises(BellwetherError, match=r"desk\|silence\|odd") as caught:
        silences_of({"desk|silence|odd": b"{"})
    assert caught.value.mend
