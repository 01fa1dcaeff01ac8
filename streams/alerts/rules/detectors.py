"""How a rule writes its detector: one model for each, told apart by ``type``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeFloat, PositiveInt, model_validator

from streams.alerts.rules.duration import Duration
from streams.alerts.rules.faults import fault

__all__ = [
    "AbsenceSpec",
    "BreadthSpec",
    "ChangePointSpec",
    "CompositePart",
    "CompositeSpec",
    "DetectorSpec",
    "RateOfChangeSpec",
    "ReturnPeriodSpec",
    "SeasonalSpec",
    "ShareSpec",
    "Signal",
    "SpikeSpec",
    "ThresholdSpec",
]

Signal = Literal["documents", "negative", "negative_share", "mean_score"]
"""What is measured of a window: all documents, negative ones, negative share in [0, 1], mean score in [-1, 1]."""

Direction = Literal["up", "down", "both"]
PValue = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ThresholdSpec(_Spec):
    """The signal is above (or below) a fixed number."""

    type: Literal["threshold"]
    above: FiniteFloat | None = None
    """Holds where the signal is greater."""
    below: FiniteFloat | None = None
    """Holds where the signal is less."""

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.above is None and self.below is None:
            raise fault("has neither above nor below", "write for example above: 50")
        if self.above is not None and self.below is not None and self.above < self.below:
            raise fault(
                f"above {self.above:g} or below {self.below:g} is always fulfilled", "above must be the greater of the two", "above"
            )
        return self


class RateOfChangeSpec(_Spec):
    """The signal is `factor` times that of the window before (not for the mean score), or moved by `delta`."""

    type: Literal["rate_of_change"]
    factor: Positive | None = None
    """How many times as much; below 1: how little is left."""
    delta: FiniteFloat | None = None
    """By how much it moved; negative: it fell."""
    min_reference: Positive = 5.0
    """Fewest documents of the window before."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.factor is None) == (self.delta is None):
            which = "neither factor nor delta" if self.factor is None else "both factor and delta"
            raise fault(f"has {which}", "write one of them, for example factor: 3 or delta: -0.3")
        if self.factor == 1 or self.delta == 0:
            raise fault("asks for no change at all", "for example factor: 3 or delta: -0.3", "factor" if self.factor == 1 else "delta")
        return self


class SeasonalSpec(_Spec):
    """The signal against the same hours of the days and weeks before: robust median and dispersion, negative-binomial tail."""

    type: Literal["seasonal"]
    baseline: Duration = timedelta(days=28)
    """How much past is compared with."""
    max_p_value: PValue = 1e-5
    """Greatest probability of so much (or so little), if nothing had changed."""
    direction: Direction = "up"
    """Which way counts."""
    seasonality: Literal["auto", "hour_of_week", "hour_of_day", "none"] = "auto"
    """Which hours are alike; `auto`: what the past suffices for."""
    min_factor: Positive = 1.5
    """The window must also be this many times (down: one over this) what was expected: large keys move significantly all the time."""


class ShareSpec(_Spec):
    """The negative share against the key's own past: exact beta-binomial."""

    type: Literal["share"]
    baseline: Duration = timedelta(days=7)
    """How much past is compared with."""
    max_p_value: PValue = 1e-4
    """Greatest probability of so many negatives, if nothing had changed."""
    min_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Least negative share in the window."""
    prior_share: Annotated[float, Field(gt=0, lt=1)] = 0.35
    """Ordinary negative share of a key of which nothing is known, until the stream itself has told."""


class ReturnPeriodSpec(_Spec):
    """The signal is above what the key's own past reaches only once in so long: peaks over threshold around the daily rhythm."""

    type: Literal["return_period"]
    once_in: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(days=30)
    """Time in which one window so unusual is to be expected."""
    baseline: Duration = timedelta(days=28)
    """How much past is compared with."""
    min_factor: Positive = 1.5
    """The window must also be this many times what was expected."""


class ChangePointSpec(_Spec):
    """CUSUM of the signal's standardised residuals over the last windows (Page, Biometrika 1954)."""

    type: Literal["change_point"]
    baseline: Duration = timedelta(days=14)
    """How much past tells what is ordinary."""
    drift: Positive = 0.5
    """Standard deviations of a window that are forgiven."""
    threshold: Positive = 8.0
    """Sum of the rest from which it holds."""
    direction: Direction = "up"
    """Which way counts."""


class AbsenceSpec(_Spec):
    """Nothing, or far too little, was heard in the window where the past lets expect much."""

    type: Literal["absence"]
    baseline: Duration = timedelta(days=14)
    """How much past is compared with."""
    max_p_value: PValue = 1e-4
    """Greatest probability of so little, if nothing had changed."""
    min_expected: Positive = 5.0
    """Keys of which fewer were expected are not judged."""
    max_part: Annotated[float, Field(gt=0, le=1)] = 1.0
    """At most this part of what was expected came. After days of much, the usual is unusually little, and yet no silence."""


class SpikeSpec(_Spec):
    """ElastAlert2's spike rule, as documented: two adjacent windows and a ratio. For comparison."""

    type: Literal["spike"]
    spike_height: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 3.0
    """How many times as much as in the window before."""
    spike_type: Direction = "up"
    """Which way counts."""
    threshold_ref: NonNegativeFloat = 0.0
    """Fewest in the window before."""
    threshold_cur: NonNegativeFloat = 0.0
    """Fewest in the window."""


class BreadthSpec(_Spec):
    """Enough distinct sources and languages agree (counted among the negative documents)."""

    type: Literal["breadth"]
    min_sources: PositiveInt = 3
    """Fewest sources."""
    min_languages: PositiveInt = 1
    """Fewest languages."""


class CompositePart(_Spec):
    """One part of a composite: a detector, and the signal it looks at where that is not the rule's own."""

    detector: Annotated[
        ThresholdSpec | RateOfChangeSpec | SeasonalSpec | ShareSpec | ChangePointSpec | ReturnPeriodSpec | SpikeSpec | BreadthSpec,
        Field(discriminator="type"),
    ]
    """Any detector but `absence` and `composite`."""
    signal: Signal | None = None
    """What this part measures; absent: the rule's signal."""


class CompositeSpec(_Spec):
    """Several detectors at once: at least `at_least` of the parts must hold (absent: all)."""

    type: Literal["composite"]
    parts: Annotated[tuple[CompositePart, ...], Field(min_length=2, max_length=8)]
    """Two to eight detectors."""
    at_least: PositiveInt | None = None
    """How many of them must hold."""

    @model_validator(mode="after")
    def _enough_parts(self) -> Self:
        if self.at_least is not None and self.at_least > len(self.parts):
            raise fault(f"{self.at_least} of {len(self.parts)} parts can never hold", f"at most {len(self.parts)}", "at_least")
        return self


DetectorSpec = Annotated[
    ThresholdSpec
    | RateOfChangeSpec
    | SeasonalSpec
    | ShareSpec
    | ChangePointSpec
    | ReturnPeriodSpec
    | AbsenceSpec
    | SpikeSpec
    | BreadthSpec
    | CompositeSpec,
    Field(discriminator="type"),
]
