"""Watermarks: each source has its own, and nothing absurd moves one."""

from __future__ import annotations

import pytest

from streams.alerts.clock import Clock, Ignored, minute_of


def admit(clock, item):
    return clock.admit(item, minute_of(item))


def test_each_source_has_its_own_watermark(document):
    clock = Clock(lateness=60)
    assert admit(clock, document(1, 1000, source="fast")) is None
    assert admit(clock, document(2, 10, source="slow")) is None
    assert admit(clock, document(3, 940, source="fast")) is None
    assert admit(clock, document(4, 939, source="fast")) is Ignored.LATE
    assert clock.newest == minute_of(document(1, 1000))
    assert clock.first == minute_of(document(2, 10))
    assert clock.dirty == {"fast", "slow"}


@pytest.mark.parametrize(
    ("minute", "received", "reason"), [(1440, 0, None), (1441, 0, Ignored.ABSURD_TIME), (-40 * 525_960, 0, Ignored.ABSURD_TIME)]
)
def test_absurd_times_move_nothing(document, minute, received, reason):
    clock = Clock(lateness=60)
    assert admit(clock, document(1, minute, received=received)) is reason
    assert bool(clock.sources) is (reason is None)
    assert (clock.newest is None) is (reason is not None)


def test_silent_sources_are_forgotten(document):
    clock = Clock(lateness=60)
    admit(clock, document(1, 0, source="old"))
    admit(clock, document(2, 5000, source="new"))
    assert clock.forget(minute_of(document(3, 100))) == ["old"]
    assert set(clock.sources) == {"new"}
    assert clock.dirty == {"new"}


def test_the_minute_does_not_depend_on_the_zone(document):
    from datetime import timedelta, timezone

    item = document(1, 77.9)
    shifted = item.model_copy(update={"published_at": item.published_at.astimezone(timezone(timedelta(hours=9)))})
    assert minute_of(item) == minute_of(shifted)
