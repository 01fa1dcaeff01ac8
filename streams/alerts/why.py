"""Why a rule spoke or kept silent: from the decision log to sentences that a person can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from streams.alerts.evidence.phrases import between, counted, isolated, length, number
from streams.alerts.evidence.words_told import telling_words
from streams.documents import Alert, AlertStatus, Check, Decision, DecisionOutcome, Key, Measure
from streams.sinks.inquiry import Heard

__all__ = ["Answer", "answer", "window_of"]

_DEFAULT_WINDOW = timedelta(hours=3)
_SHARES = {"negative share", "negative_share"}

_VERDICTS: Mapping[DecisionOutcome, str] = {
    DecisionOutcome.FIRED: "it fired",
    DecisionOutcome.HELD: "it was held back, for another alert explains it",
    DecisionOutcome.TOO_FEW: "it kept silent: there were too few documents",
    DecisionOutcome.NOT_UNUSUAL: "it kept silent: the window was not unusual enough",
    DecisionOutcome.BELOW_SHARE: "it kept silent: the negative share was too low",
    DecisionOutcome.COOLING_DOWN: "it kept silent: it had spoken not long before and was cooling down",
    DecisionOutcome.NO_BASELINE: "it kept silent: too little was known of the time before",
    DecisionOutcome.TOO_NARROW: "it kept silent: too few sources or languages agreed",
    DecisionOutcome.OVER_BUDGET: "it kept silent: not unusual enough for the rule's budget of false alerts",
    DecisionOutcome.PENDING: "it waited: the condition held, and must hold longer",
    DecisionOutcome.AMENDED: "it amended its alert",
    DecisionOutcome.RESOLVED: "its alert was over",
    DecisionOutcome.RETRACTED: "it withdrew its alert",
    DecisionOutcome.SILENCED: "its alert was told to nobody: a silence covers it",
    DecisionOutcome.ACKNOWLEDGED: "its alert was acknowledged",
    DecisionOutcome.OUTSIDE_HOURS: "its alert waited: outside the rule's active hours",
    DecisionOutcome.GROUPED: "its alert was told within another one's notice",
    DecisionOutcome.ESCALATED: "its alert was escalated",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Why a rule spoke or kept silent about a key.

    Attributes:
        at: the moment that was asked for (event time, UTC).
        sentences: the answer, for people; one thought each.
        decisions: what it rests on, the newest first.
        alerts: alerts of the rule and key, the one that began last first.
        heard: documents of the key in the window before `at`; None where the index cannot tell.
    """

    rule: str
    key: Key
    at: datetime
    sentences: tuple[str, ...]
    decisions: tuple[Decision, ...]
    alerts: tuple[Alert, ...]
    heard: Heard | None

    def to_json(self) -> dict[str, Any]:
        """As ``bellwether why --json`` prints it."""
        heard = self.heard
        return {
            "rule": self.rule,
            "key": self.key.model_dump(mode="json"),
            "at": self.at.isoformat(),
            "answer": list(self.sentences),
            "decisions": [decision.model_dump(mode="json") for decision in self.decisions],
            "alerts": [alert.model_dump(mode="json") for alert in self.alerts],
            "documents": heard
            and {
                "start": heard.start.isoformat(),
                "end": heard.end.isoformat(),
                "documents": heard.documents,
                "scored": heard.scored,
                "negative": heard.negative,
            },
        }


def window_of(decisions: Sequence[Decision], alerts: Sequence[Alert], rule_window: timedelta | None) -> timedelta:
    """Length of the rule's window: as it is configured, else as it was when the rule last decided, else three hours."""
    if rule_window is not None:
        return rule_window
    for observed in (*(decision.observed for decision in decisions), *(alert.observed for alert in alerts)):
        return observed.end - observed.start
    return _DEFAULT_WINDOW


def answer(
    rule: str,
    key: Key,
    at: datetime,
    decisions: Sequence[Decision],
    alerts: Sequence[Alert],
    heard: Heard | None,
    window: timedelta = _DEFAULT_WINDOW,
) -> Answer:
    """Put the answer together.

    Args:
        at: the moment that is asked for.
        decisions: of the rule and key, the newest first, none later than `at`.
        alerts: of the rule and key, the one that began last first, none that began later than `at`.
        heard: documents of the key in the window that ends at `at`.
        window: length of the rule's window; a decision that is older says nothing about `at`.
    """
    name = isolated(key.name)
    sentences: list[str] = []
    firing = next((alert for alert in alerts if _fires(alert, at)), None)
    if firing is not None:
        sentences.append(
            f"At {_moment(at)} an alert of {rule} about {name} was firing, since {_moment(firing.starts_at)}: {firing.summary}"
        )
        sentences.append(_words(firing))
    latest = decisions[0] if decisions else None
    if latest is None or at - latest.at > window:
        sentences.append(_nothing(rule, name, key, at, window))
        sentences.append(_heard(heard))
    if latest is not None:
        told = "The last decision before that" if at - latest.at > window else "The decision nearest before it"
        sentences.append(f"{told} is of {_moment(latest.at)}: {_VERDICTS[latest.outcome]}.")
        sentences += _numbers(latest)
    elif alerts and firing is None:
        sentences.append(f"Its last alert about {name} began on {_moment(alerts[0].starts_at)}: {alerts[0].summary}")
    return Answer(rule, key, at, tuple(sentence for sentence in sentences if sentence), tuple(decisions), tuple(alerts), heard)


def _fires(alert: Alert, at: datetime) -> bool:
    if alert.starts_at > at:
        return False
    return at < alert.ends_at if alert.ends_at is not None else alert.status is AlertStatus.FIRING


def _words(alert: Alert) -> str:
    """The words of its first document of which they are known."""
    place, words = telling_words(alert)
    return f"In the document {isolated(alert.evidence[place].title)} these words weigh most: {words}." if words else ""


def _nothing(rule: str, name: str, key: Key, at: datetime, window: timedelta) -> str:
    span = f"in the {length(round(window.total_seconds() / 60))} before {_moment(at)}"
    return f"{span[0].upper()}{span[1:]} {rule} noted nothing about {name} ({key}): nothing came near a threshold."


def _heard(heard: Heard | None) -> str:
    if heard is None:
        return ""
    span = between(heard.start, heard.end)
    if not heard.documents:
        return f"The index holds no document about it {span}."
    said = f"The index holds {counted(heard.documents, 'document')} about it {span}, near-copies included"
    if not heard.scored:
        return f"{said}; none has a sentiment."
    return (
        f"{said}; {heard.negative} of {heard.scored} with a sentiment {'is' if heard.scored == 1 else 'are'} negative ({heard.share:.0%})."
    )


def _numbers(decision: Decision) -> list[str]:
    observed = decision.observed
    seen = f"{observed.negative} of {counted(observed.documents, 'document')} {between(observed.start, observed.end)}"
    sentences = [f"Seen: {seen} {'is' if observed.documents == 1 else 'are'} negative ({observed.share:.0%})."]
    if decision.measure is not None:
        sentences.append(_measured(decision.measure))
        told = decision.measure.explanation.rstrip(".")
        if told and told not in decision.explanation:
            sentences.append(f"In the detector's words: {told}.")
    sentences.append(f"In the rule's words: {decision.explanation.rstrip('.')}.")
    sentences += [f"{'Met' if check.met else 'Not met'}: {_checked(check)}." for check in decision.checks]
    missing = [_missing(check) for check in decision.checks if not check.met]
    if missing:
        sentences.append(f"It would have needed {' and '.join(missing)}.")
    if decision.alert_id is not None:
        sentences.append(f"The alert: {decision.alert_id}.")
    return sentences


def _measured(measure: Measure) -> str:
    name = measure.signal.replace("_", " ")
    value, expected = _amount(name, measure.value), _amount(name, measure.expected)
    low, high = measure.low, measure.high
    if low is not None and high is not None:
        ordinary = f"; ordinary is {_amount(name, low)} to {_amount(name, high)}"
    elif low is not None:
        ordinary = f"; ordinary is {_amount(name, low)} or more"
    elif high is not None:
        ordinary = f"; ordinary is {_amount(name, high)} or less"
    else:
        ordinary = ""
    past = ""
    if measure.baseline_minutes and round(measure.baseline_documents):
        past = f" from {counted(measure.baseline_documents, 'document')} of the {length(measure.baseline_minutes)} before"
    unusual = f"; a window at least so unusual has probability {measure.p_value:.2g}" if measure.p_value is not None else ""
    return f"Measured ({measure.detector}): {name} {value}, expected {expected}{past}{ordinary}{unusual}."


_RELATIONS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


def _checked(check: Check) -> str:
    return f"{check.name} {_amount(check.name, check.value)}, {_RELATIONS[check.relation]} {_amount(check.name, check.needed)} wanted"


def _missing(check: Check) -> str:
    needed = f"{_RELATIONS[check.relation]} {_amount(check.name, check.needed)}"
    if check.relation == ">=" and check.name not in _SHARES and float(check.needed).is_integer():
        return f"{number(check.needed - check.value)} more {check.name}"
    return f"a {check.name} of {needed}" if check.name in {"p-value", "negative share", "mean score"} else f"{needed} {check.name}"


def _amount(name: str, value: float) -> str:
    if name == "p-value":
        return f"{value:.2g}"
    if name in _SHARES:
        return f"{value:.1%}".replace(".0%", "%")
    return f"{value:+.2f}" if name == "mean score" else number(value)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
