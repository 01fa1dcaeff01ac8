"""How much a circle of receivers may still hear."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.alerts.life.storm import Storm


def test_room_comes_back_after_the_interval():
    storm = Storm(limit=2, interval=60)
    storm.count("a", 0)
    storm.count("a", 30)
    assert [storm.room("a", minute) for minute in (30, 59, 60, 90)] == [0, 0, 1, 2]
    assert storm.room("b", 30) == 2


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(1, 5), st.integers(1, 90))
def test_never_more_than_the_limit_within_the_interval_and_little_is_kept(steps, limit, interval):
    storm, now, told = Storm(limit, interval), 0, []
    for step in steps:
        now += step
        if storm.room("a", now) > 0:
            storm.count("a", now)
            told.append(now)
        assert len(storm.minutes("a")) <= limit
    for minute in told:
        assert sum(minute <= other < minute + interval for other in told) <= limit
