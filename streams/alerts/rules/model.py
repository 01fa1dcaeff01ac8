"""The rule file: one pydantic model for each thing that stands in it."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, field_validator, model_validator

from streams.alerts.rules.detectors import DetectorSpec, ShareSpec, Signal
from streams.alerts.rules.duration import Duration

__all__ = ["ActiveHours", "Condition", "Counting", "Dimension", "Escalation", "MinimumEvidence", "Rule", "RuleFile", "Severity"]

Severity = Literal["info", "warning", "critical"]
Dimension = Literal["entity", "topic", "language", "source", "tag"]
Words = Annotated[tuple[str, ...], Field(min_length=1)]

_HOPS = (60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1)
_HOPS_PER_WINDOW = 36


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(_Model):
    """What a rule watches. All fields that are given must match; within a field any of its values suffices.

    Entities are ids of the gazetteer, tags are compared without case, terms are words or phrases of title and text.
    `all`, `any` and `not` combine conditions. An empty condition matches everything.
    """

    entity: Words | None = None
    topic: Words | None = None
    language: Words | None = None
    source: Words | None = None
    author: Words | None = None
    tag: Words | None = None
    terms: Words | None = None
    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()
    none: Annotated[tuple[Condition, ...], Field(alias="not")] = ()

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class MinimumEvidence(_Model):
    """Fewer than these in the window, and the rule keeps silent, whatever the statistics say."""

    documents: NonNegativeInt = 12
    negative: NonNegativeInt = 0
    sources: NonNegativeInt = 1
    languages: NonNegativeInt = 1


class Counting(_Model):
    """What counts once. Weights apply within one window.

    Attributes:
        copy_weight: weight of every further near-copy of a story, in [0, 1].
        per_author, per_source: documents of one author or source that count in a window; the rest weigh nothing. 0: no cap.
    """

    copy_weight: Annotated[float, Field(ge=0, le=1)] = 0.0
    per_author: NonNegativeInt = 5
    per_source: NonNegativeInt = 0


class ActiveHours(_Model):
    """When a rule may speak. Outside, its alerts wait until it may again, and are dropped if they have resolved by then."""

    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    hours: Annotated[str, Field(pattern=r"^\d{2}:\d{2}-\d{2}:\d{2}$")] = "00:00-24:00"
    time_zone: str = "UTC"

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is no time zone of the IANA database; for example Europe/Berlin") from error
        return value


class Escalation(_Model):
    """Who hears of an alert that nobody has acknowledged after a while."""

    after: Duration = timedelta(hours=2)
    severity: Severity = "critical"
    channels: tuple[str, ...] = ()


class Rule(_Model):
    """One rule.

    `window` and `hop` are event time: the window is judged at every multiple of `hop` minutes (absent: about a
    thirty-sixth of the window). `for` is how long the condition must hold before it is told. `group_by` names the
    dimensions of a key: one alert for each combination of their values; empty: one key for all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    description: str = ""
    watch: Condition = Condition()
    group_by: tuple[Dimension, ...] = ("entity",)
    window: Duration = timedelta(hours=3)
    hop: Duration | None = None
    signal: Signal = "negative_share"
    detector: DetectorSpec = ShareSpec(type="share")
    evidence: MinimumEvidence = MinimumEvidence()
    counting: Counting = Counting()
    hold: Annotated[Duration, Field(alias="for")] = timedelta(0)
    cool_down: Duration = timedelta(hours=24)
    allowed_lateness: Duration = timedelta(hours=24)
    budget: Annotated[float, Field(gt=0)] | None = None
    """False alerts a day that all keys of the rule together may cost; absent: only the detector's own threshold."""
    severity: Severity = "warning"
    escalation: Escalation | None = None
    channels: tuple[str, ...] = ()
    active: ActiveHours = ActiveHours()
    explains_away: bool = True
    """Whether an alert whose negative documents another key's alert explains is held back."""
    enabled: bool = True

    @model_validator(mode="after")
    def _durations(self) -> Self:
        if self.window < timedelta(minutes=1):
            raise ValueError("window: is shorter than a minute; for example 3h")
        if self.window % timedelta(minutes=self.hop_minutes):
            raise ValueError(f"window: {self.window} is not a multiple of the hop of {self.hop_minutes} minutes")
        for name, value in (("for", self.hold), ("cool_down", self.cool_down), ("allowed_lateness", self.allowed_lateness)):
            if value < timedelta(0):
                raise ValueError(f"{name}: is negative")
        if len(set(self.group_by)) != len(self.group_by):
            raise ValueError("group_by: a dimension stands there twice")
        return self

    @field_validator("hop")
    @classmethod
    def _hop(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and (value < timedelta(minutes=1) or value / timedelta(minutes=1) not in _HOPS):
            raise ValueError(f"must be one of {', '.join(f'{hop}m' for hop in reversed(_HOPS))}")
        return value

    @property
    def window_minutes(self) -> int:
        """Length of the window in minutes."""
        return math.ceil(self.window / timedelta(minutes=1))

    @property
    def hop_minutes(self) -> int:
        """Minutes between two windows."""
        if self.hop is not None:
            return int(self.hop / timedelta(minutes=1))
        window = self.window_minutes
        return next(hop for hop in _HOPS if window % hop == 0 and (hop * _HOPS_PER_WINDOW <= window or hop == 1))

    @property
    def baseline_minutes(self) -> int:
        """How much past the detector wants, in minutes; 0: none."""
        specs: list[Any] = [self.detector, *(part.detector for part in getattr(self.detector, "parts", ()))]
        lengths = [spec.baseline for spec in specs if getattr(spec, "baseline", None) is not None]
        return math.ceil(max(lengths, default=timedelta(0)) / timedelta(minutes=1))


class RuleFile(_Model):
    """A whole rule file. ``channels`` are read by `streams.delivery.channels`, and rules name them."""

    version: Literal[1] = 1
    defaults: dict[str, Any] = Field(default_factory=dict)
    channels: dict[str, dict[str, Any]] = Field(default_factory=dict)
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _apply_defaults(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("defaults"), dict) and isinstance(data.get("rules"), (list, tuple)):
            given = data["defaults"]
            data = {**data, "rules": [{**given, **rule} if isinstance(rule, dict) else rule for rule in data["rules"]]}
        return data

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two rules are called {', '.join(twice)}")
        for rule in self.rules:
            wanted = [*rule.channels, *(rule.escalation.channels if rule.escalation else ())]
            unknown = sorted(set(wanted) - set(self.channels))
            if unknown:
                raise ValueError(f"rule {rule.name}: there is no channel {', '.join(unknown)}")
        return self
