"""What is remembered of a feed, and how long a failing one is left alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.sources.feed_state import FeedState
from streams.sources.fetch import shown

NOW = datetime(2024, 6, 1, 12, 0, 0, tzinfo=UTC)


@given(seen=st.lists(st.text(max_size=20), max_size=30), failures=st.integers(0, 50), etag=st.none() | st.text(), gone=st.booleans())
def test_it_survives_being_written(seen: list[str], failures: int, etag: str | None, gone: bool) -> None:
    state = FeedState(seen=tuple(seen), failures=failures, etag=etag, gone=gone, due=1.5)
    assert FeedState.read(state.write()) == state


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"seen": 7}', '{"seen": [], "unknown": 1}'])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        FeedState.read(text)


def test_a_failing_feed_is_visited_ever_more_seldom_and_a_success_forgives() -> None:
    state, waits = FeedState(etag="e"), []
    for _ in range(12):
        state = state.failed(1000.0, 300.0, "down", None)
        waits.append(state.due - 1000.0)
    assert waits[:4] == [600, 1200, 2400, 4800]
    assert waits == sorted(waits)
    assert waits[-1] == 6 * 3600
    assert (state.failures, state.problem, state.etag) == (12, "down", "e")
    assert state.unchanged(7.0).failures == 0
    assert state.failed(0.0, 10 * 3600.0, "down", None).due == 10 * 3600, "never more often than its interval"


def test_what_the_server_asks_for_counts_but_not_without_end() -> None:
    assert FeedState().failed(0.0, 300.0, "429", 5000.0).due == 5000.0
    assert FeedState().failed(0.0, 300.0, "429", 1.0).due == 600.0
    assert FeedState().failed(0.0, 300.0, "429", 1e9).due == 24 * 3600


@given(before=st.lists(st.integers(0, 5000), max_size=100, unique=True), now=st.lists(st.integers(0, 5000), max_size=3000))
def test_all_entries_of_the_last_answer_are_remembered_and_the_memory_is_bounded(before: list[int], now: list[int]) -> None:
    state = FeedState(seen=tuple(map(str, before))).visited(0.0, [str(n) for n in now], etag=None, last_modified=None)
    assert {str(n) for n in now} <= set(state.seen)
    assert len(state.seen) == len(set(state.seen)) <= max(2000, len(set(now)))
    if len(set(now) | set(before)) <= 2000:
        assert set(state.seen) == {str(n) for n in {*now, *before}}


def test_addresses_are_shown_without_their_secrets() -> None:
    assert shown("https://user:pw@h.example:8443/a/b?token=x#f") == "https://h.example:8443/a/b?…"
    assert shown("http://h.example/") == "http://h.example/"
