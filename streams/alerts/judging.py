"""Judge the windows of a key: what a detector sees, what it says, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.alerts.detectors.contract import Assessment
from streams.alerts.detectors.signals import of_tally
from streams.alerts.fold import IDLE, Published, State, Verdict, differences, step
from streams.alerts.frame import Frame
from streams.alerts.judgement import Episode, Judgement, Turn, TurnKind, Witness
from streams.alerts.life.fingerprint import alert_id, fingerprint
from streams.alerts.tally import Buckets, Tally, View
from streams.alerts.tracker import Tracker, Window
from streams.alerts.votes import Flag, unpack_kept
from streams.documents import DecisionOutcome

__all__ = ["Note", "going_on", "judge", "settle"]

_SCALE = 10_000.0
_SEPARATOR = "\x1f"


class Note(NamedTuple):
    """Why a rule kept silent although it nearly spoke."""

    judgement: Judgement
    outcome: DecisionOutcome
    reason: str
    alert_id: str | None


def judge(tracker: Tracker, end: int) -> Judgement:
    """Judge the window that ends at `end`, a multiple of the rule's hop. Changes nothing."""
    view, window = _with_voices(tracker, _view(tracker, end))
    assessment = tracker.frame.detector.assess(view)
    return _judgement(tracker, view, window, assessment)


def settle(tracker: Tracker, now: int) -> tuple[list[Turn], list[Note]]:
    """Judge all windows of `tracker` that changed, and those that time has brought; what is new about its episodes.

    Args:
        now: event time has come so far: hops that end by then are over.
    """
    frame, hop = tracker.frame, tracker.frame.hop
    notes: list[Note] = []
    start = tracker.dirty
    active = tracker.state.active or frame.silence
    if active and tracker.judged is not None:
        # What was saved of `judged` may lag behind; what lies before the first state is settled, and is not judged from nothing.
        resume = max(tracker.judged + 1, tracker.states[0][0] // hop) if tracker.states else tracker.judged + 1
        start = resume if start is None else min(start, resume)
    tracker.dirty = None
    if start is None or tracker.head is None:
        return [], notes
    horizon = tracker.horizon
    states = _rewind(tracker, start * hop)
    last_over = now // hop - 1
    last = max(last_over, tracker.head // hop) if frame.eager else last_over
    tracker.weigh()
    sums = _WindowSums(tracker, start, max(last, start))
    waiting = [place for place in tracker.hops_with_votes(start) if place <= last]
    state, place = states[-1][1], start
    judged = start - 1
    while place <= last:
        if not (state.active or frame.silence):
            later = [other for other in waiting if other >= place]
            if not later:
                break
            place = later[0]
        over = place <= last_over
        if not over and place > tracker.head // hop:
            break
        end = (place + 1) * hop
        verdict, view = _verdict(tracker, state, end, sums.of(place), notes)
        after, outcome = step(state, end, verdict, over, frame.terms, horizon)
        if outcome is not None and view is not None:
            _note(tracker, view, outcome, *_why(frame, after, outcome, tracker), notes)
        if after != state:
            states.append((end, after))
            tracker.changed = True
            state = after
        judged = place
        place += 1
    tracker.judged = min(judged, last_over)
    tracker.states = _prune(states, horizon // hop * hop)
    if not frame.eager and last_over < tracker.head // hop:
        tracker.dirty = max(start, last_over + 1)
    return _turns(tracker, state, horizon, max((judged + 1) * hop, (tracker.head // hop + 1) * hop if frame.eager else 0)), notes


def _rewind(tracker: Tracker, start: int) -> list[tuple[int, State]]:
    """States of the windows that end by minute `start`."""
    states = tracker.states or []
    kept = [item for item in states if item[0] <= start]
    if len(kept) < len(states):
        tracker.changed = True
    return kept or [(start, IDLE)]


def _prune(states: list[tuple[int, State]], horizon: int) -> list[tuple[int, State]] | None:
    """Only the newest of the states that no late document can change any more; None where nothing happened."""
    first = 0
    while first + 1 < len(states) and states[first + 1][0] <= horizon:
        first += 1
    kept = states[first:]
    return None if len(kept) == 1 and kept[0][1] == IDLE else kept


def _turns(tracker: Tracker, state: State, horizon: int, judged: int) -> list[Turn]:
    stories = state.stories(horizon)
    published = tuple(item for item in tracker.published if item.story.end is None or item.story.end >= horizon)
    if not stories and not published:
        if tracker.published:
            tracker.published = ()
            tracker.changed = True
        return []
    found, told = differences(published, stories, judged, lambda fired: _name(tracker, fired))
    if told != tracker.published:
        tracker.published = told
        tracker.changed = True
    return [Turn(kind, _episode(item), judge(tracker, at)) for at, kind, item in found]


def going_on(tracker: Tracker, now: int) -> Turn | None:
    """How the episode of `tracker` stands in the latest window that is over; None where none lasts."""
    if not tracker.published or tracker.published[-1].story.end is not None:
        return None
    item = tracker.published[-1]
    at = max(now // tracker.frame.hop * tracker.frame.hop, item.story.fired)
    return Turn(TurnKind.AMENDED, _episode(item), judge(tracker, at))


def _episode(item: Published) -> Episode:
    story = item.story
    return Episode(item.id, story.start, story.fired, story.end, story.value, story.expected, story.peak, item.revision)


def _name(tracker: Tracker, fired: int) -> str:
    mark = fingerprint(tracker.frame.rule.name, tracker.key)
    name = alert_id(mark, fired)
    # An older episode that late documents moved may have been named by this window already.
    return alert_id(name, fired) if any(item.id == name for item in tracker.published) else name


class _WindowSums:
    """Weighted sums of the windows that end with the hops [first, last]. Votes must be weighed."""

    def __init__(self, tracker: Tracker, first: int, last: int) -> None:
        assert tracker.head is not None
        self._tracker, self._first, self._size = tracker, first, tracker.frame.size
        self._last = max(first, min(last, tracker.head // tracker.frame.hop + self._size))
        self._recent = tracker.recent if tracker.recent.covers(first) else None
        self._sums: NDArray[np.float64] | None = None

    def of(self, hop: int) -> Tally:
        """Up to rounding: to see whether a window is worth a look."""
        if self._recent is not None and not self._recent.doubtful(hop):
            documents, scored, negative, score = self._recent.sums(hop)
            return Tally(float(documents), float(scored), float(negative), score / _SCALE)
        if self._sums is None:
            buckets = self._tracker.buckets(self._first - self._size + 1, self._last - self._first + self._size)
            self._sums = np.zeros((len(buckets) + 1, 4))
            np.cumsum(buckets, axis=0, out=self._sums[1:])
        place = hop - self._first
        if place + self._size >= len(self._sums):
            return Tally(0.0, 0.0, 0.0, 0.0)
        low, high = self._sums[place], self._sums[place + self._size]
        return Tally(*(round(float(value), 6) for value in high - low))


def _verdict(tracker: Tracker, state: State, end: int, sums: Tally, notes: list[Note]) -> tuple[Verdict, View | None]:
    frame = tracker.frame
    silent = sums.documents <= 0
    if not state.active and (not frame.still_worth_it(sums) or _ruled_out(tracker, end, sums)):
        return Verdict(False, 0.0, 0.0, silent), None
    if silent and not frame.silence:
        return Verdict(False, 0.0, 0.0, True), None
    view = _view(tracker, end)
    assessment: Assessment | None = None
    if not frame.hears_voices:
        assessment = frame.detector.assess(view)
        if not (assessment.holds or assessment.near):
            # The usual case: who said it is asked only where something was said.
            return Verdict(False, assessment.value, assessment.expected, silent), view
    view, window = _with_voices(tracker, view)
    if assessment is None:
        assessment = frame.detector.assess(view)
    obstacle = _obstacle(frame, view, assessment)
    if obstacle is not None:
        _note_seen(tracker, view, window, assessment, obstacle, notes)
    holds = assessment.holds and obstacle is None
    return Verdict(holds, assessment.value, assessment.expected, silent), view


def _ruled_out(tracker: Tracker, end: int, sums: Tally) -> bool:
    frame = tracker.frame
    foresight = frame.foresight
    return foresight is not None and tracker.rules_out(end // frame.hop - 1, of_tally(sums, foresight.signal))


def _obstacle(frame: Frame, view: View, assessment: Assessment) -> tuple[DecisionOutcome, str] | None:
    """What keeps a window that is unusual, or nearly so, from being told."""
    if not assessment.holds:
        if not assessment.near:
            return None
        spec = frame.rule.detector
        if spec.type == "share" and assessment.value < spec.min_share:
            return DecisionOutcome.BELOW_SHARE, f"{assessment.value:.0%} are negative, {spec.min_share:.0%} are needed"
        return DecisionOutcome.NOT_UNUSUAL, "not unusual enough"
    evidence = frame.rule.evidence
    seen = view.window.scored if frame.sentiment else view.window.documents
    if seen < evidence.documents:
        return DecisionOutcome.TOO_FEW, f"{seen:g} documents, {evidence.documents} are needed"
    if view.window.negative < evidence.negative:
        return DecisionOutcome.TOO_FEW, f"{view.window.negative:g} negative documents, {evidence.negative} are needed"
    sources = view.negative_sources if frame.needs_negative else view.sources
    languages = view.negative_languages if frame.needs_negative else view.languages
    if sources < evidence.sources:
        return DecisionOutcome.TOO_NARROW, f"{sources} sources agree, {evidence.sources} are needed"
    if languages < evidence.languages:
        return DecisionOutcome.TOO_NARROW, f"{languages} languages agree, {evidence.languages} are needed"
    alpha = frame.alpha(view.end)
    if alpha is not None and assessment.p_value is not None and assessment.p_value > alpha:
        return (
            DecisionOutcome.OVER_BUDGET,
            f"p must be at most {alpha:.2g} for the rule's budget of {frame.rule.budget:g} false alerts a day",
        )
    return None


def _why(frame: Frame, state: State, outcome: DecisionOutcome, tracker: Tracker) -> tuple[str, str | None]:
    if outcome is DecisionOutcome.PENDING:
        return f"must hold for {frame.rule.hold}", None
    alert = next((item.id for item in reversed(tracker.published) if item.story.fired == state.fired), None)
    return f"silent for {frame.rule.cool_down} after the last alert", alert


def _note(tracker: Tracker, view: View, outcome: DecisionOutcome, reason: str, alert: str | None, notes: list[Note]) -> None:
    if _is_new(tracker, view.end, outcome):
        notes.append(Note(judge(tracker, view.end), outcome, reason, alert))


def _note_seen(
    tracker: Tracker, view: View, window: Window, assessment: Assessment, obstacle: tuple[DecisionOutcome, str], notes: list[Note]
) -> None:
    if _is_new(tracker, view.end, obstacle[0]):
        notes.append(Note(_judgement(tracker, view, window, assessment), *obstacle, None))


def _is_new(tracker: Tracker, end: int, outcome: DecisionOutcome) -> bool:
    """One decision of a kind for a key and hour, so that the log stays readable and bounded."""
    noted = tracker.noted
    if noted is None:
        noted = tracker.noted = {}
    if noted.get(outcome.value, -1) >= end // 60:
        return False
    noted[outcome.value] = end // 60
    tracker.changed = True
    return True


def _view(tracker: Tracker, end: int) -> View:
    """The window that ends at `end` and its past, sources and languages left out."""
    frame = tracker.frame
    tracker.weigh()
    end = -(-end // frame.hop) * frame.hop  # a rule whose hop was changed asks for windows of its former hop
    start, count = end - frame.window, frame.reach // frame.hop
    recent = _buckets(tracker.buckets(end // frame.hop - count, count), end - frame.reach, frame.hop)
    first = max((start - frame.baseline) // 60, tracker.known_since // 60)
    hours = max(0, start // 60 - first) if frame.baseline else 0
    return View(
        end=end,
        size=frame.size,
        window=recent.total(count - frame.size),
        recent=recent,
        hours=_buckets(tracker.hourly(start // 60 - hours, hours), (start // 60 - hours) * 60, 60),
        known_since=tracker.known_since,
        world=frame.world.before(end - frame.hop)[0],
    )


def _with_voices(tracker: Tracker, view: View) -> tuple[View, Window]:
    """`view` with the number of its sources and languages, and the votes of its window."""
    window = tracker.window(view.start, view.end)
    counted = window.rows[window.weights > 0]
    negative = counted[(counted["flags"] & Flag.NEGATIVE) != 0]
    heard = replace(
        view,
        sources=_distinct(counted, "source"),
        languages=_distinct(counted, "language"),
        negative_sources=_distinct(negative, "source"),
        negative_languages=_distinct(negative, "language"),
    )
    return heard, window


def _distinct(rows: NDArray[np.void], field: str) -> int:
    return len(set(rows[field].tolist()))


def _buckets(sums: NDArray[np.float64], start: int, step_minutes: int) -> Buckets:
    return Buckets(start, step_minutes, sums[:, 0], sums[:, 1], sums[:, 2], sums[:, 3])


def _judgement(tracker: Tracker, view: View, window: Window, assessment: Assessment) -> Judgement:
    names = tracker.frame.names
    shown = {
        kept.rank[1]: kept.text
        for number in range(view.start // 60, (view.end - 1) // 60 + 1)
        if (hour := tracker.hours.get(number)) is not None
        for kept in hour.kept or ()
    }
    witnesses = []
    for place in np.lexsort((window.rows["id"], window.minutes)).tolist():
        row = window.rows[place]
        _, number, original, author, source, cast, language, topic, score, flags = row.item()
        text = shown.get(number)
        name, title, url, family = unpack_kept(text) if text is not None else (f"{number:016x}", "", "", f"{original:016x}")
        entities = names.text(cast)
        witnesses.append(
            Witness(
                id=name,
                original=family,
                minute=int(window.minutes[place]),
                scored=bool(flags & Flag.SCORED),
                negative=bool(flags & Flag.NEGATIVE),
                score=score / _SCALE,
                source=names.text(source),
                author=author,
                language=names.text(language),
                topic=names.text(topic),
                weight=float(window.weights[place]),
                capped=bool(window.capped[place]),
                entities=tuple(entities.split(_SEPARATOR)) if entities else (),
                title=title,
                url=url,
            )
        )
    return Judgement(tracker.frame.rule, tracker.key, view, assessment, tuple(witnesses))
