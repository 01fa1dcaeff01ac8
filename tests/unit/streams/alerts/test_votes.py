"""Packed votes: what goes in comes out, nothing is counted twice, and a storm is bounded."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts import votes as module
from streams.alerts.names import Names, digest
from streams.alerts.votes import KEPT, PART, SIZE, VOTE, Flag, Hour, Kept, pack, unpack_kept


def test_a_vote_takes_48_bytes():
    assert VOTE.itemsize == SIZE == 48


def test_what_is_packed_can_be_read(seen):
    names = Names()
    item = seen("x", 77, "negative", entities=("bank", "grid"), duplicate_of="y", source="wire")._replace(author="Ann", topic="economy")
    packed = pack(item, names)
    hour = Hour()
    assert hour.add(packed.vote) is False
    [row] = hour.rows()
    assert (int(row["minute"]), int(row["id"]), int(row["original"])) == (item.minute % 60, digest("x"), digest("y"))
    assert names.text(int(row["source"])) == "wire"
    assert names.text(int(row["language"])) == "en"
    assert names.text(int(row["topic"])) == "economy"
    assert names.text(int(row["cast"])).split("\x1f") == ["bank", "grid"]
    assert row["score"] / 10_000 == pytest.approx(item.score, abs=1e-4)
    assert row["flags"] == Flag.SCORED | Flag.NEGATIVE | Flag.COPY
    assert (packed.scored, packed.negative, packed.copy, packed.minute) == (1, 1, True, item.minute)
    assert unpack_kept(packed.kept.text) == ("x", item.title, item.url, "y")


def test_an_unscored_document_has_no_score(seen):
    packed = pack(seen(1, 0, None)._replace(score=0.9), Names())
    assert (packed.scored, packed.negative, packed.score) == (0, 0, 0)


@given(title=st.text(max_size=50), url=st.text(alphabet=st.characters(exclude_characters="\x1f"), max_size=30))
def test_any_headline_survives(title, url):
    from streams.alerts.sighting import Sighting

    item = Sighting("a", "a", 1, 1, True, True, -1.0, "s", title=title, url=url, text="")
    first, found, link, original = unpack_kept(pack(item, Names()).kept.text)
    replaced = title.encode(errors="replace").decode()
    assert (first, found, link, original) == ("a", replaced, url.encode(errors="replace").decode(), "a")


def test_a_document_is_known_by_its_id_alone(seen):
    hour, names = Hour(), Names()
    for number in range(200):
        packed = pack(seen(number, number % 60), names)
        assert not hour.knows(packed.id)
        hour.add(packed.vote)
        assert hour.knows(packed.id)
    assert len(hour) == 200
    # Bytes in the middle of a row are no id.
    assert not hour.knows(bytes(hour.votes[3:11]))


def test_a_storm_keeps_a_fair_sample_whatever_the_order(seen, monkeypatch):
    monkeypatch.setattr(module, "MAX_VOTES", 200)
    monkeypatch.setattr(module, "_SLACK", 25)
    names = Names()
    packed = [pack(seen(number, number % 60), names) for number in range(3000)]
    found = set()
    for seed in range(3):
        shuffled = random.Random(seed).sample(packed, len(packed))
        hour = Hour()
        for item in [*shuffled, *shuffled[:500]]:
            if not hour.full_for(item.id) and not hour.knows(item.id):
                hour.add(item.vote)
            assert len(hour) < 230
        rows = hour.rows()
        assert len(rows) == 200
        found.add(tuple(sorted(rows["id"].tolist())))
    assert len(found) == 1


def test_the_most_negative_documents_are_kept_whatever_the_order():
    items = [Kept((score, number), b"%d" % number) for number, score in enumerate([-3, -9, -1, 0, 5] * 20)]
    found = set()
    for seed in range(5):
        hour = Hour()
        for item in random.Random(seed).sample(items, len(items)):
            hour.keep(item)
        assert hour.kept is not None
        found.add(tuple(hour.kept))
    assert found == {tuple(sorted(items)[:KEPT])}


@settings(max_examples=20)
@given(count=st.integers(1, 3 * PART))
def test_the_parts_are_the_whole(count):
    hour = Hour()
    for number in range(count):
        hour.add(number.to_bytes(SIZE, "little"))
    assert b"".join(hour.part(part) for part in range(hour.parts)) == bytes(hour.votes)
    assert hour.part(hour.parts) == b""
