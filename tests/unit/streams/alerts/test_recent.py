"""Unweighted sums: never less than what a slow count finds, and exact within what they cover."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.recent import Recent

documents = st.lists(
    st.tuples(
        st.integers(0, 40), st.booleans(), st.booleans(), st.integers(-9, 9), st.integers(1, 6), st.integers(0, 3), st.integers(0, 3)
    ),
    min_size=1,
    max_size=80,
)


def beyond(whose: list[int], cap: int) -> int:
    return sum(max(0, count - cap) for count in Counter(filter(None, whose)).values()) if cap else 0


@settings(max_examples=120, deadline=None)
@given(items=documents, size=st.integers(1, 8), cap=st.integers(0, 2), source_cap=st.integers(0, 2))
def test_sums_and_doubts_are_those_of_a_slow_count(items, size, cap, source_cap):
    recent = Recent(size, cap, source_cap)
    for come in range(1, len(items) + 1):
        recent.add(*items[come - 1])
        seen = items[:come]
        newest = max(item[0] for item in seen)
        for last in range(newest - size + 1, newest + 1):
            assert recent.covers(last)
            window = [item for item in seen if last - size < item[0] <= last]
            assert recent.sums(last) == tuple(sum(item[place] for item in window) if place else len(window) for place in range(4))
            near = [item for item in seen if last - 2 * size < item[0] <= last]
            families, authors, sources = ([item[place] for item in near] for place in (4, 5, 6))
            doubtful = beyond(families, 1) + beyond(authors, cap) + beyond(sources, source_cap)
            assert recent.doubtful(last) == doubtful if last == newest else recent.doubtful(last) >= doubtful
        assert not recent.covers(newest - size)
        hops = sorted({item[0] for item in seen if item[0] > newest - size})
        assert recent.hops(newest - size + 1) == hops
        each = recent.each(newest - size + 1, newest)
        assert [hop for hop, _ in each] == hops
        assert tuple(map(sum, zip(*(sums for _, sums in each), strict=True))) == recent.sums(newest)


def test_what_is_too_old_is_left_out():
    recent = Recent(2, 0)
    recent.add(100, 1, 1, -1, 1, 0)
    recent.add(94, 1, 1, -1, 2, 0)
    assert recent.hops(0) == [100]
    recent.add(95, 1, 1, -1, 3, 0)
    assert recent.hops(0) == [95, 100]
    assert recent.sums(100) == (1, 1, 1, -1)


def test_windows_that_see_a_crowded_hour_are_not_covered():
    recent = Recent(2, 0)
    recent.add(100, 1, 1, -1, 1, 0)
    assert recent.covers(100)
    recent.crowd(100)
    recent.crowd(99)
    assert not recent.covers(100)
    for hop in range(101, 106):
        recent.add(hop, 1, 1, -1, hop, 0)
        assert recent.covers(hop) is (hop >= 104)
