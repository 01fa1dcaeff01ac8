"""What stands between an alert and its receivers: another one that explains it, a silence, an acknowledgement, the hour."""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import timedelta
from typing import NamedTuple

from streams.alerts.life.book import Book
from streams.alerts.life.cases import Case, by_rule
from streams.alerts.life.commands import minute_of
from streams.alerts.life.decisions import instant
from streams.alerts.rules.hours import may_speak, next_opening
from streams.alerts.rules.model import Rule
from streams.documents import DecisionOutcome

__all__ = ["Obstacle", "Obstacles"]

_HALF = 0.5
_SEVERITIES = ("info", "warning", "critical")
_HOUR = 60


class Obstacle(NamedTuple):
    """Why something is not told now.

    Attributes:
        outcome, why: for the decision log.
        until: minute at which to try again; None: not by itself.
        cause: entity whose alert explains it, or rule that speaks of the same matter; empty for all other obstacles.
        alert_id: that alert; None: there is none.
    """

    outcome: DecisionOutcome
    why: str
    until: int | None = None
    cause: str = ""
    alert_id: str | None = None


class Obstacles:
    """Questions to the book; changes nothing."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def of_notice(self, case: Case, speaking: Collection[Case] = ()) -> Obstacle | None:
        """What keeps the pending notice of `case`; None: nothing does. The end of a case is only kept by the hour.

        Args:
            speaking: what else is told in this minute.
        """
        if not case.open:
            return self.of_hour(self._book.rules[case.rule])
        explained = self._explanation(case) or self._of_matter(case, speaking)
        return explained or self.of_silence(case) or (self.of_care(case) if case.told else None) or self._of_rule(case)

    def of_escalation(self, case: Case) -> Obstacle | None:
        """What keeps the escalation of `case`."""
        return self.of_care(case) or self.of_silence(case) or self._of_rule(case)

    def of_care(self, case: Case) -> Obstacle | None:
        """Somebody looks after it."""
        known = self._book.acknowledgements.covering(case.id, case.fingerprint, self._book.now)
        if known is None:
            return None
        why = f"acknowledged by {known.author or 'somebody'} until {known.until:%Y-%m-%d %H:%M %Z}"
        return Obstacle(DecisionOutcome.ACKNOWLEDGED, why, minute_of(known.until))

    def of_silence(self, case: Case) -> Obstacle | None:
        """Somebody silenced it."""
        silence = self._book.silences.covering(case.rule, case.key, case.severity, self._book.now)
        if silence is None:
            return None
        why = f"silenced by {silence.author or 'somebody'} until {silence.ends_at:%Y-%m-%d %H:%M %Z} ({silence.id})"
        return Obstacle(DecisionOutcome.SILENCED, f"{why}: {silence.comment}" if silence.comment else why, minute_of(silence.ends_at))

    def of_hour(self, rule: Rule) -> Obstacle | None:
        """The rule may not speak at this hour."""
        now = instant(self._book.now)
        if may_speak(rule.active, now):
            return None
        opening = next_opening(rule.active, now)
        return Obstacle(DecisionOutcome.OUTSIDE_HOURS, f"waits until the rule may speak, {opening:%Y-%m-%d %H:%M %Z}", minute_of(opening))

    def _of_rule(self, case: Case) -> Obstacle | None:
        return self.of_hour(self._book.rules[case.rule])

    def _explanation(self, case: Case) -> Obstacle | None:
        cause = self.cause(case)
        if not cause:
            return None
        share = next(suspect.share for suspect in case.suspicion.suspects if suspect.entity == cause)
        alert = self._alert_about(cause)
        told = f"whose alert is {alert}" if alert else "which has no alert of its own"
        why = f"held: {share:.0%} of the documents behind it name {cause}, {told}; without the documents that name "
        rest = " or ".join(case.suspicion.together) if cause in case.suspicion.together else "it"
        return Obstacle(DecisionOutcome.HELD, f"{why}{rest} nothing unusual is left", None, cause, alert)

    def _of_matter(self, case: Case, speaking: Collection[Case]) -> Obstacle | None:
        """Another rule has told of it, or does so in this minute."""
        if case.told or not self._book.rules[case.rule].matter:
            return None
        mine = {id: self._book.cases[id] for id in self._book.keys[str(case.key)]}
        told = [other for id, other in sorted(mine.items()) if other.told or other in speaking]
        other = next((other for other in told if self._speaks_for(other, case)), None)
        if other is None:
            return None
        why = f"held: {other.rule} speaks of the same matter, its alert is {other.id}"
        return Obstacle(DecisionOutcome.HELD, why, None, by_rule(other.rule), other.id)

    def _speaks_for(self, other: Case, case: Case) -> bool:
        """Whether who hears of `other` need not hear of `case`: the same matter, no less severe, the same people.

        Only as long as the window of `case` reaches back to what `other` fired for: later documents are news of their own.
        """
        known, rule = self._book.rules[other.rule], self._book.rules[case.rule]
        return (
            known.name != rule.name
            and known.matter == rule.matter
            and not other.retracted
            and other.fired > case.seen - rule.window_minutes
            and _SEVERITIES.index(other.severity) >= _SEVERITIES.index(case.severity)
            and set(rule.channels) <= set(known.channels)
            and rule.escalation in (None, known.escalation)
        )

    def cause(self, case: Case) -> str:
        """The entity whose alert explains `case`; empty: none does.

        Of what has not been told also one without an alert that half of the documents name, if a rule watches all entities:
        whether that entity is news is for that rule to say.
        """
        for suspect in case.suspicion.suspects:
            if suspect.alone and self._speaks(suspect.entity, case):
                return suspect.entity
        together = case.suspicion.together
        if together and all(self._speaks(entity, case) for entity in together):
            return together[0]
        if not case.told and case.entity is None and self._entities_are_watched():
            for suspect in case.suspicion.suspects:
                if suspect.alone and suspect.share >= _HALF and suspect.entity not in self._book.entities:
                    return suspect.entity
        return ""

    def speaks_until(self, case: Case) -> int:
        """When the documents of a crisis that is over have left the windows; at once where late documents took it back."""
        window = self._book.rules[case.rule].window_minutes if case.entity is not None and not case.retracted else 0
        return case.ended + window

    def rests_until(self, case: Case) -> int:
        """End of the cool-down, within which the same rule and key do not fire again."""
        return case.fired + math.ceil(self._book.rules[case.rule].cool_down / timedelta(minutes=1))

    def remembered_until(self, case: Case) -> int:
        """Until when late documents may bring a case back that is over."""
        rule = self._book.rules[case.rule]
        return self.speaks_until(case) + _HOUR + math.ceil((rule.allowed_lateness + rule.cool_down) / timedelta(minutes=1))

    def _speaks(self, entity: str, case: Case) -> bool:
        """Whether an alert about `entity` may explain `case`. Of two entities that wait, the heavier explains the other."""
        for id in self._book.entities.get(entity, ()):
            other = self._book.cases[id]
            if (
                other.held_by
                or other.id == case.id
                or not (other.open or self._book.now < self.speaks_until(other) or self._rests(other, case))
            ):
                continue
            if case.entity is None or other.told or (-other.weight, other.id) < (-case.weight, case.id):
                return True
        return False

    def _rests(self, other: Case, case: Case) -> bool:
        """Whether `other` would speak anew, were it not for its rule's cool-down: `case` names its entity a window after its end."""
        return not other.retracted and self._book.now < self.rests_until(other) and case.seen >= self.speaks_until(other)

    def _entities_are_watched(self) -> bool:
        return any(rule.enabled and rule.group_by == ("entity",) and not rule.watch.model_fields_set for rule in self._book.rules.values())

    def _alert_about(self, entity: str) -> str | None:
        cases = [self._book.cases[id] for id in self._book.entities.get(entity, ())]
        speaking = [case for case in cases if not case.held_by]
        return min(speaking, key=lambda case: (not case.open, -case.weight, case.id)).id if speaking else None
