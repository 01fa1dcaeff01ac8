"""A first glance at the windows of a key: most are ordinary, and are passed over by sums alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.alerts.detectors.foresight import MARK, Foresight

if TYPE_CHECKING:
    from streams.alerts.tracker import Tracker

__all__ = ["pass_over", "rules_out"]

_SCALE = 10_000.0


def pass_over(tracker: Tracker, now: int) -> bool:
    """Whether there is nothing to judge but windows that are not worth a look, by unweighted sums; cheap. They are judged then.

    Args:
        now: event time has come so far.
    """
    if tracker.frame.silence:
        return _pass_silence(tracker, now)
    if not _is_dull(tracker):
        return False
    tracker.dirty = None
    return True


def _pass_silence(tracker: Tracker, now: int) -> bool:
    frame, head = tracker.frame, tracker.head
    if frame.foresight is None or tracker.states is not None or tracker.published or head is None:
        return False
    starts = [tracker.dirty] if tracker.dirty is not None else []
    if tracker.judged is not None:
        starts.append(tracker.judged + 1)
    if not starts:
        return True
    start, last_over = min(starts), now // frame.hop - 1
    if start <= last_over and not tracker.recent.covers(start):
        return False
    for hop in range(start, last_over + 1):
        documents, _, negative, _ = tracker.recent.sums(hop)
        value = documents if frame.foresight.signal == "documents" else negative
        if not rules_out(tracker, hop, value) or not rules_out(tracker, hop, value - tracker.recent.doubtful(hop)):
            return False
    tracker.judged = last_over
    tracker.dirty = max(start, last_over + 1) if last_over < head // frame.hop else None
    return True


def rules_out(tracker: Tracker, hop: int, value: float) -> bool:
    """Whether the window that ends with `hop` is ordinary at first sight; see `streams.alerts.detectors.foresight`.

    Args:
        value: the signal; where too many are looked for, at least so much.
    """
    foresight, frame = tracker.frame.foresight, tracker.frame
    if foresight is None:
        return False
    start = (hop + 1) * frame.hop - frame.window
    mark, known_since = start // MARK * MARK, tracker.known_since
    limits = tracker.foreseen.get((mark, known_since)) if tracker.foreseen is not None else None
    if limits is None:
        limits = _foresee(tracker, foresight, mark, known_since)
    return bool(limits) and foresight.excludes(value, limits[(start - mark) // frame.hop])


def _foresee(tracker: Tracker, foresight: Foresight, mark: int, known_since: int) -> tuple[float, ...]:
    first, count = foresight.span(mark, known_since)
    limits: tuple[float, ...] = ()
    if count:
        tracker.weigh()
        hours = tracker.hourly(first, count)
        counts = hours[:, 0 if foresight.signal == "documents" else 2]
        limits = foresight.limits(counts, mark, tracker.frame.window, tracker.frame.hop)
    if tracker.foreseen is None or len(tracker.foreseen) > 1:
        tracker.foreseen = {}
    tracker.foreseen[(mark, known_since)] = limits
    return limits


def _is_dull(tracker: Tracker) -> bool:
    frame, dirty = tracker.frame, tracker.dirty
    if dirty is None or not tracker.recent.covers(dirty):
        return False
    if tracker.states and (tracker.states[-1][1].active or tracker.states[-1][0] > dirty * frame.hop):
        return False
    return not any(_worth_a_look(tracker, hop) for hop in tracker.recent.hops(dirty))


def _worth_a_look(tracker: Tracker, hop: int) -> bool:
    frame, recent = tracker.frame, tracker.recent
    documents, scored, negative, score = recent.sums(hop)
    if not frame.worth_a_look(documents, scored, negative, score / _SCALE):
        return False
    if frame.foresight is not None and rules_out(tracker, hop, documents if frame.foresight.signal == "documents" else negative):
        return False
    return frame.share_may_suffice(scored, negative, 0) or frame.share_may_suffice(scored, negative, recent.doubtful(hop))
