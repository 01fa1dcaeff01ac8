"""What is kept when votes are gone: closed hours, the days of all keys, the names of numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.alerts import names as names_module
from streams.alerts.history import SUMS, History
from streams.alerts.names import Names, digest
from streams.alerts.tally import NOTHING, Tally
from streams.alerts.votes import pack
from streams.alerts.world import World

DAY = 1440


def test_a_closed_hour_takes_20_bytes():
    assert SUMS.itemsize == 20


@given(hours=st.sets(st.integers(0, 200), max_size=40), first=st.integers(0, 200), count=st.integers(0, 60), before=st.integers(0, 220))
def test_closed_hours_are_found_where_they_were(hours, first, count, before):
    history = History()
    for hour in sorted(hours):
        history.add(hour, Tally(hour + 1.0, hour + 0.5, 1.0, -0.25))
    days = history.forget(before)
    left = {hour for hour in hours if hour >= before}
    assert days == {hour // 24 for hour in hours - left}
    out = np.zeros((count, 4))
    history.fill(out, first)
    for place in range(count):
        expected = [first + place + 1.0, first + place + 0.5, 1.0, -0.25] if first + place in left else [0.0] * 4
        assert out[place].tolist() == expected
    again = History(b"".join(history.day(day) for day in range(10)))
    assert again.rows.tolist() == history.rows.tolist()
    assert all(again.holds(hour) is (hour in left) for hour in hours)


def test_the_world_is_finished_days_only(seen):
    world, names = World(lateness=60), Names()
    start = seen(0, 0).minute
    for number in range(10):
        world.add(pack(seen(number, number, "negative" if number < 4 else "neutral"), names), new_key=number < 3)
    world.add(pack(seen("copy", 20, "negative", duplicate_of=1), names), new_key=False)
    assert world.before(start + DAY) == (NOTHING, 0)
    assert world.before(start + DAY + 59) == (NOTHING, 0)
    tally, keys = world.before(start + DAY + 60)
    assert (tally.documents, tally.scored, tally.negative, keys) == (10.0, 10.0, 4.0, 3)
    assert world.before(start + 40 * DAY)[0] == NOTHING, "four weeks are enough"
    again = World(lateness=60)
    again.restore(world.changes())
    assert again.before(start + 2 * DAY) == world.before(start + 2 * DAY)
    assert world.changes() == {}
    assert world.forget(start + 60 * DAY) == [start // DAY]


def test_a_day_that_changes_late_is_not_remembered_as_it_was(seen):
    world, names = World(lateness=60), Names()
    start = seen(0, 0).minute
    world.add(pack(seen(1, 0), names), new_key=True)
    assert world.before(start + 3 * DAY)[0].documents == 1
    world.add(pack(seen(2, 5), names), new_key=False)
    assert world.before(start + 3 * DAY)[0].documents == 2


def test_numbers_do_not_depend_on_the_order():
    one, other = Names(), Names()
    texts = ["wire", "", "en", "x" * 600, "\udcff"]
    assert [one.take(text) for text in texts] == [other.take(text) for text in texts[::-1]][::-1]
    assert one.text(one.take("wire")) == "wire"
    assert one.text(one.take("en") & 0xFFFFFFFF) == "en"
    assert one.text(12345) == ""
    assert one.author("") == 0
    assert one.author("Ann") == other.author("Ann") != 0


def test_names_that_nobody_uses_are_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(names_module, "_LEAST", 10)
    names = Names()
    names._limit = 10
    for number in range(9):
        names.take(f"n{number}")
    names.forget(lambda: set())
    assert names.text(digest("n0")) == "n0", "few are no burden"
    saved = names.changes()
    names.take("n9")
    names.forget(lambda: {digest("n9"), digest("n8") & 0xFFFFFFFF})
    assert [names.text(digest(f"n{number}")) for number in range(10)] == [""] * 8 + ["n8", "n9"]
    gone = names.changes()
    assert [value for value in gone.values() if value] == [b"n9"]
    saved.update(gone)
    again = Names()
    again.restore({name: value for name, value in saved.items() if value is not None})
    assert again.text(digest("n8")) == "n8"
    assert again.text(digest("n0")) == ""
