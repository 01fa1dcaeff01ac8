"""Votes in minute buckets: what counts, what is corrected, what is forgotten."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.windows import PART, Counts, KeyWindow, Span, Vote

SPAN = Span(window=180, baseline=1440, lateness=720)
BASE = 1_000_000 * 60


def vote(name, minute, negative=False, original=None):
    return Vote(
        f"{name}",
        f"{original or name}",
        BASE + minute,
        negative,
        -0.5 if negative else 0.0,
        "s",
        "en",
        (),
        (BASE + minute) * 60.0,
        "",
        None,
    )


def filled(votes, span=SPAN):
    window = KeyWindow(span)
    for item in votes:
        assert window.accepts(item.minute)
        window.add(item)
    return window


def state(window):
    """Everything that matters, without the order of arrival."""
    return (
        window.head,
        window.documents,
        window.negative,
        {
            number: (
                hour.documents,
                hour.negative,
                {minute: tuple(counts) for minute, counts in hour.minutes.items()},
                sorted(hour.votes),
            )
            for number, hour in window.hours.items()
        },
        sorted((item, counted) for item, counted in window.votes(window.head)),
    )


def test_the_window_is_half_open_and_whole_minutes():
    window = filled([vote("a", 0, True), vote("b", 179), vote("c", 180)])
    assert window.window(BASE + 179) == Counts(2, 1)
    assert window.window(BASE + 180) == Counts(2, 0)
    assert window.before(BASE + 180) == Counts(1, 1)
    assert window.window(BASE - 1) == Counts(0, 0)


def test_a_late_vote_corrects_its_own_bucket():
    window = filled([vote("a", 0), vote("b", 700)])
    before = window.window(BASE + 700)
    assert window.add(vote("late", 10, True))
    assert window.window(BASE + 700) == before
    assert window.window(BASE + 10) == Counts(2, 1)


def test_the_same_document_counts_once():
    window = filled([vote("a", 0)])
    assert not window.add(vote("a", 0))
    assert not window.add(vote("a", 5, True))
    assert window.window(BASE + 5) == Counts(1, 0)


def test_copies_share_the_vote_of_their_original():
    window = filled([vote("a", 0, True), vote("b", 10, True, "a"), vote("c", 20, True, "a"), vote("d", 20)])
    assert window.window(BASE + 20) == Counts(2, 1)
    assert {item.id: counted for item, counted in window.votes(BASE + 20)} == {"a": True, "b": False, "c": False, "d": True}


def test_a_copy_votes_when_its_original_is_unknown_or_has_left_the_window():
    assert filled([vote("b", 10, True, "a")]).window(BASE + 10) == Counts(1, 1)
    window = filled([vote("a", 0, True), vote("b", 179, True, "a"), vote("x", 400)])
    assert window.window(BASE + 179) == Counts(1, 1)
    again = filled([vote("a", 0, True), vote("b", 180, True, "a")])
    assert again.window(BASE + 180) == Counts(1, 1)


def test_the_original_that_comes_after_its_copy_takes_the_vote():
    window = filled([vote("b", 10, True, "a"), vote("a", 5, True)])
    assert window.window(BASE + 10) == Counts(1, 1)
    assert {item.id for item, counted in window.votes(BASE + 10) if counted} == {"a"}


def test_windows_that_hold_a_late_vote():
    window = filled([vote("a", 0), vote("b", 100), vote("c", 200), vote("d", 700)])
    assert window.ends(BASE + 50) == [BASE + 100, BASE + 200]
    assert window.ends(BASE + 700) == [BASE + 700]
    assert window.ends(BASE + 800) == [BASE + 800]


def test_old_votes_become_counts_and_old_counts_go():
    window = filled([vote(n, n * 10, n % 2 == 0) for n in range(100)])
    numbers = sorted(window.hours)
    window.add(vote("later", 2200))
    assert window.documents == 101
    assert [entry[0] for entry in window.compacted()] == numbers
    assert sum(entry[1] for entry in window.compacted()) == 100
    assert window.before(BASE + 1300) == Counts(100, 50)
    assert not window.accepts(BASE + 1000)
    assert window.accepts(BASE + 2200 - SPAN.lateness)
    window.add(vote("much later", 100_000))
    assert window.documents == 1
    assert len(window.hours) == 1


def test_dropped_hours_are_reported_with_all_their_parts():
    window = filled([vote(n, n % 60) for n in range(PART * 2 + 1)])
    window.changed.clear()
    window.add(vote("later", 5000))
    assert window.dropped == [(BASE // 60, 3)]
    assert window.changed == {((BASE + 5000) // 60, 0)}
    assert window.parts() == [((BASE + 5000) // 60, 1)]


MINUTES = st.integers(0, 4000)


@st.composite
def streams(draw):
    """Votes with families, and an order in which none is further behind than the lateness."""
    count = draw(st.integers(1, 60))
    votes = []
    for n in range(count):
        original = draw(st.integers(0, n))
        votes.append(vote(n, draw(MINUTES), draw(st.booleans()), votes[original].original if original < n else None))
    in_order = sorted(votes, key=lambda item: item.minute)
    delays = {item.id: draw(st.integers(0, SPAN.lateness)) for item in votes}
    shuffled = sorted(votes, key=lambda item: (item.minute + delays[item.id], delays[item.id]))
    return in_order, shuffled


@settings(deadline=None, max_examples=200)
@given(streams())
def test_order_within_the_lateness_does_not_change_the_state(case):
    in_order, shuffled = case
    assert state(filled(in_order)) == state(filled(shuffled))


@settings(deadline=None, max_examples=200)
@given(streams(), MINUTES)
def test_counts_are_those_of_a_plain_scan(case, at):
    """Against the definition, computed without buckets, over a window that is still known vote by vote."""
    _, shuffled = case
    window = filled(shuffled)
    end = max(BASE + at, window.head - SPAN.lateness)
    families: dict[str, list[Vote]] = {}
    for item in sorted(shuffled, key=lambda item: (item.minute, item.copy, item.id)):
        families.setdefault(item.original, []).append(item)
    counted = []
    for family in families.values():
        for n, item in enumerate(family):
            if n == 0 or item.minute - family[n - 1].minute >= SPAN.window:
                counted.append(item)
    inside = [item for item in counted if end - SPAN.window < item.minute <= end]
    assert window.window(end) == Counts(len(inside), sum(item.negative for item in inside))
    start = window.baseline_start(end)
    past = [item for item in counted if start <= item.minute <= end - SPAN.window]
    assert window.before(end) == Counts(len(past), sum(item.negative for item in past))


@settings(deadline=None, max_examples=200)
@given(streams())
def test_counts_are_never_negative_and_memory_is_bounded(case):
    window = KeyWindow(SPAN)
    for item in case[1]:
        window.add(item)
        assert window.documents >= window.negative >= 0
        for hour in window.hours.values():
            assert hour.documents >= hour.negative >= 0
            assert all(documents >= negative >= 0 for documents, negative in hour.minutes.values())
        assert len(window.hours) <= SPAN.kept_counts // 60 + 2
        kept = [found for hour in window.hours.values() for found in hour.votes]
        assert all(found.minute > window.head - SPAN.kept_votes - 120 for found in kept)


@settings(deadline=None, max_examples=100)
@given(streams())
def test_saved_counts_and_votes_give_the_same_window(case):
    window = filled(case[1])
    again = KeyWindow(SPAN)
    again.recall(window.compacted())
    for number in sorted(window.hours):
        for item in window.hours[number].votes:
            again.recall_vote(item, window.counted(item))
    assert state(again) == state(window)
