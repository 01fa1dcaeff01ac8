"""Whatever comes in whatever order: nothing is lost, nothing is said twice, and a kill changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.judgement import TurnKind
from streams.alerts.life.commands import Acknowledge, Silence, SilenceMatcher, Unsilence
from streams.alerts.life.digests import Limits

START = 29_000_000 // 60 * 60
KEYS = ("bank", "peer", "third", "fourth", "fifth")
TAG_SEEN = (((30, True, ("bank",)),), ((20, True, ("bank",)), (20, True, ())), ((20, True, ("peer", "bank")), (3, True, ("third",))))


def at(minute: int) -> datetime:
    return datetime.fromtimestamp((START + minute) * 60, UTC)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("turn"), st.sampled_from(KEYS), st.integers(0, 2), st.integers(1, 40), st.integers(0, 2)),
        st.tuples(st.just("over"), st.sampled_from(KEYS), st.integers(0, 2), st.sampled_from([k for k in TurnKind if k.over]), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 400), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("silence"), st.sampled_from(["*", "bank", "p*"]), st.integers(1, 300), st.just(0), st.just(0)),
        st.tuples(st.just("unsilence"), st.just(0), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("care"), st.integers(0, 20), st.integers(1, 300), st.just(0), st.just(0)),
    ),
    max_size=40,
)


def make_story(story, make_rule):
    hour = at(0).hour
    return story(
        make_rule(escalation={"after": "90m"}, cool_down="0s", allowed_lateness="1h"),
        make_rule("tags", group_by=["tag"]),
        make_rule("office", active={"hours": f"{hour:02d}:00-{hour + 1:02d}:00"} if hour < 23 else {}, channels=["chat"]),
        limits=Limits(together=3, notices=3, interval=60),
    )


class Play:
    """Plays steps; keeps which episodes are open, as the engine would."""

    def __init__(self, story, kill_after: int | None) -> None:
        self.story = story
        self.open: dict[tuple[int, str], int] = {}
        self.fired: dict[str, tuple[str, str, int]] = {}
        self.now = 0
        self.kill_after = kill_after

    def run(self, plan) -> None:
        for number, step in enumerate(plan):
            self.step(*step)
            self.story.save()
            if number == self.kill_after:
                self.story.restart()
        for rule, key in list(self.open):
            self.step("over", key, rule, TurnKind.RECOVERED, 0)
        self.now += 30_000
        self.story.advance(self.now)

    def step(self, what, first, second, third, fourth) -> None:
        story = self.story
        if what == "turn":
            rule = list(story.rules)[second]
            start = self.open.get((second, first))
            self.now += third % 7
            kind = TurnKind.FIRED if start is None else TurnKind.AMENDED
            start = self.open.setdefault((second, first), self.now)
            turn = self.turn(kind, first, rule, start, third, fourth)
            self.fired[turn[1].id] = (rule, first, start)
            story.handle(self.now, turn)
        elif what == "over" and (second, first) in self.open:
            start = self.open.pop((second, first))
            story.handle(self.now, self.turn(third, first, list(story.rules)[second], start, 3, 0))
            self.now += 1
        elif what == "wait":
            self.now += first
            story.advance(self.now)
        elif what == "silence":
            command = Silence(id="s", matchers=(SilenceMatcher(value=first),), starts_at=at(self.now), ends_at=at(self.now + second))
            story.command(command)
        elif what == "unsilence":
            story.command(Unsilence(id="s"))
        elif what == "care" and story.alerts:
            story.command(Acknowledge(target=story.alerts[first % len(story.alerts)].id, until=at(self.now + second)))

    def turn(self, kind, value, rule, start, weight, seen):
        dimension = "tag" if rule == "tags" else "entity"
        witnesses = (
            TAG_SEEN[seen] if rule == "tags" else ((20 + weight, True, (value, "bank")),) if seen == 1 else ((20 + weight, True, (value,)),)
        )
        return self.story.turn(kind, value, self.now, rule=rule, dimension=dimension, start=start, witnesses=witnesses)


@pytest.fixture(scope="session")
def play(story, rule):
    def run(plan, kill_after=None) -> Play:
        played = Play(make_story(story, rule), kill_after)
        played.run(plan)
        return played

    return run


@settings(max_examples=120, deadline=None)
@given(steps)
def test_every_episode_is_told_or_decided_and_nothing_is_said_twice(play, plan):
    played = play(plan)
    story = played.story
    numbers = [(alert.id, alert.revision) for alert in story.alerts]
    assert len(numbers) == len(set(numbers))
    for id in {alert.id for alert in story.alerts}:
        assert [alert.revision for alert in story.alerts if alert.id == id] == list(range(sum(alert.id == id for alert in story.alerts)))
    told = {alert.id for alert in story.messages} | {member.id for alert in story.messages for member in alert.members}
    kept = {"silenced", "held", "outside_hours", "resolved", "retracted"}
    for id, (rule, key, start) in played.fired.items():
        why = [
            each for each in story.decisions if (each.rule, each.key.value) == (rule, key) and each.at >= at(start) and each.outcome in kept
        ]
        assert id in told or why, "lost without a word"


@settings(max_examples=120, deadline=None)
@given(steps)
def test_every_beginning_that_was_told_has_its_end(play, plan):
    story = play(plan).story
    state: dict[str, str] = {}
    for alert in story.alerts:
        if alert.status == "firing":
            assert alert.ends_at is None
        else:
            assert state.get(alert.id) == "firing", "the end of what was never told"
            assert alert.ends_at is not None
        state[alert.id] = alert.status.value
    assert set(state.values()) <= {"resolved"}
    assert story.desk.held == frozenset()


@settings(max_examples=120, deadline=None)
@given(steps, st.integers(0, 40))
def test_a_kill_changes_nothing(play, plan, kill_after):
    assert play(plan, kill_after).story.alerts == play(plan).story.alerts
    assert play(plan, kill_after).story.decisions == play(plan).story.decisions


episodes = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.integers(0, 2),
        st.integers(0, 30),
        st.lists(st.integers(1, 60), min_size=1, max_size=4),
        st.integers(0, 2),
    ),
    max_size=12,
)


@settings(max_examples=80, deadline=None)
@given(episodes, st.sets(st.integers(0, 400)))
def test_how_the_stream_is_cut_into_calls_does_not_matter(story, rule, plan, cuts):
    """Turns come at the ends of hops; what is told is the same whether all come in one call or some in each of many."""
    probe = make_story(story, rule)
    turns = []
    busy: set[tuple[str, int]] = set()
    for key, which, begin, steps, seen in plan:
        if (key, which) in busy:
            continue
        busy.add((key, which))
        name = list(probe.rules)[which]
        dimension = "tag" if name == "tags" else "entity"
        witnesses = TAG_SEEN[seen] if name == "tags" else ((20, True, (key,)),)
        minute = start = begin * 5
        for number, step in enumerate([0, *steps]):
            minute += step * 5
            kind = TurnKind.FIRED if number == 0 else TurnKind.RECOVERED if number == len(steps) else TurnKind.AMENDED
            turns.append((minute, probe.turn(kind, key, minute, rule=name, dimension=dimension, start=start, witnesses=witnesses)))
    turns.sort(key=lambda item: item[0])
    whole, pieces = make_story(story, rule), make_story(story, rule)
    whole.handle(3000, *(turn for _, turn in turns))
    before = -1
    for cut in sorted(cuts | {3000}):
        pieces.handle(cut, *(turn for minute, turn in turns if before < minute <= cut))
        before = cut
    assert [(a.id, a.revision, a.reason) for a in whole.alerts] == [(a.id, a.revision, a.reason) for a in pieces.alerts]
    assert whole.decisions == pieces.decisions


@settings(max_examples=60, deadline=None)
@given(steps)
def test_everything_is_forgotten_in_the_end(play, plan):
    story = play(plan).story
    story.save()
    assert {name.split("|")[1] for name in story.saved} <= {"meta", "storm"}
    assert sum(len(value) for value in story.saved.values()) < 1000
