"""From counts to what a person reads: observations, evidence, the summary, the alert, the decision."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from streams.alerts.detectors.counts_contract import Assessment
from streams.alerts.episode import Episode, KeyState, fingerprint
from streams.alerts.rule import Rule
from streams.alerts.windows import Counts, Vote
from streams.documents import Alert, AlertStatus, Baseline, Decision, DecisionOutcome, Evidence, Observation

__all__ = ["MAX_EVIDENCE", "MAX_SOURCES", "Judgement", "compose_alert", "compose_decision"]

MAX_EVIDENCE = 20
MAX_SOURCES = 50
"""Sources that an alert counts by name: anybody can make up thousands, and the alert must still fit into a message."""
_LISTED = 6


@dataclass(frozen=True, slots=True)
class Judgement:
    """One evaluation of a key: the window whose last minute is `end`, and what it was compared with."""

    state: KeyState
    end: int
    window: Counts
    baseline: Counts | None = None
    assessment: Assessment | None = None


def _instant(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


def _observation(judgement: Judgement) -> Observation:
    window, end = judgement.window, judgement.end
    start = end - judgement.state.window.span.window + 1
    return Observation(
        start=_instant(start), end=_instant(end + 1), documents=window.documents, negative=window.negative, share=window.share
    )


def _baseline(judgement: Judgement) -> Baseline | None:
    counts, assessment, window = judgement.baseline, judgement.assessment, judgement.state.window
    if counts is None or assessment is None:
        return None
    return Baseline(
        start=_instant(window.baseline_start(judgement.end)),
        end=_instant(judgement.end - window.span.window + 1),
        documents=counts.documents,
        negative=counts.negative,
        share=counts.share,
        expected_share=assessment.expected_share,
    )


def _evidence(votes: Iterable[tuple[Vote, bool]]) -> tuple[Evidence, ...]:
    negatives = [(vote, counted) for vote, counted in votes if vote.negative]
    negatives.sort(key=lambda item: (not item[1], item[0].copy, item[0].score, item[0].published, item[0].id))
    return tuple(
        Evidence(
            id=vote.id,
            title=vote.title,
            url=vote.url,
            source=vote.source,
            language=vote.language,
            published_at=datetime.fromtimestamp(vote.published, UTC),
            score=vote.score,
            duplicate_of=vote.original if vote.copy else None,
        )
        for vote, _ in negatives[:MAX_EVIDENCE]
    )


def _listing(counts: Mapping[str, int], noun: str) -> str:
    names = list(counts)
    shown = ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'} ({shown})"


def _span(start: datetime, end: datetime) -> str:
    last = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"between {start:%Y-%m-%d %H:%M} and {last} UTC"


def _summary(status: AlertStatus, judgement: Judgement, episode: Episode, languages: Mapping[str, int], sources: Mapping[str, int]) -> str:
    name, window, assessment, baseline = judgement.state.key.name, judgement.window, judgement.assessment, judgement.baseline
    assert assessment is not None
    assert baseline is not None
    observed = _observation(judgement)
    span = _span(observed.start, observed.end)
    counts = f"{window.negative} of {window.documents} documents {span} are negative ({window.share:.0%})"
    if status is AlertStatus.RESOLVED:
        began = f"the alert began on {_instant(episode.start):%Y-%m-%d %H:%M} UTC"
        if not window.documents:
            return f"No more is heard about {name}: no documents {span}; {began}."
        return f"Opinion about {name} is back near its baseline: {counts}; {began}."
    days = judgement.state.window.span.baseline / 1440
    past = f"the {baseline.documents} documents of the {days:g} days before" if baseline.documents else "other news (no documents before)"
    return (
        f"Opinion about {name} turned: {counts}, {assessment.expected_share:.0%} were expected from {past}; "
        f"the negative ones are in {_listing(languages, 'language')} from {_listing(sources, 'source')}."
    )


def compose_alert(rule: Rule, judgement: Judgement, episode: Episode, status: AlertStatus) -> Alert:
    """The alert of `episode`, with the numbers and documents of the judged window. `judgement` must hold an assessment."""
    state = judgement.state
    baseline = _baseline(judgement)
    assert baseline is not None
    assert judgement.assessment is not None
    votes = list(state.window.votes(judgement.end))
    negatives = [vote for vote, counted in votes if counted and vote.negative]
    languages = dict(sorted(Counter(vote.language for vote in negatives).items(), key=lambda item: (-item[1], item[0])))
    sources = dict(sorted(Counter(vote.source for vote in negatives).items(), key=lambda item: (-item[1], item[0])))
    return Alert(
        id=episode.alert_id(rule.name, state.key),
        fingerprint=fingerprint(rule.name, state.key),
        rule=rule.name,
        status=status,
        severity=rule.severity,
        key=state.key,
        starts_at=_instant(episode.start),
        observed=_observation(judgement),
        baseline=baseline,
        p_value=judgement.assessment.p_value,
        evidence=_evidence(votes),
        languages=languages,
        sources=dict(list(sources.items())[:MAX_SOURCES]),
        summary=_summary(status, judgement, episode, languages, sources),
    )


def compose_decision(rule: Rule, judgement: Judgement, outcome: DecisionOutcome, explanation: str, alert_id: str | None) -> Decision:
    """What the rule did with one evaluation. Ids are stable: one for a rule, key, outcome and hour."""
    key, end = judgement.state.key, judgement.end
    digest = hashlib.sha256(f"{rule.name}|{key}|{outcome}|{alert_id if outcome == DecisionOutcome.FIRED else end // 60}".encode())
    assessment = judgement.assessment
    return Decision(
        id=digest.hexdigest()[:32],
        rule=rule.name,
        key=key,
        at=_instant(end),
        outcome=outcome,
        observed=_observation(judgement),
        baseline=_baseline(judgement),
        p_value=assessment.p_value if assessment else None,
        explanation=f"{assessment.explanation}; {explanation}" if assessment else explanation,
        alert_id=alert_id,
    )
