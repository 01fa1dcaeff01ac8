"""Alerts and decisions: what the watch agent says, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from streams.documents.wire import Probability, Wire

__all__ = ["Alert", "AlertStatus", "Baseline", "Decision", "DecisionOutcome", "Evidence", "Key", "Observation"]


class Key(Wire):
    """What a rule watches: an entity or a tag."""

    kind: Literal["entity", "tag"]
    value: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class Observation(Wire):
    """Counts over a window of event time [start, end), UTC: scored documents and how many of them are negative."""

    start: AwareDatetime
    end: AwareDatetime
    documents: Annotated[int, Field(ge=0)]
    negative: Annotated[int, Field(ge=0)]
    share: Probability


class Baseline(Observation):
    """The same counts over the time before the window; `expected_share` is the share that the detector compared with."""

    expected_share: Probability


class Evidence(Wire):
    """A document that caused an alert."""

    id: str
    title: str
    url: str | None
    source: str
    language: str
    published_at: AwareDatetime
    score: float
    duplicate_of: str | None = None


class AlertStatus(StrEnum):
    """Alertmanager's two states."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Alert(Wire):
    """Opinion about a key turned.

    `fingerprint` is stable for a rule and key (64 bits, hexadecimal); `id` is stable for one episode of it, so that a
    receiver can drop repeated deliveries. `languages` and `sources` count the negative votes, the most frequent first; of the
    sources the first fifty.
    """

    id: str
    fingerprint: str
    rule: str
    status: AlertStatus
    severity: Literal["info", "warning", "critical"]
    key: Key
    starts_at: AwareDatetime
    observed: Observation
    baseline: Baseline
    p_value: Probability
    evidence: tuple[Evidence, ...]
    languages: dict[str, int]
    sources: dict[str, int]
    summary: str


class DecisionOutcome(StrEnum):
    """What a rule did with one evaluation."""

    FIRED = "fired"
    HELD = "held"
    TOO_FEW = "too_few_documents"
    NOT_UNUSUAL = "not_unusual"
    BELOW_SHARE = "below_share"
    COOLING_DOWN = "cooling_down"
    NO_BASELINE = "no_baseline"
    RESOLVED = "resolved"


class Decision(Wire):
    """One evaluation near a threshold: the numbers, and what the rule did with them. Answers why it fired or did not."""

    id: str
    rule: str
    key: Key
    at: AwareDatetime
    outcome: DecisionOutcome
    observed: Observation
    baseline: Baseline | None
    p_value: Probability | None
    explanation: str
    alert_id: str | None = None
