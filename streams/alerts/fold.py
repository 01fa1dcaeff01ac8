"""From verdicts to episodes: a fold over the hops of one key, and what of it has not been said yet.

`step` is a pure function, so that the episodes of a key depend on its windows alone. A late document only means to fold
again from its own hop on; `differences` then finds what must be amended, resolved or retracted of what was told before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from streams.alerts.judgement import TurnKind
from streams.documents import DecisionOutcome

__all__ = ["IDLE", "Difference", "Published", "State", "Story", "Terms", "Verdict", "differences", "step"]

_BACK = 0.25
"""An episode is over when the value has come back to within this part of its rise."""
_GROWTH = 1.5
"""An alert is amended when the distance from what was expected has become this many times what was told."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a rule asks of an episode, in minutes; `silence`: whether silence is what it is looking for."""

    hold: int
    cool_down: int
    silence: bool


class Verdict(NamedTuple):
    """What one window said. `silent`: it holds no document."""

    holds: bool
    value: float
    expected: float
    silent: bool


class Story(NamedTuple):
    """An episode as the fold found it; see `streams.alerts.judgement.Episode`.

    `noticed` is the end of the window at which it was last worth a notice, `notice` the value then, `growths` how often.
    `kind` is how it ended.
    """

    start: int
    fired: int
    value: float
    expected: float
    peak: float
    notice: float
    noticed: int
    growths: int = 0
    end: int | None = None
    kind: TurnKind | None = None

    def rise(self, value: float) -> float:
        """How far `value` is from what was expected, on the side to which the value had moved."""
        return value - self.expected if self.value >= self.expected else self.expected - value


class State(NamedTuple):
    """Where the fold stands: pending since a window's end, in an episode, or neither; and the episodes before."""

    since: int | None = None
    current: Story | None = None
    past: tuple[Story, ...] = ()
    fired: int | None = None

    @property
    def active(self) -> bool:
        """Whether every window must be judged."""
        return self.since is not None or self.current is not None

    def stories(self, horizon: int) -> list[Story]:
        """Episodes that may still change, or that are not over; oldest first."""
        found = [story for story in self.past if story.end is None or story.end >= horizon]
        return [*found, self.current] if self.current is not None else found


IDLE = State()


def step(state: State, end: int, verdict: Verdict, complete: bool, terms: Terms, horizon: int) -> tuple[State, DecisionOutcome | None]:
    """The state after the window that ends at `end`, and why the rule kept silent although its condition holds.

    Args:
        complete: whether the hop is over. If not, nothing ends yet.
        horizon: episodes that ended before are forgotten.
    """
    if state.current is not None:
        story, over = _go_on(state.current, end, verdict, complete, terms)
        if over:
            return State(past=(*state._replace(current=None).stories(horizon), story), fired=state.fired), None
        return state._replace(current=story), None
    if not verdict.holds:
        return (state if state.since is None else state._replace(since=None)), None
    if state.fired is not None and end - state.fired < terms.cool_down:
        return state._replace(since=None), DecisionOutcome.COOLING_DOWN
    since = end if state.since is None else state.since
    if end - since < terms.hold:
        return state._replace(since=since), DecisionOutcome.PENDING
    story = Story(since, end, verdict.value, verdict.expected, verdict.value, verdict.value, end)
    return State(None, story, state.past, end), None


def _go_on(story: Story, end: int, verdict: Verdict, complete: bool, terms: Terms) -> tuple[Story, bool]:
    if complete and not (terms.silence and verdict.holds):
        if verdict.silent:
            return story._replace(end=end, kind=TurnKind.SILENT), True
        if not verdict.holds and story.rise(verdict.value) <= _BACK * story.rise(story.value):
            return story._replace(end=end, kind=TurnKind.RECOVERED), True
    rise, told = story.rise(verdict.value), story.rise(story.notice)
    if verdict.holds and rise > story.rise(story.peak):
        story = story._replace(peak=verdict.value)
        if told > 0 and math.isfinite(rise) and rise >= _GROWTH * told:
            story = story._replace(notice=verdict.value, noticed=end, growths=story.growths + 1)
    return story, False


class Published(NamedTuple):
    """An episode that was told: its name, what was said last, and how many notices there were."""

    id: str
    story: Story
    revision: int


class Difference(NamedTuple):
    """A notice to be given, of the window that ends at `at`. `published`: the episode as it stands with it."""

    at: int
    kind: TurnKind
    published: Published


def differences(
    published: Sequence[Published], stories: Sequence[Story], judged: int, name: Callable[[int], str]
) -> tuple[list[Difference], tuple[Published, ...]]:
    """What must be said so that the episodes that were told become `stories`; and the episodes as told then.

    Args:
        judged: end of the latest window of the fold. What was told of later ones cannot be compared yet.
        name: gives an episode that was told in a window that ends then its id.
    """
    left = list(published)
    found: list[Difference] = []
    now: list[Published] = []
    for story in stories:
        told = next((item for item in left if _overlap(item.story, story)), None)
        if told is None:
            told = _tell(
                Published(name(story.fired), story._replace(end=None, kind=None, growths=0), 0), TurnKind.FIRED, story.fired, found
            )
        else:
            left.remove(told)
        now.append(_follow(told, story, judged, found))
    for told in left:
        if told.story.fired > judged:
            now.append(told)
        elif told.story.kind is not TurnKind.RETRACTED:
            story = told.story._replace(end=judged, kind=TurnKind.RETRACTED)
            found.append(Difference(judged, TurnKind.RETRACTED, Published(told.id, story, told.revision + 1)))
    found.sort(key=lambda item: item.at)
    return found, tuple(sorted(now, key=lambda item: item.story.fired))


def _overlap(one: Story, other: Story) -> bool:
    return one.start <= (math.inf if other.end is None else other.end) and other.start <= (math.inf if one.end is None else one.end)


def _tell(published: Published, kind: TurnKind, at: int, found: list[Difference]) -> Published:
    found.append(Difference(at, kind, published))
    return published


def _follow(told: Published, story: Story, judged: int, found: list[Difference]) -> Published:
    before = told.story
    going_on = story._replace(end=None, kind=None)
    moved = (before.start, before.fired) != (story.start, story.fired)
    if before.end is None or story.end is None:
        if moved:
            told = _tell(Published(told.id, going_on, told.revision + 1), TurnKind.AMENDED, story.fired, found)
        elif story.growths > before.growths:
            told = _tell(Published(told.id, going_on, told.revision + 1), TurnKind.AMENDED, story.noticed, found)
        elif before.end is not None:
            told = _tell(Published(told.id, going_on, told.revision + 1), TurnKind.AMENDED, judged, found)
        moved = False
    if story.kind is not None and story.end is not None and (moved or (before.end, before.kind) != (story.end, story.kind)):
        return _tell(Published(told.id, story, told.revision + 1), story.kind, story.end, found)
    return told._replace(story=story)
