"""What a person reads: one or two sentences that say what happened, with the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from streams.alerts.evidence.flags import Doubt
from streams.alerts.evidence.phrases import between, counted, instant, isolated, length, listing, number
from streams.alerts.evidence.support import Support
from streams.alerts.judgement import Turn, TurnKind
from streams.alerts.tally import Tally
from streams.documents import Baseline, Observation

__all__ = ["summary"]


def summary(turn: Turn, observed: Observation, baseline: Baseline | None, support: Support, doubts: Sequence[Doubt]) -> str:
    """The sentences of an alert: what turned, who agrees, and what is doubtful about it."""
    name = isolated(turn.judgement.key.name)
    window = turn.judgement.view.window
    span = between(observed.start, observed.end)
    if turn.kind.over:
        return f"{_over(turn, name, window, span)}; the alert began on {_moment(turn.episode.start)}."
    told = _risen(turn, name, window, span, baseline)
    sentences = [f"Amended: {told}" if turn.kind is TurnKind.AMENDED else told]
    if support.counted:
        sentences.append(_agreement(support))
    return " ".join([*sentences, *(doubt.sentence for doubt in doubts)])


def _risen(turn: Turn, name: str, window: Tally, span: str, baseline: Baseline | None) -> str:
    judgement = turn.judgement
    assessment, signal, kind = judgement.assessment, judgement.rule.signal, judgement.rule.detector.type
    past = _past(baseline)
    down = assessment.value < assessment.expected
    if kind == "absence":
        heard = f"no documents {span}" if not round(window.documents) else f"only {counted(window.documents, 'document')} {span}"
        return f"{name} fell silent: {heard}, {number(assessment.expected)} were expected{past}."
    if kind == "composite":
        return f"Several signs at once about {name}: {_counts(window, signal, span)}; {assessment.explanation.rstrip('.')}."
    if kind == "breadth":
        return f"Many agree about {name}: {_counts(window, signal, span)}; {assessment.explanation.rstrip('.')}."
    if kind in {"threshold", "change_point"}:
        return f"{name}: {_counts(window, signal, span)}; {assessment.explanation.rstrip('.')}."
    if signal == "negative_share":
        turned = "turned" if not down else "brightened"
        return f"Opinion about {name} {turned}: {_counts(window, signal, span)}; {_expected(turn, past)}."
    if signal == "mean_score":
        return f"Opinion about {name} {'fell' if down else 'rose'}: {_counts(window, signal, span)}; {_expected(turn, past)}."
    what = "negative documents" if signal == "negative" else "documents"
    return f"{'Fewer' if down else 'More'} {what} about {name} than usual: {_counts(window, signal, span)}; {_expected(turn, past)}."


def _counts(window: Tally, signal: str, span: str) -> str:
    if signal == "documents":
        heard = f"{counted(window.documents, 'document')} {span}"
        return (
            f"{heard}, {round(window.negative)} of {round(window.scored)} negative ({window.share:.0%})" if round(window.scored) else heard
        )
    if signal == "mean_score":
        return f"the mean score of {counted(window.scored, 'document')} {span} is {window.mean:+.2f}"
    are = "is" if round(window.scored) == 1 else "are"
    return f"{round(window.negative)} of {counted(window.scored, 'document')} {span} {are} negative ({window.share:.0%})"


def _expected(turn: Turn, past: str) -> str:
    """What was expected, in the unit of the signal; where the detector measures something else, its own words."""
    judgement = turn.judgement
    assessment, signal, kind = judgement.assessment, judgement.rule.signal, judgement.rule.detector.type
    if kind in {"rate_of_change", "spike"}:
        return assessment.explanation.rstrip(".")
    if signal == "negative_share":
        return f"{assessment.expected:.0%} were expected{past or ' from other news (nothing is known of the time before)'}"
    if signal == "mean_score":
        return f"{assessment.expected:+.2f} was expected{past}"
    return f"{number(assessment.expected)} {'was' if number(assessment.expected) == '1' else 'were'} expected{past}"


def _past(baseline: Baseline | None) -> str:
    if baseline is None or not baseline.documents:
        return ""
    minutes = round((baseline.end - baseline.start).total_seconds() / 60)
    return f" from the {counted(baseline.documents, 'document')} of the {length(minutes)} before"


def _agreement(support: Support) -> str:
    sources, languages = support.independent_sources, support.independent_languages
    agree = f"{counted(sources, 'independent source')} in {counted(languages, 'language')} {'agree' if sources != 1 else 'says so'}"
    return f"{agree}: {listing(list(support.sources))}; {listing(list(support.languages))}."


def _over(turn: Turn, name: str, window: Tally, span: str) -> str:
    counts = _counts(window, turn.judgement.rule.signal, span)
    if turn.kind is TurnKind.RETRACTED:
        return f"The alert about {name} is withdrawn, late documents changed the picture: {counts}"
    if turn.kind is TurnKind.SILENT:
        return f"No more is heard about {name}: no documents {span}"
    if turn.judgement.rule.detector.type == "absence":
        return f"{name} is heard of again: {counted(window.documents, 'document')} {span}"
    if turn.judgement.rule.signal in {"documents", "negative"}:
        return f"As many documents about {name} as usual again: {counts}"
    return f"Opinion about {name} is back near its baseline: {counts}"


def _moment(minute: int) -> str:
    return f"{instant(minute):%Y-%m-%d %H:%M} UTC"
