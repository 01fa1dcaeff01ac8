"""Unweighted sums: never less than what a slow count finds, and exact within what they cover."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.recent import Recent

documents = st.lists(
    st.tuples(st.integers(0, 40), st.booleans(), st.booleans(), st.integers(-9, 9), st.booleans(), st.integers(0, 3)),
    min_size=1,
    max_size=80,
)


@settings(max_examples=80, deadline=None)
@given(items=documents, size=st.integers(1, 8), cap=st.integers(0, 2))
def test_sums_and_doubts_are_those_of_a_slow_count(items, size, cap):
    recent = Recent(size, cap)
    for hop, scored, negative, score, copy, author in items:
        recent.add(hop, scored, negative, score, copy, author)
    newest = max(item[0] for item in items)
    for last in range(newest - size + 1, newest + 1):
        assert recent.covers(last)
        window = [item for item in items if last - size < item[0] <= last]
        assert recent.sums(last) == (
            len(window),
            sum(item[1] for item in window),
            sum(item[2] for item in window),
            sum(item[3] for item in window),
        )
        near = [item for item in items if last - 2 * size < item[0] <= last]
        authors = Counter(item[5] for item in near if item[5])
        expected = sum(item[4] for item in near) + (sum(max(0, count - cap) for count in authors.values()) if cap else 0)
        seen_before = [item for item in items if item[0] <= newest - 3 * size]
        if not seen_before:
            assert recent.doubtful(last) == expected
    assert not recent.covers(newest - size)
    assert recent.hops(newest - size + 1) == sorted({item[0] for item in items if item[0] > newest - size})


def test_what_is_too_old_is_left_out():
    recent = Recent(2, 0)
    recent.add(100, 1, 1, -1, False, 0)
    recent.add(94, 1, 1, -1, False, 0)
    assert recent.hops(0) == [100]
    recent.add(95, 1, 1, -1, False, 0)
    assert recent.hops(0) == [95, 100]
    assert recent.sums(100) == (1, 1, 1, -1)
