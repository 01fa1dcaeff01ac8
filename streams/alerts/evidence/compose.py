"""From a turn to what a person and a program read of it: the alert, with its numbers and its evidence."""

from __future__ import annotations

from streams.alerts.decisions import compose_decision
from streams.alerts.evidence.background import Background
from streams.alerts.evidence.documents import evidence
from streams.alerts.evidence.flags import doubts
from streams.alerts.evidence.numbers import baseline_of, measure_of, observation_of, probability
from streams.alerts.evidence.phrases import instant
from streams.alerts.evidence.sentence import summary
from streams.alerts.evidence.series import series
from streams.alerts.evidence.support import Support, support
from streams.alerts.evidence.terms import moved
from streams.alerts.judgement import Judgement, Turn
from streams.alerts.life.fingerprint import fingerprint
from streams.documents import Alert, AlertStatus, Decision, DecisionOutcome, Term

__all__ = ["MAX_SOURCES", "Composer"]

MAX_SOURCES = 50
"""Sources that an alert counts by name: anybody can make up thousands, and the alert must still fit into a message."""


class Composer:
    """Writes alerts and decisions. Deterministic, and changes nothing.

    Args:
        background: what the stream ordinarily talks of; whoever owns it feeds it.
    """

    def __init__(self, background: Background) -> None:
        self._background = background

    def alert(self, turn: Turn) -> Alert:
        """The notice of `turn`: the numbers and the documents of the window that led to it."""
        judgement, episode = turn.judgement, turn.episode
        rule, key = judgement.rule, judgement.key
        observed, baseline = observation_of(judgement), baseline_of(judgement)
        found = support(judgement)
        doubtful = () if turn.kind.over else doubts(found)
        return Alert(
            id=episode.id,
            fingerprint=fingerprint(rule.name, key),
            rule=rule.name,
            status=AlertStatus.RESOLVED if turn.kind.over else AlertStatus.FIRING,
            severity=rule.severity,
            key=key,
            starts_at=instant(episode.start),
            ends_at=instant(judgement.end if episode.end is None else episode.end) if turn.kind.over else None,
            revision=episode.revision,
            reason=turn.kind.value,
            observed=observed,
            baseline=baseline,
            p_value=probability(judgement.assessment.p_value),
            measure=measure_of(judgement),
            evidence=evidence(found),
            languages=found.languages,
            sources=dict(list(found.sources.items())[:MAX_SOURCES]),
            topics=found.topics,
            independent_sources=found.independent_sources,
            independent_languages=found.independent_languages,
            flags=tuple(doubt.flag for doubt in doubtful),
            terms=self._terms(judgement, found),
            series=series(judgement.view),
            summary=summary(turn, observed, baseline, found, doubtful),
            channels=rule.channels,
        )

    def decision(self, judgement: Judgement, outcome: DecisionOutcome, reason: str, alert_id: str | None = None) -> Decision:
        """What the rule did with `judgement`, and why: `reason` in a few words. See `compose_decision`."""
        return compose_decision(judgement, outcome, reason, alert_id)

    def _terms(self, judgement: Judgement, found: Support) -> tuple[Term, ...]:
        titles = [(witness.title, witness.language) for witness in found.independent if witness.title]
        return moved(titles, self._background, own=judgement.key.name)
