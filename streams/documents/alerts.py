"""Alerts and decisions: what the watch agent says, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from streams.documents.wire import Probability, Wire

__all__ = [
    "Alert",
    "AlertStatus",
    "Baseline",
    "Check",
    "Decision",
    "DecisionOutcome",
    "Evidence",
    "Explanation",
    "Key",
    "Measure",
    "Member",
    "Observation",
    "Point",
    "Series",
    "Term",
    "WordEffect",
]


class Key(Wire):
    """What an alert is about: the value of each dimension that its rule groups by.

    `kind` names the dimensions, joined by ``+`` (``entity``, ``tag``, ``entity+topic``; ``all`` where the rule has one key
    for everything); `value` the values in the same order, joined by ``|``; `name` is for people.
    """

    kind: Annotated[str, Field(pattern=r"^[a-z]+(\+[a-z]+)*$")]
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


class WordEffect(Wire):
    """A word as it stands in the document, and its effect: the score with the word minus the score without it.

    `together`: so many neighbouring words were taken out at once and share their effect evenly.
    """

    text: str
    effect: float
    together: Annotated[int, Field(ge=1)] = 1


class Explanation(Wire):
    """The words that moved a document's sentiment to the side on which it stands, the strongest first; or the reason why there are none.

    Where several words say the same, none of them is missed alone: `turning` are a few words, the strongest first, without which the
    answer would be `turned` (a sentiment). `score` is the model's (positive - negative, in [-1, 1]) for the document's own text,
    `without` for the text without any of its words; effects do not add up to their difference.
    """

    words: tuple[WordEffect, ...] = ()
    turning: tuple[str, ...] = ()
    turned: str | None = None
    score: float | None = None
    without: float | None = None
    model_id: str | None = None
    reason: str | None = None
    """``unscored``, ``no_words``, ``too_slow``, ``busy``, ``no_text``, ``no_model``, ``other_model``, ``other_answer``, ``failed``."""


class Evidence(Wire):
    """A document that caused an alert. The first ones of a firing alert are explained."""

    id: str
    title: str
    url: str | None
    source: str
    language: str
    published_at: AwareDatetime
    score: float
    duplicate_of: str | None = None
    explanation: Explanation | None = None


class AlertStatus(StrEnum):
    """Alertmanager's two states."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Measure(Wire):
    """What the detector measured of the window, and what it would have found ordinary.

    `value` and `expected` are in the unit of `signal` (documents, a share in [0, 1], a mean score in [-1, 1]); an ordinary
    window lies within [`low`, `high`], None where that side is open. `score` in [0, 1] compares alerts of different rules.
    """

    signal: str
    detector: str
    value: float
    expected: float
    low: float | None
    high: float | None
    score: Probability
    p_value: Probability | None
    baseline_minutes: Annotated[int, Field(ge=0)]
    baseline_documents: Annotated[float, Field(ge=0)]
    explanation: str


class Term(Wire):
    """A word that moved: documents of the window and of the past that hold it, and how much more frequent it became."""

    term: str
    documents: Annotated[int, Field(ge=0)]
    before: Annotated[int, Field(ge=0)]
    lift: float


class Point(Wire):
    """One step of the small time series: counts in [at, at + step); the last one ends with the window."""

    at: AwareDatetime
    documents: float
    negative: float


class Series(Wire):
    """Counts around the alert, oldest first; `step` in minutes. Points of which nothing is known are left out."""

    step: Annotated[int, Field(gt=0)]
    points: tuple[Point, ...]


class Check(Wire):
    """One of the conditions of a rule, and how a window met it: `value` `relation` `needed`."""

    name: str
    value: float
    relation: Literal[">=", "<=", ">", "<"]
    needed: float
    met: bool


class Member(Wire):
    """An alert that is told within another one's notice (a group, a storm)."""

    id: str
    fingerprint: str
    rule: str
    key: Key
    severity: Literal["info", "warning", "critical"]
    summary: str


class Alert(Wire):
    """Opinion about a key turned.

    `fingerprint` is stable for a rule and key (64 bits, hexadecimal); `id` is stable for one episode of it, so that a
    receiver can drop repeated deliveries. `languages`, `sources` and `topics` count the documents that bear the alert out, the most
    frequent first: the negative ones, or all where the rule watches how many there are; of the sources the first fifty.
    `independent_sources` counts a story that many repeat once.
    """

    id: str
    fingerprint: str
    rule: str
    status: AlertStatus
    severity: Literal["info", "warning", "critical"]
    key: Key
    starts_at: AwareDatetime
    observed: Observation
    baseline: Baseline | None
    p_value: Probability | None
    evidence: tuple[Evidence, ...]
    languages: dict[str, int]
    sources: dict[str, int]
    summary: str
    ends_at: AwareDatetime | None = None
    """End of the episode (event time); set when it is resolved."""
    revision: Annotated[int, Field(ge=0)] = 0
    """Counts the notices of this episode from 0; with the id it names one message."""
    reason: str = ""
    """Why this notice: ``fired``, ``amended``, ``escalated``, ``recovered``, ``silent``, ``retracted``, ``explained``, ``resent``."""
    measure: Measure | None = None
    independent_sources: Annotated[int, Field(ge=0)] = 0
    independent_languages: Annotated[int, Field(ge=0)] = 0
    flags: tuple[str, ...] = ()
    """``possible_campaign``, ``single_source``, ``mostly_copies``."""
    terms: tuple[Term, ...] = ()
    topics: dict[str, int] = Field(default_factory=dict)
    series: Series | None = None
    channels: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    """Of a digest: the alerts that it stands for."""
    resent_at: AwareDatetime | None = None
    """When somebody had this notice sent again (wall clock): it is a message of its own then, and its `reason` is ``resent``."""


class DecisionOutcome(StrEnum):
    """What a rule did with one evaluation."""

    FIRED = "fired"
    HELD = "held"
    TOO_FEW = "too_few_documents"
    NOT_UNUSUAL = "not_unusual"
    BELOW_SHARE = "below_share"
    COOLING_DOWN = "cooling_down"
    NO_BASELINE = "no_baseline"
    TOO_NARROW = "too_narrow"
    OVER_BUDGET = "over_budget"
    PENDING = "pending"
    AMENDED = "amended"
    RESOLVED = "resolved"
    RETRACTED = "retracted"
    SILENCED = "silenced"
    ACKNOWLEDGED = "acknowledged"
    OUTSIDE_HOURS = "outside_hours"
    GROUPED = "grouped"
    ESCALATED = "escalated"


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
    measure: Measure | None = None
    checks: tuple[Check, ...] = ()
    """The rule's conditions at that time, and how far the window was from each."""
