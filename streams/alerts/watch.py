"""One rule over all its keys: counts documents, settles what they changed, forgets keys that have fallen silent."""

from __future__ import annotations

from collections.abc import Iterator

from streams.alerts.detectors.contract import Detector
from streams.alerts.frame import Frame
from streams.alerts.judgement import Turn
from streams.alerts.judging import Note, going_on, settle
from streams.alerts.names import Names
from streams.alerts.rules.model import Rule
from streams.alerts.tracker import Tracker
from streams.alerts.votes import Packed
from streams.alerts.watermark import Ignored
from streams.documents import Key

__all__ = ["MAX_KEYS", "Watch"]

MAX_KEYS = 100_000
"""More keys of a rule than this are not kept: the longest silent are forgotten first."""


class Watch:
    """State of one rule. Not for several threads.

    Attributes:
        trackers: by the key's name. dirty: those with votes that were not judged. active: those to be judged as time passes.
        evicted: keys that are gone, with what of them is saved: (hours and parts of votes, hours of kept, days).
        world_gone: days of the world that are gone.
    """

    def __init__(self, rule: Rule, detector: Detector, names: Names) -> None:
        self.rule = rule
        self.frame = Frame(rule, detector, names)
        self.trackers: dict[str, Tracker] = {}
        self.dirty: dict[str, Tracker] = {}
        self.active: dict[str, Tracker] = {}
        self.evicted: dict[str, tuple[list[tuple[int, int]], list[int], list[int]]] = {}
        self.world_gone: list[int] = []
        self.hop = -1
        self._relearn = False

    def take_over(self, other: Watch) -> None:
        """Go on with the keys of `other`, a watch of the same rule with other thresholds."""
        frame, before = self.frame, other.frame
        frame.world, frame.known_since, frame.dropped_until = before.world, before.known_since, before.dropped_until
        frame.headers = before.headers
        frame.touched, frame.kept_touched, frame.days_touched = before.touched, before.kept_touched, before.days_touched
        self.trackers, self.evicted, self.world_gone = other.trackers, other.evicted, other.world_gone
        for tracker in self.trackers.values():
            tracker.move(frame)
        self.dirty = dict(self.trackers)
        self.active = {name: tracker for name, tracker in self.trackers.items() if self._lasts(tracker)}

    def restored(self) -> None:
        """Take up trackers that were saved."""
        for name, tracker in self.trackers.items():
            tracker.restored()
            if self._lasts(tracker):
                self.active[name] = tracker

    def observe(self, key: Key, packed: Packed, newest: int) -> Ignored | None:
        """Count a document for `key`; why not, if it was not."""
        frame, name = self.frame, str(key)
        if not packed.scored and not frame.unscored:
            return Ignored.UNSCORED
        tracker = self.trackers.get(name)
        if tracker is None:
            tracker = self.trackers[name] = Tracker(frame, key, name)
            if len(self.trackers) > MAX_KEYS:
                self._evict_longest_silent(name)
        # The archive of a new source begins long ago; that does not tell what was written then elsewhere.
        if frame.known_since is None or (packed.minute < frame.known_since and packed.minute >= newest - frame.lateness):
            self._relearn = frame.known_since is not None
            frame.known_since = packed.minute
        reason = tracker.add(packed)
        if reason is None:
            self.dirty[name] = tracker
        return reason

    def settle(self, now: int, time_passed: bool) -> tuple[list[Turn], list[Note]]:
        """Judge what changed; with `time_passed`, also what only time changes."""
        turns: list[Turn] = []
        notes: list[Note] = []
        if self._relearn:
            self._relearn = False
            for name, tracker in self.trackers.items():
                if tracker.hours:
                    first = min(tracker.hours) * 60 // self.frame.hop
                    tracker.dirty = first if tracker.dirty is None else min(first, tracker.dirty)
                    self.dirty[name] = tracker
        waiting = {**self.dirty, **self.active} if time_passed else self.dirty
        self.dirty = {}
        for name, tracker in waiting.items():
            if tracker.pass_over(now):
                continue
            found, noted = settle(tracker, now)
            turns += found
            notes += noted
            if self._lasts(tracker):
                self.active[name] = tracker
            else:
                self.active.pop(name, None)
        return turns, notes

    def held(self, ids: frozenset[str], now: int) -> list[Turn]:
        """How the episodes with these ids stand."""
        mine = [tracker for tracker in self.active.values() if tracker.published and tracker.published[-1].id in ids]
        return [turn for tracker in mine if (turn := going_on(tracker, now)) is not None]

    def _lasts(self, tracker: Tracker) -> bool:
        return self.frame.silence or tracker.state.active or tracker.dirty is not None

    def evict(self, now: int) -> None:
        """Forget keys of which nothing is left that a window could show."""
        limit = now - self.frame.forget_after
        for name in [name for name, tracker in self.trackers.items() if (tracker.head or 0) < limit and not tracker.state.active]:
            self.drop(name)
        self.world_gone += self.frame.world.forget(now)

    def _evict_longest_silent(self, newest: str) -> None:
        heads = {name: tracker.head or 0 for name, tracker in self.trackers.items() if not tracker.state.active and name != newest}
        for name in sorted(heads, key=lambda name: (heads[name], name))[: max(1, MAX_KEYS // 10)]:
            self.frame.dropped_until = max(self.frame.dropped_until or 0, heads[name])
            self.drop(name)

    def numbers(self) -> Iterator[int]:
        """Numbers of texts that votes name."""
        for tracker in self.trackers.values():
            for hour in tracker.hours.values():
                rows = hour.rows()
                for field in ("source", "cast", "language", "topic"):
                    yield from set(rows[field].tolist())

    def drop(self, name: str) -> None:
        """Forget a key."""
        tracker = self.trackers.pop(name)
        self.dirty.pop(name, None)
        self.active.pop(name, None)
        self.frame.headers.discard(name)
        touched = self.frame.touched.pop(name, set())
        parts = {(number, part) for number, hour in tracker.hours.items() for part in range(hour.parts)} | touched
        days = {int(hour) // 24 for hour in tracker.history.rows["hour"]} if tracker.history else set()
        days |= {day for other, day in self.frame.days_touched if other == name}
        self.evicted[name] = (sorted(parts), sorted({number for number, _ in parts}), sorted(days))
