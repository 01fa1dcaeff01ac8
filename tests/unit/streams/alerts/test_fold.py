"""Episodes from verdicts, and what of them must be said."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.fold import IDLE, State, Story, Terms, Verdict, differences, step
from streams.alerts.judgement import TurnKind
from streams.documents import DecisionOutcome

PLAIN = Terms(hold=0, cool_down=100, silence=False)
LONG_AGO = -1000


def yes(value=0.8, expected=0.2):
    return Verdict(True, value, expected, False)


def no(value=0.2, expected=0.2):
    return Verdict(False, value, expected, False)


SILENT = Verdict(False, 0.0, 0.0, True)


def run(verdicts, terms=PLAIN, first=10, hop=10):
    state, outcomes = IDLE, []
    for number, verdict in enumerate(verdicts):
        state, outcome = step(state, first + number * hop, verdict, True, terms, LONG_AGO)
        outcomes.append(outcome)
    return state, outcomes


def test_it_fires_at_once_where_nothing_need_hold():
    state, _ = run([no(), yes()])
    assert state.current == Story(20, 20, 0.8, 0.2, 0.8, 0.8, 20)
    assert state.fired == 20


def test_it_waits_as_long_as_the_rule_asks():
    terms = PLAIN.__class__(hold=20, cool_down=100, silence=False)
    state, outcomes = run([yes(), yes()], terms)
    assert outcomes == [DecisionOutcome.PENDING] * 2
    assert state.current is None
    assert state.since == 10
    state, _ = step(state, 30, yes(), True, terms, LONG_AGO)
    assert (state.current.start, state.current.fired) == (10, 30)


def test_one_window_in_between_begins_the_wait_anew():
    terms = PLAIN.__class__(hold=20, cool_down=100, silence=False)
    state, _ = run([yes(), no(), yes(), yes()], terms)
    assert state.current is None
    assert state.since == 30


def test_back_within_a_quarter_of_the_rise_it_is_over():
    state, _ = run([yes(0.8, 0.2), no(0.36)])
    assert state.current is not None, "0.36 is more than a quarter of the rise above 0.2"
    state, _ = step(state, 30, no(0.35), True, PLAIN, LONG_AGO)
    assert state.current is None
    assert (state.past[-1].end, state.past[-1].kind) == (30, TurnKind.RECOVERED)


def test_what_fell_is_over_when_it_has_risen_again():
    state, _ = run([yes(-0.6, 0.2), no(-0.1)])
    assert state.current is not None
    state, _ = step(state, 30, no(0.1), True, PLAIN, LONG_AGO)
    assert state.past[-1].kind is TurnKind.RECOVERED


def test_silence_ends_it_unless_silence_is_what_was_looked_for():
    state, _ = run([yes(), SILENT])
    assert state.past[-1].kind is TurnKind.SILENT
    absence = Terms(0, 100, True)
    state, _ = run([Verdict(True, 0.0, 9.0, True)] * 3, absence)
    assert state.current is not None
    state, _ = step(state, 50, SILENT, True, absence, LONG_AGO)
    assert state.past[-1].kind is TurnKind.SILENT


def test_nothing_ends_within_a_hop():
    state, _ = run([yes()])
    assert step(state, 20, SILENT, False, PLAIN, LONG_AGO)[0] == state


def test_the_cool_down_counts_from_the_firing():
    state, outcomes = run([yes(), SILENT, yes()])
    assert outcomes[-1] is DecisionOutcome.COOLING_DOWN
    assert state.current is None
    state, _ = step(state, 110, yes(), True, PLAIN, LONG_AGO)
    assert state.current is not None
    assert len(state.past) == 1


def test_growth_by_half_is_worth_a_notice():
    state, _ = run([yes(0.4, 0.2), yes(0.49), yes(0.51), yes(0.6)])
    assert (state.current.growths, state.current.notice, state.current.noticed, state.current.peak) == (1, 0.51, 30, 0.6)
    endless, _ = run([yes(0.4, 0.2), yes(math.inf)])
    assert endless.current.growths == 0


def names(fired):
    return f"at {fired}"


def said(published, stories, judged=1000):
    found, told = differences(published, stories, judged, names)
    return [(item.kind, item.published.id, item.at, item.published.revision) for item in found], told


STORY = Story(10, 10, 0.8, 0.2, 0.8, 0.8, 10)
OVER = STORY._replace(end=50, kind=TurnKind.RECOVERED)


def test_a_new_episode_is_told_whole():
    grown = OVER._replace(growths=1, noticed=30, notice=1.4)
    assert said((), [grown])[0] == [
        (TurnKind.FIRED, "at 10", 10, 0),
        (TurnKind.AMENDED, "at 10", 30, 1),
        (TurnKind.RECOVERED, "at 10", 50, 2),
    ]


def test_what_was_told_is_not_told_again():
    _, told = said((), [OVER])
    assert said(told, [OVER]) == ([], told)


def test_a_late_document_moves_the_start_under_the_same_name():
    _, told = said((), [STORY])
    earlier = STORY._replace(start=5, fired=5)
    found, told = said(told, [earlier])
    assert found == [(TurnKind.AMENDED, "at 10", 5, 1)]
    assert said(told, [earlier])[0] == []


def test_what_is_over_and_moves_is_told_to_be_over_once_more():
    _, told = said((), [OVER])
    assert said(told, [OVER._replace(start=5, fired=5)])[0] == [(TurnKind.RECOVERED, "at 10", 50, 2)]


def test_what_was_over_too_early_goes_on():
    _, told = said((), [OVER])
    assert said(told, [STORY], judged=70)[0] == [(TurnKind.AMENDED, "at 10", 70, 2)]


def test_what_is_not_found_any_more_is_taken_back():
    _, told = said((), [STORY])
    found, told = said(told, [])
    assert found == [(TurnKind.RETRACTED, "at 10", 1000, 1)]
    assert told == ()


def test_what_was_told_of_windows_that_are_not_judged_yet_is_left_alone():
    """After a save that was cut off: the episode is there, the votes that caused it come again."""
    _, told = said((), [STORY])
    assert said(told, [], judged=5) == ([], told)


@settings(max_examples=100)
@given(
    first=st.lists(st.sampled_from([yes(), yes(0.9), no(), no(0.5), SILENT]), max_size=30),
    second=st.lists(st.sampled_from([yes(), yes(0.9), no(), no(0.5), SILENT]), max_size=30),
    cool_down=st.sampled_from([0, 30, 100]),
)
def test_whatever_was_told_before_in_the_end_it_is_what_was_found(first, second, cool_down):
    terms = Terms(0, cool_down, False)
    told = ()
    for verdicts in (first, second, second):
        state, _ = run(verdicts, terms)
        found, told = differences(told, state.stories(LONG_AGO), 10_000, names)
        assert [item.story for item in told] == state.stories(LONG_AGO)
        assert len({item.id for item in told}) <= len(told)
        assert [item.at for item in found] == sorted(item.at for item in found)
    assert found == []


@given(st.lists(st.sampled_from([yes(), no(), SILENT]), max_size=40))
def test_two_episodes_fire_no_closer_than_the_cool_down(verdicts):
    state, _ = run(verdicts)
    stories = state.stories(LONG_AGO)
    assert all(later.fired - earlier.fired >= PLAIN.cool_down for earlier, later in pairwise(stories))
    assert all(story.end is not None and story.end > story.fired for story in state.past)
    assert isinstance(state, State)
