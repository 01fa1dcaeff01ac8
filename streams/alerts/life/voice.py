"""The voice of the desk: every alert and decision that leaves it is made here, and every notice gets its number here."""

from __future__ import annotations

from collections.abc import Sequence

from streams.alerts.judgement import TurnKind
from streams.alerts.life.book import Book
from streams.alerts.life.cases import Case, pack, slim
from streams.alerts.life.decisions import decide, instant
from streams.alerts.life.escalation import escalated, further_channels
from streams.alerts.life.grouping import RECORDED, Digest, compose_digest
from streams.documents import Alert, AlertStatus, Decision, DecisionOutcome

__all__ = ["EXPLAINED", "Voice", "is_over"]

EXPLAINED = "explained"
_HOUR = 60
_OUTCOMES = {
    TurnKind.FIRED: DecisionOutcome.FIRED,
    TurnKind.AMENDED: DecisionOutcome.AMENDED,
    TurnKind.RETRACTED: DecisionOutcome.RETRACTED,
    "escalated": DecisionOutcome.ESCALATED,
}


def is_over(reason: str) -> bool:
    """Whether a notice for that reason tells of the end."""
    return reason in {TurnKind.RECOVERED, TurnKind.SILENT, TurnKind.RETRACTED, EXPLAINED}


class Voice:
    """Collects what is said. `alerts` and `decisions` are there until they are taken."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.alerts: list[Alert] = []
        self.decisions: list[Decision] = []

    def say(self, case: Case, reason: str) -> None:
        """Send a notice of `case` to its channels."""
        rule = self._book.rules.get(case.rule)
        alert = case.alert
        channels = alert.channels if rule is None else rule.channels
        notice = self._numbered(case, alert, reason, over=is_over(reason), channels=channels)
        if rule is not None and case.escalated:
            notice = escalated(notice, [rule])
        self.alerts.append(notice)
        if reason != EXPLAINED:
            told = f"told as notice {notice.revision} ({reason})"
            self.decide(case, _OUTCOMES.get(reason, DecisionOutcome.RESOLVED), told)

    def record(self, case: Case, outcome: DecisionOutcome, why: str, *, alert_id: str | None = None, over: bool = False) -> None:
        """Hand an alert to the index alone: another notice stands for it with the receivers."""
        self.alerts.append(self._numbered(case, case.alert, RECORDED, over=over, channels=()))
        self.decide(case, outcome, why, alert_id)

    def say_digest(self, digest: Digest, reason: str) -> None:
        """Send a notice of `digest` to its channels."""
        rules = [self._book.rules[name] for name in digest.rules if name in self._book.rules]
        members = [self._book.cases[id] for id in digest.members]
        status = AlertStatus.RESOLVED if is_over(reason) else AlertStatus.FIRING
        notice = compose_digest(digest, members, status, reason, self._book.now)
        if digest.escalated:
            notice = escalated(notice, rules).model_copy(update={"channels": further_channels(rules, digest.channels)})
        digest.revision += 1
        digest.packed = pack(notice)
        self._book.touch(digest, repacked=True)
        self.alerts.append(notice)
        why = f"told as notice {notice.revision} ({reason}), for {digest.count} keys"
        self.decisions.append(decide(notice, self._book.now, _OUTCOMES.get(reason, DecisionOutcome.RESOLVED), why))

    def decide(self, case: Case, outcome: DecisionOutcome, why: str, alert_id: str | None = None) -> None:
        """Write down what became of `case`."""
        self.decisions.append(decide(case.alert, self._book.now, outcome, why, alert_id))

    def note(self, case: Case, outcome: DecisionOutcome, why: str, alert_id: str | None = None) -> None:
        """Write down why `case` is kept: one of a kind an hour, so that the log stays readable and bounded."""
        hour = self._book.now // _HOUR
        if case.noted.get(outcome.value) != hour:
            case.noted[outcome.value] = hour
            self._book.touch(case)
            self.decide(case, outcome, why, alert_id)

    def _numbered(self, case: Case, alert: Alert, reason: str, *, over: bool, channels: Sequence[str]) -> Alert:
        ends_at = (alert.ends_at or instant(case.ended or self._book.now)) if over else None
        status = AlertStatus.RESOLVED if over else AlertStatus.FIRING
        notice = alert.model_copy(
            update={"status": status, "ends_at": ends_at, "revision": case.revision, "reason": reason, "channels": tuple(channels)}
        )
        case.revision += 1
        case.packed = pack(slim(alert))
        self._book.touch(case, repacked=True)
        return notice
