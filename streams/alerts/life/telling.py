"""Telling: what is due is told, one by one or together, and what is kept is written down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from streams.alerts.judgement import TurnKind
from streams.alerts.life.book import Book
from streams.alerts.life.cases import Case
from streams.alerts.life.commands import Acknowledge
from streams.alerts.life.digests import Digests, Limits
from streams.alerts.life.escalation import escalation_minute
from streams.alerts.life.grouping import Digest, circle_of
from streams.alerts.life.obstacles import Obstacles
from streams.alerts.life.voice import EXPLAINED, Voice, is_over
from streams.documents import DecisionOutcome

__all__ = ["Teller"]


class Teller:
    """Looks at cases and digests when they are due."""

    def __init__(self, book: Book, voice: Voice, limits: Limits) -> None:
        self._book = book
        self._voice = voice
        self._limits = limits
        self._obstacles = Obstacles(book)
        self._digests = Digests(book, voice, self._obstacles, limits)

    def look(self, cases: Sequence[Case], digests: Sequence[Digest]) -> None:
        """Do what the cases and digests want that woke in this minute."""
        book = self._book
        book.expire()
        ready: list[Case] = []
        for case in sorted(cases, key=lambda each: (-each.weight, each.id)):
            if case.pending:
                if not case.held_by and book.now >= case.due and self._may_tell(case, ready):
                    ready.append(case)
            elif not case.open:
                self._fade(case)
            if case.open and case.told and not case.digest and case.escalate_at is not None and book.now >= case.escalate_at:
                self._escalate(case)
        self._tell(ready)
        for case in cases:
            if case.id in book.cases:
                self.schedule(case)
        for digest in digests:
            if digest.id in book.digests:
                self._digests.look(digest)

    def schedule(self, case: Case) -> None:
        """Look at `case` again when it next wants something."""
        times = [case.due] if case.pending and not case.held_by else []
        if case.open and case.told and not case.digest and case.escalate_at is not None:
            times.append(case.escalate_at)
        if not case.open and not case.pending:
            known = self._obstacles
            later = [until for until in (known.speaks_until(case), known.rests_until(case)) if until > self._book.now]
            times.append(min(later, default=known.remembered_until(case)))
        self._book.touch(case)
        self._book.wake(case, min(times, default=None))

    def resume(self) -> None:
        """The book was restored: everything is to be looked at when it is due."""
        for case in self._book.cases.values():
            if case.rule in self._book.rules:
                self.schedule(case)
        for digest in self._book.digests.values():
            if not digest.open_members and not is_over(digest.pending):
                digest.pending, digest.due = TurnKind.RECOVERED.value, self._book.now
            self._digests.schedule(digest)

    def drop_strangers(self) -> None:
        """End what belongs to rules that are gone."""
        for case in [case for case in self._book.cases.values() if case.rule not in self._book.rules]:
            told_alone = case.told and not case.digest and (case.open or bool(case.pending))
            if case.open:
                case.ended, case.retracted = self._book.now, True
                self._digests.left(case)
                case.open = False
            if told_alone:
                self._voice.say(case, TurnKind.RETRACTED.value)
            self._cause_gone(case)
            self._book.remove(case)

    def lift_silences(self) -> None:
        """Silences changed: what one of them keeps is due, and will be kept again if another does."""
        for case in self._book.cases.values():
            if case.pending and not case.held_by and case.blocked == DecisionOutcome.SILENCED:
                case.due = min(case.due, self._book.now)
                self.schedule(case)

    def acknowledged(self, command: Acknowledge) -> None:
        """Write down which alerts somebody looks after now."""
        who = f" by {command.author}" if command.author else ""
        for case in self._book.cases.values():
            if case.open and command.target in (case.id, case.fingerprint, case.digest):
                self._voice.note(case, DecisionOutcome.ACKNOWLEDGED, f"acknowledged{who} until {command.until:%Y-%m-%d %H:%M %Z}")

    def amended(self, case: Case) -> None:
        """`case` has grown, or late documents changed it; it is open."""
        if case.digest:
            self._voice.record(case, DecisionOutcome.AMENDED, f"the digest {case.digest} tells of it", alert_id=case.digest)
        elif not case.pending:
            case.pending = TurnKind.AMENDED.value

    def over(self, case: Case, kind: TurnKind) -> None:
        """`case` is over: to be told where its beginning was."""
        outcome = DecisionOutcome.RETRACTED if kind is TurnKind.RETRACTED else DecisionOutcome.RESOLVED
        if case.digest:
            self._voice.record(case, outcome, f"{kind.value}; the digest {case.digest} tells of it", alert_id=case.digest, over=True)
            self._digests.left(case)
        elif case.told:
            case.pending, case.due = kind.value, self._book.now
        else:
            why = f"held because of {case.held_by}" if case.held_by else case.blocked.replace("_", " ") or "its hop was not over"
            self._voice.decide(case, outcome, f"{kind.value} before anybody was told: {why}")
            self._book.hold(case, "")
            case.pending = ""
        case.escalate_at = None
        if case.retracted:
            self._cause_gone(case)
        self.schedule(case)

    def leave_digest(self, case: Case) -> None:
        """What becomes of `case` has nothing to do with its digest any more."""
        if case.digest:
            if case.open:
                self._digests.left(case, gone=True)
            else:
                digest = self._book.digests.get(case.digest)
                if digest is not None:
                    digest.members.discard(case.id)
                case.digest = ""

    def _may_tell(self, case: Case, ready: Sequence[Case]) -> bool:
        """Whether what is pending may be told now, beside what is `ready`; else it is arranged when to try again, and noted why."""
        kept = self._obstacles.of_notice(case, ready)
        if kept is None:
            return True
        if kept.cause and case.told:
            self._explain(case, kept.cause, kept.why, kept.alert_id)
            return False
        self._voice.note(case, kept.outcome, kept.why, kept.alert_id)
        if kept.cause:
            self._book.hold(case, kept.cause)
        elif kept.outcome is DecisionOutcome.ACKNOWLEDGED:
            case.pending = ""
        else:
            assert kept.until is not None
            case.due = max(kept.until, self._book.now + 1)
        case.blocked = kept.outcome.value
        return False

    def _tell(self, ready: Sequence[Case]) -> None:
        """Tell what may be told now, by circle: one by one, or together."""
        book = self._book
        fired: defaultdict[tuple[str, ...], list[Case]] = defaultdict(list)
        for case in ready:
            channels = tuple(sorted(set(book.rules[case.rule].channels)))
            circle, reason = circle_of(channels), case.pending
            if reason == TurnKind.FIRED:
                fired[channels].append(case)
                continue
            if is_over(reason):
                self._voice.say(case, reason)
            elif book.storm.room(circle, book.now) > 0:
                book.storm.count(circle, book.now)
                self._voice.say(case, reason)
            else:
                why = f"{self._limits.notices} notices were told within {self._limits.interval} minutes"
                self._voice.record(case, DecisionOutcome.GROUPED, why)
            case.pending, case.blocked = "", ""
        for channels, cases in fired.items():
            if len(cases) >= self._limits.together or len(cases) > book.storm.room(circle_of(channels), book.now):
                self._digests.join(channels, cases)
            else:
                for case in cases:
                    book.storm.count(circle_of(channels), book.now)
                    self._voice.say(case, TurnKind.FIRED.value)
                    case.told, case.pending, case.blocked = True, "", ""
                    case.escalate_at = escalation_minute([book.rules[case.rule]], book.now)
        for cases in fired.values():
            for case in cases:
                self._became_news(case)

    def _became_news(self, case: Case) -> None:
        """What was told before and is explained by `case` is over."""
        if case.entity is None or not case.told:
            return
        for id in sorted(self._book.suspected.get(case.entity, ())):
            other = self._book.cases[id]
            if other.open and other.told and other.id != case.id:
                kept = self._obstacles.of_notice(other)
                if kept is not None and kept.cause:
                    self._explain(other, kept.cause, kept.why, kept.alert_id)

    def _explain(self, case: Case, cause: str, why: str, alert_id: str | None) -> None:
        """`case` was told, and now `cause` explains it: over, until the cause is gone and it still lasts."""
        if case.digest:
            self._voice.record(case, DecisionOutcome.HELD, why, alert_id=alert_id, over=True)
            self._digests.left(case, gone=True)
        else:
            self._voice.say(case, EXPLAINED)
            self._voice.decide(case, DecisionOutcome.HELD, why, alert_id)
        case.told, case.escalate_at, case.blocked = False, None, DecisionOutcome.HELD.value
        case.pending, case.due = TurnKind.FIRED.value, self._book.now
        self._book.hold(case, cause)
        self.schedule(case)

    def _cause_gone(self, case: Case) -> None:
        """`case` explains nothing any more: what it held is due."""
        for id in sorted(self._book.held.get(case.entity or "", ())):
            held = self._book.cases[id]
            self._book.hold(held, "")
            held.due = self._book.now
            self.schedule(held)

    def _fade(self, case: Case) -> None:
        """A case that is over: first its crisis leaves the windows, then it is forgotten."""
        if self._book.now >= self._obstacles.speaks_until(case):
            self._cause_gone(case)
        if self._book.now >= self._obstacles.remembered_until(case):
            self._book.remove(case)

    def _escalate(self, case: Case) -> None:
        kept = self._obstacles.of_escalation(case)
        if kept is not None:
            assert kept.until is not None
            self._voice.note(case, kept.outcome, f"not escalated: {kept.why}")
            case.escalate_at = max(kept.until, self._book.now + 1)
        else:
            case.escalated, case.escalate_at = True, None
            self._voice.say(case, "escalated")
