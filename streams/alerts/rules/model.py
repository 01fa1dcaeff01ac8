"""The rule file: one pydantic model for each thing that stands in it."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, field_validator, model_validator

from streams.alerts.rules.condition import Condition, Dimension
from streams.alerts.rules.detectors import DetectorSpec, ShareSpec, Signal
from streams.alerts.rules.duration import Duration
from streams.alerts.rules.faults import fault
from streams.alerts.rules.sense import check_sense

__all__ = ["ActiveHours", "Condition", "Counting", "Dimension", "Escalation", "MinimumEvidence", "Rule", "RuleFile", "Severity", "Weekday"]

Severity = Literal["info", "warning", "critical"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_HOPS = (60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1)
_HOPS_PER_WINDOW = 36
_MOST_HOPS = 1440
_HOURS = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_DAY = 24 * 60


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class MinimumEvidence(_Model):
    """Fewer than these in the window, and the rule keeps silent, whatever the statistics say. Copies and capped ones do not count."""

    documents: NonNegativeInt = 12
    """Documents that count."""
    negative: NonNegativeInt = 0
    """Negative ones among them."""
    sources: NonNegativeInt = 1
    """Distinct sources."""
    languages: NonNegativeInt = 1
    """Distinct languages."""


class Counting(_Model):
    """What counts once. Weights apply within one window."""

    copy_weight: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Weight of every further near-copy of a story."""
    per_author: NonNegativeInt = 5
    """Documents of one author that count in a window; the rest weigh nothing. 0: no cap."""
    per_source: NonNegativeInt = 0
    """Documents of one source that count in a window. 0: no cap."""


class ActiveHours(_Model):
    """When a rule may speak. Outside, its alerts wait until it may again, and are dropped if they have resolved by then."""

    days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    """Days on which the hours begin."""
    hours: str = "00:00-24:00"
    """From and to, local time; `22:00-06:00` ends on the day after."""
    time_zone: str = "UTC"
    """Zone of the IANA database, for example `Europe/Berlin`; summer time is followed."""

    @field_validator("hours")
    @classmethod
    def _clock(cls, value: str) -> str:
        found = _HOURS.fullmatch(value)
        if found is None:
            raise fault(f"{value[:40]!r} is no span of hours", "for example 08:00-18:30, or 22:00-06:00 over midnight")
        first, last, end, minute = (int(part) for part in found.groups())
        if 60 * first + last >= _DAY or 60 * end + minute > _DAY:
            raise fault(f"{value!r} is beyond the day", "hours begin at 23:59 at the latest and end at 24:00 at the latest")
        if (first, last) == (end, minute):
            raise fault(f"{value!r} ends where it begins", "write 00:00-24:00 for the whole day")
        return value

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise fault(f"{value[:60]!r} is no time zone of the IANA database", "for example Europe/Berlin, Asia/Tokyo, UTC") from error
        return value

    @property
    def span(self) -> tuple[int, int]:
        """First minute of the local day, and minute after the last; the second is beyond 1440 where the hours end on the day after."""
        begin, end = (60 * int(part[:2]) + int(part[3:]) for part in self.hours.split("-"))
        return begin, end if end > begin else end + _DAY


class Escalation(_Model):
    """Who hears of an alert that nobody has acknowledged after a while."""

    after: Duration = timedelta(hours=2)
    """How long after it was told."""
    severity: Severity = "critical"
    """What it becomes."""
    channels: tuple[str, ...] = ()
    """Who hears of it then; the rule's own channels hear of it too."""


class Rule(_Model):
    """One rule.

    `window` and `hop` are event time: the window is judged at every multiple of `hop` minutes. `group_by` names the
    dimensions of a key: one alert for each combination of their values; empty: one key for all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    """Stable name: lower-case letters, digits, hyphens. Part of fingerprints and of the saved state."""
    description: Annotated[str, Field(max_length=1000)] = ""
    """For people: what it means when it speaks."""
    watch: Condition = Condition()
    """What it watches; absent: every document."""
    group_by: tuple[Dimension, ...] = ("entity",)
    """One alert for each combination of their values; `[]`: one for everything that is watched."""
    window: Duration = timedelta(hours=3)
    """Span of event time that is judged."""
    hop: Duration | None = None
    """How often it is judged; absent: about a thirty-sixth of the window."""
    signal: Signal = "negative_share"
    """What is measured of a window."""
    detector: DetectorSpec = ShareSpec(type="share")
    """How it is judged."""
    evidence: MinimumEvidence = MinimumEvidence()
    """Fewest documents, sources and languages."""
    counting: Counting = Counting()
    """What counts once."""
    hold: Annotated[Duration, Field(alias="for")] = timedelta(0)
    """How long the condition must hold before it is told."""
    cool_down: Duration = timedelta(hours=24)
    """Silence about the same key after an alert."""
    allowed_lateness: Annotated[Duration, Field(le=timedelta(days=31))] = timedelta(hours=24)
    """How far a document may lie behind the newest of its source and still be counted."""
    budget: PositiveFloat | None = None
    """False alerts a day that all keys of the rule together may cost; absent: only the detector's own threshold."""
    severity: Severity = "warning"
    """How bad it is."""
    escalation: Escalation | None = None
    """Who hears of it when nobody acknowledges it."""
    channels: tuple[str, ...] = ()
    """Who hears of it: names of the file's `channels`."""
    active: ActiveHours = ActiveHours()
    """When it may speak."""
    explains_away: bool = True
    """Whether an alert whose negative documents another key's alert explains is held back."""
    matter: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9-]{0,62})?$")] = ""
    """Rules of one matter say the same of a key by other windows or limits: what one of them has told is not told again while it is
    in this rule's window, unless this one is more severe, has other channels or escalates otherwise. It is told afterwards if it
    holds then. Absent: the rule speaks for itself."""
    enabled: bool = True
    """`false`: it is read and checked, and does nothing."""

    @model_validator(mode="before")
    @classmethod
    def _silence_is_of_documents(cls, data: Any) -> Any:
        # The defaults of other rules would make silence impossible to notice: no share is known, and no evidence there.
        detector = data.get("detector") if isinstance(data, dict) else None
        kind = detector.get("type") if isinstance(detector, dict) else getattr(detector, "type", None)
        if kind == "absence":
            return {"signal": "documents", "evidence": {"documents": 0, "sources": 0, "languages": 0}, **data}
        return data

    @field_validator("group_by")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for place, dimension in enumerate(value):
            if dimension in value[:place]:
                raise fault(f"{dimension} stands there twice", "name each dimension once", place)
        return value

    @field_validator("window")
    @classmethod
    def _window(cls, value: timedelta) -> timedelta:
        if value < timedelta(minutes=1):
            raise fault("is shorter than a minute", "for example 3h")
        if value > timedelta(days=31):
            raise fault("is longer than 31 days", "windows of hours notice early; the baseline may be longer")
        return value

    @field_validator("hop")
    @classmethod
    def _hop(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and (value < timedelta(minutes=1) or value / timedelta(minutes=1) not in _HOPS):
            raise fault("does not divide an hour", f"one of {', '.join(f'{hop}m' for hop in reversed(_HOPS))}")
        return value

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.window % timedelta(minutes=self.hop_minutes):
            raise fault(f"is not a multiple of the hop of {self.hop_minutes} minutes", "choose a window that is, or another hop", "window")
        if self.window_minutes // self.hop_minutes > _MOST_HOPS:
            raise fault(f"the window is more than {_MOST_HOPS} hops long", "a longer hop, or leave it out", "hop")
        check_sense(self)
        return self

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
    """A whole rule file."""

    version: Literal[1] = 1
    """Of this format."""
    defaults: dict[str, Any] = Field(default_factory=dict)
    """Fields of a rule that hold for every rule which does not give them itself; a field is taken as a whole."""
    channels: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Who can hear of alerts, by name. A value `env:NAME` is read from the environment."""
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]
    """The rules."""

    @model_validator(mode="before")
    @classmethod
    def _apply_defaults(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("defaults"), dict) and isinstance(data.get("rules"), (list, tuple)):
            given = data["defaults"]
            data = {**data, "rules": [{**given, **rule} if isinstance(rule, dict) else rule for rule in data["rules"]]}
        return data

    @model_validator(mode="after")
    def _names(self) -> Self:
        first: dict[str, int] = {}
        for place, rule in enumerate(self.rules):
            if first.setdefault(rule.name, place) != place:
                raise fault(f"there is another rule {rule.name!r}", "give each rule a name of its own", "rules", place, "name")
            wanted = [("channels", name) for name in rule.channels]
            if rule.escalation is not None:
                wanted += [("escalation", name) for name in rule.escalation.channels]
            for field, name in wanted:
                # The settings webhook.* describe a channel of this name.
                if name not in self.channels and name != "default":
                    known = (
                        f"one of {', '.join(sorted(self.channels))}"
                        if self.channels
                        else "describe it under channels: at the top of the file"
                    )
                    raise fault(f"there is no channel {name!r}", known, "rules", place, field)
        return self
