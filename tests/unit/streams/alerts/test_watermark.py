"""Watermarks: each source has its own, and nothing absurd moves one."""

from __future__ import annotations

import pytest

from streams.alerts.watermark import Watermark
from streams.errors import BellwetherError


def test_each_source_has_its_own_watermark(seen):
    clock = Watermark()
    assert clock.admit(seen(1, 1000, source="fast")) == 0
    assert clock.admit(seen(2, 10, source="slow")) == 0
    assert clock.admit(seen(3, 940, source="fast")) == 60
    assert clock.newest == seen(1, 1000).minute
    assert set(clock.changes()) == {"source|fast", "source|slow"}
    assert clock.changes() == {}


@pytest.mark.parametrize(("minute", "received", "behind"), [(1440, 0, 0), (1441, 0, None), (-40 * 525_960, 0, None)])
def test_absurd_times_move_nothing(seen, minute, received, behind):
    clock = Watermark()
    assert clock.admit(seen(1, minute, received=received)) == behind
    assert bool(len(clock)) is (behind is not None)
    assert (clock.newest is None) is (behind is None)


def test_silent_sources_are_forgotten(seen):
    clock = Watermark()
    clock.admit(seen(1, 0, source="old"))
    clock.admit(seen(2, 5000, source="new"))
    clock.changes()
    clock.forget(seen(3, 100).minute)
    assert clock.changes() == {"source|old": None}
    assert len(clock) == 1


def test_it_is_restored(seen):
    clock = Watermark()
    clock.admit(seen(1, 1000, source="a|b"))
    again = Watermark()
    again.restore({**clock.changes(), "another": b"x"})
    assert again.newest == clock.newest
    assert again.admit(seen(2, 900, source="a|b")) == 100
    with pytest.raises(BellwetherError, match="not a minute"):
        again.restore({"source|x": b"soon"})
