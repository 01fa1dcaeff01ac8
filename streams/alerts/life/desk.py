"""The desk: turns come in, and what is told goes out; of what is not told, why.

    desk = Desk(rules, lambda rule, view: detectors[rule.name].assess(view))
    desk.restore(saved)
    result = desk.handle([(turn, composer.alert(turn)), ...], now)     # event time, in minutes
    result = desk.advance(now)                                         # nothing happened, but time has passed
    result = desk.command(Silence(...))

The way of a turn:

1. It waits for the end of its hop (``judgement.end``): what only part of a hop says may still be taken back.
2. Inhibition: an entity's alert that explains it holds it. It is told once that alert is over and a window later (the
   documents of that crisis have then left the windows), or at once where late documents take that alert back. An entity
   that would fire again, were it not for the cool-down of its rule, explains as well.
   A rule of the same matter that has told of the same key holds it too. It is told after that, at a hop at which it holds.
3. A silence, or the hours in which its rule may not speak, keep it until they end. It is told then if it still lasts.
4. Several in one minute for the same circle of channels become a digest (`streams.alerts.life.grouping`), and so does
   what comes when the circle has had its fill (`streams.alerts.life.storm`). Of 10,000 keys at once the receivers get one
   digest and its end. The members are not lost: each leaves the desk as an alert of its own with the reason ``grouped``,
   which the index takes and no receiver gets, with a decision that names the digest.
5. It is told. Nobody acknowledges it: it escalates once.

The end of what was told is always told, silenced or acknowledged (outside the rule's hours: when they begin). The end of
what was not told is only decided. Every alert that leaves has the number of its notice: no (id, revision) leaves twice.
All decisions about fired, amended and ended alerts come from here; those before (too few, pending …) from the engine.

Held alerts are judged again when the engine hands in a turn of the kind AMENDED: it should do so at every hop for the ids
in `Desk.held`, because a crisis that spreads need not grow in height.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from streams.alerts.judgement import Judgement, Turn, TurnKind
from streams.alerts.life.book import Book
from streams.alerts.life.cases import Case, pack
from streams.alerts.life.commands import Acknowledge, Command, Silence, Unsilence
from streams.alerts.life.digests import Limits
from streams.alerts.life.inhibition import NO_SUSPICION, Assess, suspicion
from streams.alerts.life.storm import Storm
from streams.alerts.life.telling import Teller
from streams.alerts.life.voice import Voice
from streams.alerts.rules.model import Rule
from streams.documents import Alert, Decision

__all__ = ["Desk", "DeskResult"]


@dataclass(frozen=True, slots=True)
class DeskResult:
    """What a call led to.

    Attributes:
        alerts: to be sent (to their channels; those of `is_recorded_only` to the index alone), in order.
        decisions: for the decision log.
    """

    alerts: tuple[Alert, ...] = ()
    decisions: tuple[Decision, ...] = ()


class Desk:
    """All alerts of all rules. Deterministic, event time only; not for several threads.

    Args:
        rules: with different names; those that are not `enabled` are left out.
        assess: judges a view by the detector of a rule.
        limits: when alerts are told together.
    """

    def __init__(self, rules: Sequence[Rule], assess: Assess, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self._assess = assess
        self._book = Book(Storm(limits.notices, limits.interval))
        self._book.rules = _by_name(rules)
        self._voice = Voice(self._book)
        self._teller = Teller(self._book, self._voice, limits)

    @property
    def held(self) -> frozenset[str]:
        """Ids of alerts that another one's holds: to be judged again at every hop."""
        return frozenset(id for ids in self._book.held.values() for id in ids)

    def handle(self, turns: Sequence[tuple[Turn, Alert]], now: int) -> DeskResult:
        """Take `turns` with their alerts in.

        What is told does not depend on how many turns come in one call: each is taken in at the end of its hop, as far as
        that is not after `now`.

        Args:
            now: newest minute of event time (minutes since 1970-01-01 UTC); an earlier one than before changes nothing.
        """
        ordered = sorted(turns, key=lambda item: min(now, item[0].judgement.end))
        for turn, alert in ordered:
            self._pass(min(now, turn.judgement.end) - 1)
            self._book.now = max(self._book.now, min(now, turn.judgement.end))
            self._take_in(turn, alert)
        return self.advance(now)

    def advance(self, now: int) -> DeskResult:
        """Time has passed: what was due up to `now` is told, minute by minute."""
        self._pass(now)
        self._book.now = max(self._book.now, now)
        self._book.expire()
        return self._result()

    def command(self, command: Command) -> DeskResult:
        """Do what a person asks, as of the newest event time. Doing it again changes nothing."""
        book = self._book
        match command:
            case Silence():
                book.silences.add(command)
                self._teller.lift_silences()
            case Unsilence():
                if book.silences.remove(command.id):
                    self._teller.lift_silences()
            case Acknowledge():
                book.acknowledgements.add(command)
                self._teller.acknowledged(command)
        return self.advance(book.now)

    def reload(self, rules: Sequence[Rule], anew: Collection[str] = ()) -> DeskResult:
        """From now on these rules. What a rule told that is gone, or no longer enabled, is over and told as ``retracted``.

        Args:
            anew: names of rules that count something else now: what they told is over too, for nobody follows it any more.
        """
        known = _by_name(rules)
        self._book.rules = {name: rule for name, rule in known.items() if name not in anew}
        self._teller.drop_strangers()
        self._book.rules = known
        return self.advance(self._book.now)

    def changes(self) -> dict[str, bytes | None]:
        """State entries ``desk|…`` to save since the last call, in the order in which they must be written; None deletes."""
        return self._book.changes()

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Take up the state of an earlier run, into a new desk. Entries of others are left alone.

        Raises:
            BellwetherError: an entry cannot be read, or was written by a newer version.
        """
        self._book.restore(saved)
        self._teller.resume()
        self._teller.drop_strangers()

    def _result(self) -> DeskResult:
        result = DeskResult(tuple(self._voice.alerts), tuple(self._voice.decisions))
        self._voice.alerts.clear()
        self._voice.decisions.clear()
        return result

    def _pass(self, until: int) -> None:
        for minute, cases, digests in self._book.woken(until):
            self._book.now = max(self._book.now, minute)
            self._teller.look(cases, digests)

    def _take_in(self, turn: Turn, alert: Alert) -> None:
        if turn.judgement.rule.name not in self._book.rules:
            return
        case = self._book.cases.get(alert.id)
        if turn.kind.over:
            if case is not None and case.open:
                self._end(case, turn, alert)
        elif case is None:
            case = Case(alert.id, alert.fingerprint, alert.rule, alert.key, alert.severity, 0.0, b"")
            self._fire(case, turn, alert)
            self._book.add(case)
            self._teller.schedule(case)
        elif not case.open:
            self._fire(case, turn, alert)
            self._teller.schedule(case)
        elif turn.kind is TurnKind.AMENDED or case.pending == TurnKind.FIRED:
            self._amend(case, turn, alert)
            self._teller.schedule(case)

    def _fire(self, case: Case, turn: Turn, alert: Alert) -> None:
        """A new case, or one that late documents brought back."""
        self._teller.leave_digest(case)
        case.open, case.retracted, case.told, case.escalated, case.escalate_at = True, False, False, False, None
        case.pending, case.due, case.blocked = TurnKind.FIRED.value, turn.judgement.end, ""
        case.fired = turn.judgement.end
        self._describe(case, turn.judgement, alert)

    def _amend(self, case: Case, turn: Turn, alert: Alert) -> None:
        self._describe(case, turn.judgement, alert)
        if case.held_by_rule and not turn.judgement.assessment.holds:
            return
        if case.held_by:
            self._book.hold(case, "")
            case.due = turn.judgement.end
        elif not case.pending:
            case.due = turn.judgement.end
        self._teller.amended(case)

    def _describe(self, case: Case, judgement: Judgement, alert: Alert) -> None:
        window, rule = judgement.view.window, judgement.rule
        self._book.unindex(case)
        case.packed = pack(alert)
        case.severity, case.seen = alert.severity, judgement.end
        case.weight = window.documents if rule.signal == "documents" else window.negative
        case.suspicion = suspicion(judgement, self._assess) if rule.explains_away else NO_SUSPICION
        if case.id in self._book.cases:
            self._book.index(case)
            self._book.touch(case, repacked=True)

    def _end(self, case: Case, turn: Turn, alert: Alert) -> None:
        case.open, case.ended, case.retracted = False, turn.judgement.end, turn.kind is TurnKind.RETRACTED
        case.packed = pack(alert)
        self._book.touch(case, repacked=True)
        self._teller.over(case, turn.kind)


def _by_name(rules: Sequence[Rule]) -> dict[str, Rule]:
    return {rule.name: rule for rule in rules if rule.enabled}
