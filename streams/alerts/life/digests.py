"""Digests at work: who joins which, when it is told, when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.alerts.judgement import TurnKind
from streams.alerts.life.book import Book
from streams.alerts.life.cases import Case
from streams.alerts.life.commands import minute_of
from streams.alerts.life.escalation import escalation_minute
from streams.alerts.life.grouping import Digest, circle_of
from streams.alerts.life.obstacles import Obstacles
from streams.alerts.life.voice import EXPLAINED, Voice, is_over
from streams.alerts.rules.model import Rule
from streams.documents import DecisionOutcome

__all__ = ["Digests", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """When alerts are told together.

    Attributes:
        together: so many that are due in one minute for one circle become a digest.
        notices: so many notices a circle has within `interval` minutes; what is more joins a digest.
        interval: also for how long a digest takes in more after its latest member, and the least time between two notices of it.
    """

    together: int = 3
    notices: int = 10
    interval: int = 60


class Digests:
    """The digests in the book."""

    def __init__(self, book: Book, voice: Voice, obstacles: Obstacles, limits: Limits) -> None:
        self._book = book
        self._voice = voice
        self._obstacles = obstacles
        self._limits = limits

    def join(self, channels: tuple[str, ...], cases: Sequence[Case]) -> None:
        """Tell `cases` together: in the digest that their circle has just had, or in a new one."""
        book = self._book
        digest = self._recent(circle_of(channels)) or self._begin(channels)
        digest.joined = book.now
        digest.count += len(cases)
        digest.open_members += len(cases)
        digest.rules = tuple(sorted({*digest.rules, *(case.rule for case in cases)}))
        digest.members.update(case.id for case in cases)
        for case in cases:
            case.told, case.pending, case.digest, case.blocked = True, "", digest.id, ""
            self._voice.record(case, DecisionOutcome.GROUPED, f"told within the digest {digest.id}", alert_id=digest.id)
        if not digest.pending:
            digest.pending = TurnKind.AMENDED.value if digest.revision else TurnKind.FIRED.value
            digest.due = max(book.now, digest.said + self._limits.interval) if digest.revision else book.now
        if digest.due <= book.now:
            self.look(digest)
        self.schedule(digest)

    def left(self, case: Case, *, gone: bool = False) -> None:
        """A member is over; `gone`: it has nothing to do with its digest any more."""
        digest = self._book.digests.get(case.digest)
        if digest is None:
            return
        digest.open_members -= 1
        if gone:
            digest.members.discard(case.id)
            case.digest = ""
        if not digest.open_members:
            digest.pending, digest.due = EXPLAINED if gone else TurnKind.RECOVERED.value, self._book.now
        self.schedule(digest)

    def look(self, digest: Digest) -> None:
        """Tell what is due of `digest`; a digest that is over and told is forgotten."""
        book, rules = self._book, self._rules(digest)
        if digest.pending and book.now >= digest.due:
            kept = self._obstacles.of_hour(rules[0]) if rules and is_over(digest.pending) else None
            if kept is not None and kept.until is not None:
                digest.due = kept.until
            elif is_over(digest.pending):
                self._end(digest)
                return
            else:
                self._voice.say_digest(digest, digest.pending)
                if digest.pending == TurnKind.FIRED:
                    digest.escalate_at = escalation_minute(rules, book.now)
                book.storm.count(digest.circle, book.now)
                digest.pending, digest.said = "", book.now
        elif digest.escalate_at is not None and book.now >= digest.escalate_at:
            known = book.acknowledgements.covering(digest.id, digest.fingerprint, book.now)
            kept = self._obstacles.of_hour(rules[0]) if rules else None
            if known is not None:
                digest.escalate_at = minute_of(known.until)
            elif kept is not None and kept.until is not None:
                digest.escalate_at = kept.until
            else:
                digest.escalated, digest.escalate_at = True, None
                self._voice.say_digest(digest, "escalated")
        self.schedule(digest)

    def schedule(self, digest: Digest) -> None:
        """Look at `digest` again when it next wants something."""
        times = [digest.due] if digest.pending else []
        if digest.escalate_at is not None and digest.open_members:
            times.append(digest.escalate_at)
        self._book.touch(digest)
        self._book.wake(digest, min(times, default=None))

    def _end(self, digest: Digest) -> None:
        members = [self._book.cases[id] for id in digest.members]
        everything_was_taken_back = bool(members) and all(case.retracted for case in members)
        if digest.revision:
            self._voice.say_digest(digest, TurnKind.RETRACTED.value if everything_was_taken_back else digest.pending)
        self._book.close(digest)

    def _rules(self, digest: Digest) -> list[Rule]:
        return [self._book.rules[name] for name in digest.rules if name in self._book.rules]

    def _recent(self, circle: str) -> Digest | None:
        """The digest that takes in what comes now: not over, not looked after by anybody, its latest member not long ago."""
        book = self._book
        found = [
            digest
            for digest in book.digests.values()
            if digest.circle == circle
            and not is_over(digest.pending)
            and book.now - digest.joined <= self._limits.interval
            and book.acknowledgements.covering(digest.id, digest.fingerprint, book.now) is None
        ]
        return max(found, key=lambda digest: (digest.joined, -digest.slot), default=None)

    def _begin(self, channels: tuple[str, ...]) -> Digest:
        taken = {digest.slot for digest in self._book.digests.values() if digest.circle == circle_of(channels)}
        slot = next(number for number in range(len(taken) + 1) if number not in taken)
        digest = Digest.begin(channels, slot, self._book.now, self._book.serial)
        self._book.serial += 1
        self._book.digests[digest.id] = digest
        return digest
