"""The engine: sightings in, alerts and decisions out, with a state that survives a kill.

    engine = Engine(rules)
    engine.restore(await store.load())
    for alert in engine.undelivered(): deliver it; engine.acknowledge(alert)
    result = engine.observe(batch)
    await store.save(engine.changes())          # the alerts are in it: from here on they cannot be lost
    for alert in result.alerts: deliver it; engine.acknowledge(alert)

What was acknowledged leaves the state with the next `changes`. A kill between delivery and that save delivers the alert
once more, under the same id and revision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from pydantic import ValidationError

from streams.alerts import snapshot
from streams.alerts.detectors.contract import Assessment
from streams.alerts.detectors.registry import build
from streams.alerts.evidence.background import Background
from streams.alerts.evidence.compose import Composer
from streams.alerts.judgement import Judgement, Turn
from streams.alerts.judging import Note, judge
from streams.alerts.life.commands import Command
from streams.alerts.life.desk import Desk, DeskResult
from streams.alerts.names import PREFIX as NAMES
from streams.alerts.names import Names
from streams.alerts.rules.matching import Matcher
from streams.alerts.rules.model import Rule
from streams.alerts.rules.ruleset import RuleSet
from streams.alerts.sighting import Sighting
from streams.alerts.tally import View
from streams.alerts.votes import pack
from streams.alerts.watch import Watch
from streams.alerts.watermark import PREFIX as SOURCES
from streams.alerts.watermark import Ignored, Watermark
from streams.documents import Alert, Decision
from streams.errors import BellwetherError, SettingsError

__all__ = ["Engine", "EngineResult"]

_OUTBOX = "outbox:"
_NOW = "now"
_MINE = (_OUTBOX, snapshot.PREFIX, NAMES, SOURCES, "desk|", "words|")
_DAY = 1440

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EngineResult:
    """What one batch led to.

    Attributes:
        alerts: to be sent, in order.
        decisions: evaluations near a threshold, and what became of alerts.
        ignored: documents that were not counted, by reason (`streams.alerts.watermark.Ignored`), for the metrics.
        turns: how episodes began, grew and ended, before anybody decided who hears of it.
    """

    alerts: tuple[Alert, ...] = ()
    decisions: tuple[Decision, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    turns: tuple[Turn, ...] = ()


class _Happening:
    """Gathers what a call leads to."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.decisions: list[Decision] = []
        self.turns: list[Turn] = []
        self.ignored: Counter[str] = Counter()

    def take(self, result: DeskResult) -> None:
        self.alerts += result.alerts
        self.decisions += result.decisions

    def result(self) -> EngineResult:
        return EngineResult(tuple(self.alerts), tuple(self.decisions), dict(self.ignored), tuple(self.turns))


class Engine:
    """All rules over one stream. Deterministic: no wall clock, no randomness; not for several threads.

    Attributes:
        newest: newest event time of a document, in minutes since 1970-01-01 UTC; None before the first.

    Args:
        rules: those that are not `enabled` do nothing.

    Raises:
        SettingsError: two rules of one name, or a detector that cannot judge a rule's signal.
    """

    def __init__(self, rules: RuleSet) -> None:
        self._names = Names()
        self._background = Background()
        self._composer = Composer(self._background)
        self._watermark = Watermark()
        self._watches: dict[str, Watch] = {}
        self._rules: tuple[Rule, ...] = ()
        self._take_rules(rules)
        self._desk = Desk(self._rules, self._assess)
        self._outbox: dict[str, Alert] = {}
        self._changes: dict[str, bytes | None] = {}
        self._now = -1
        self._saved_now = -1
        self._fresh = True

    def _take_rules(self, rules: RuleSet) -> set[str]:
        """Go on with `rules`; the names of those that are the same in name only."""
        names = [rule.name for rule in rules.rules]
        if len(set(names)) != len(names):
            raise SettingsError(f"{rules.source}: two rules have one name", mend="give each rule a name of its own")
        # Built first: a rule that cannot be built must leave what runs as it is.
        watches = {rule.name: Watch(rule, build(rule), self._names) for rule in rules.rules if rule.enabled}
        anew: set[str] = set()
        for name, watch in watches.items():
            before = self._watches.get(name)
            if before is not None and before.frame.meaning == watch.frame.meaning:
                watch.take_over(before)
            elif before is not None:
                log.warning("the rule counts something else now, and begins anew", rule=name)
                self._begin_anew(name, before)
                anew.add(name)
        for name in set(self._watches) - set(watches):
            self._begin_anew(name, self._watches[name])
        self._rules = tuple(rules.rules)
        self._watches = watches
        self._by_index = [watches.get(rule.name) for rule in self._rules]
        self._matcher = Matcher(self._rules)
        self._show = any(watch.frame.shows_all for watch in watches.values())
        return anew

    def _begin_anew(self, name: str, watch: Watch) -> None:
        for key in list(watch.trackers):
            watch.drop(key)
        watch.world_gone += watch.frame.world.forget(1 << 40)
        self._changes.update(snapshot.take_changes(watch))
        self._changes[f"{snapshot.PREFIX}{name}|meta"] = None

    def _assess(self, rule: Rule, view: View) -> Assessment:
        return self._watches[rule.name].frame.detector.assess(view)

    @property
    def newest(self) -> int | None:
        """Newest event time of a document, in minutes since 1970-01-01 UTC; None before the first."""
        return self._watermark.newest

    @property
    def next_end(self) -> int:
        """When the hops that the newest document began are over, of all rules."""
        hop = max((watch.frame.hop for watch in self._watches.values()), default=1)
        return ((self.newest or 0) // hop + 1) * hop

    @property
    def keys(self) -> int:
        """Keys that are watched, of all rules together."""
        return sum(len(watch.trackers) for watch in self._watches.values())

    def observe(self, sightings: Sequence[Sighting]) -> EngineResult:
        """Count `sightings` in their order and judge what they touch.

        Where the stream is cut into batches decides only how soon the newest hop is looked at, not what is found in the
        end. A document that was counted before changes nothing. New alerts are `undelivered` until `acknowledge`.
        """
        self._fresh = False
        happening = _Happening()
        for sighting in sightings:
            reason = self._observe(sighting, happening)
            if reason is not None:
                happening.ignored[reason.value] += 1
        self._settle(list(self._watches.values()), happening)
        return self._finish(happening)

    def _observe(self, sighting: Sighting, happening: _Happening) -> Ignored | None:
        behind = self._watermark.admit(sighting)
        if behind is None:
            return Ignored.ABSURD_TIME
        minute = sighting.minute
        if minute > self._now:
            self._pass_time(minute, happening)
        wanted = self._matcher.match(sighting)
        if not wanted:
            return Ignored.NO_KEY
        packed = pack(sighting, self._names, show=self._show)
        reasons: list[Ignored] = []
        counted = False
        for index, key in wanted:
            watch = self._by_index[index]
            if watch is None:
                continue
            late = behind > watch.frame.lateness
            reason = Ignored.LATE if late else watch.observe(key, packed, self._now)
            if reason is None:
                counted = True
            else:
                reasons.append(reason)
        if counted:
            self._background.add(sighting.title or sighting.text[:300], minute, sighting.language)
            return None
        return min(reasons) if reasons else Ignored.NO_KEY

    def advance(self, minute: int) -> EngineResult:
        """Time has come as far as `minute` (event time), although no document says so; going back changes nothing."""
        self._fresh = False
        happening = _Happening()
        if minute > self._now:
            self._pass_time(minute, happening)
        return self._finish(happening)

    def _pass_time(self, minute: int, happening: _Happening) -> None:
        before, self._now = self._now, minute
        crossed = [watch for watch in self._watches.values() if minute // watch.frame.hop > before // watch.frame.hop]
        if crossed and before >= 0:
            self._settle(crossed, happening, time_passed=True)
            if minute // _DAY > before // _DAY:
                self._forget()

    def _settle(self, watches: Iterable[Watch], happening: _Happening, *, time_passed: bool = False) -> None:
        turns: list[Turn] = []
        notes: list[Note] = []
        held = self._desk.held if time_passed else frozenset()
        for watch in watches:
            found, noted = watch.settle(self._now, time_passed)
            told = {turn.episode.id for turn in found}
            turns += found
            notes += noted
            if held - told:
                turns += watch.held(held - told, self._now)
        turns.sort(key=lambda turn: (turn.judgement.end, -turn.judgement.view.window.negative, str(turn.judgement.key)))
        happening.turns += turns
        happening.decisions += [self._composer.decision(*note) for note in notes]
        if turns or time_passed:
            happening.take(self._desk.handle([(turn, self._composer.alert(turn)) for turn in turns], self._now))

    def _forget(self) -> None:
        for watch in self._watches.values():
            watch.evict(self._now)
        longest = max((watch.frame.forget_after for watch in self._watches.values()), default=0)
        self._watermark.forget(self._now - longest)
        self._names.forget(lambda: {number for watch in self._watches.values() for number in watch.numbers()})

    def _finish(self, happening: _Happening) -> EngineResult:
        for alert in happening.alerts:
            self._outbox[_place(alert)] = alert
            self._changes[_place(alert)] = alert.model_dump_json().encode()
        return happening.result()

    def command(self, command: Command) -> EngineResult:
        """Do what a person asks: silence, unsilence, acknowledge."""
        happening = _Happening()
        happening.take(self._desk.command(command))
        return self._finish(happening)

    def reload(self, rules: RuleSet) -> EngineResult:
        """From now on these rules. A rule that counts the same as before keeps its state.

        Raises:
            SettingsError: as the constructor; the former rules stay.
        """
        anew = self._take_rules(rules)
        happening = _Happening()
        happening.take(self._desk.reload(self._rules, anew))
        return self._finish(happening)

    def explain(self, rule: str, key: str, minute: int | None = None) -> Judgement | None:
        """Judge the window that `minute` falls at the end of (absent: the newest one); changes nothing.

        Args:
            key: ``kind:value``.
            minute: event time, minutes since 1970-01-01 UTC.

        Returns:
            None where the rule or the key is not known.
        """
        watch = self._watches.get(rule)
        tracker = watch.trackers.get(key) if watch is not None else None
        if tracker is None or tracker.head is None:
            return None
        hop = tracker.frame.hop
        return judge(tracker, ((tracker.head if minute is None else minute) // hop + 1) * hop)

    def acknowledge(self, alert: Alert) -> None:
        """`alert` has been delivered. Acknowledging it again changes nothing."""
        if self._outbox.pop(_place(alert), None) is not None:
            self._changes[_place(alert)] = None

    def undelivered(self) -> list[Alert]:
        """Alerts that are not acknowledged, in the order in which they were told."""
        return sorted(self._outbox.values(), key=lambda alert: (alert.observed.end, alert.starts_at, alert.id, alert.revision))

    def changes(self) -> dict[str, bytes | None]:
        """State entries to save since the last call; None deletes. A store writes them in this order, or all at once."""
        changes = dict(self._changes)
        self._changes = {}
        changes.update(self._desk.changes())
        changes.update(self._names.changes())
        for watch in self._watches.values():
            changes.update(snapshot.take_changes(watch))
        changes.update(self._background.changes())
        changes.update(self._watermark.changes())
        if self._now != self._saved_now:
            self._saved_now = self._now
            changes[_NOW] = b"%d" % self._now
        return changes

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Take up the state of an earlier run.

        Entries of rules that are gone, or count something else now, are deleted with the next `changes`, and so is the
        state of releases before version 2: baselines are learnt anew. What such a rule had told is over: `undelivered`.

        Raises:
            BellwetherError: an entry cannot be read, or the engine has already seen documents.
        """
        if not self._fresh:
            raise BellwetherError("watch state: the engine has already seen documents", mend="restore into a new engine")
        self._fresh = False
        for name, value in saved.items():
            if name.startswith(_OUTBOX):
                try:
                    self._outbox[name] = Alert.model_validate_json(value)
                except ValidationError as error:
                    raise BellwetherError(f"watch state: {name} is not an alert", mend="delete the saved state to begin anew") from error
        self._names.restore(saved)
        self._watermark.restore(saved)
        self._background.restore(saved)
        anew: set[str] = set()
        for name, watch in self._watches.items():
            if not snapshot.restore(watch, snapshot.entries_of(name, saved)):
                log.warning("the rule counts something else now, and begins anew", rule=name)
                self._changes.update({entry: None for entry in saved if entry.startswith(f"{snapshot.PREFIX}{name}|")})
                anew.add(name)
        self._desk.restore(saved)
        happening = _Happening()
        happening.take(self._desk.reload(self._rules, anew))
        self._finish(happening)
        if _NOW in saved:
            self._now = self._saved_now = int(saved[_NOW])
        self._drop_strange(saved)

    def _drop_strange(self, saved: Mapping[str, bytes]) -> None:
        mine = tuple(f"{snapshot.PREFIX}{name}|" for name in self._watches)
        former = [name for name in saved if name != _NOW and not name.startswith(_MINE)]
        gone = [name for name in saved if name.startswith(snapshot.PREFIX) and not name.startswith(mine)]
        if former:
            log.warning("the saved state of an earlier release is dropped: baselines are learnt anew", entries=len(former))
        if gone:
            log.info("the saved state of rules that are gone is dropped", entries=len(gone))
        self._changes.update(dict.fromkeys([*former, *gone]))


def _place(alert: Alert) -> str:
    return f"{_OUTBOX}{alert.id}:{alert.revision}:{alert.status.value}"
