"""How a rule writes its detector: one model for each, told apart by ``type``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from streams.alerts.rules.duration import Duration

__all__ = [
    "AbsenceSpec",
    "BreadthSpec",
    "ChangePointSpec",
    "CompositePart",
    "CompositeSpec",
    "DetectorSpec",
    "RateOfChangeSpec",
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


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ThresholdSpec(_Spec):
    """The signal is above (or below) a fixed number."""

    type: Literal["threshold"]
    above: float | None = None
    below: float | None = None


class RateOfChangeSpec(_Spec):
    """The signal is `factor` times that of the window before (counts and shares), or moved by `delta` (mean score, share)."""

    type: Literal["rate_of_change"]
    factor: PositiveFloat | None = None
    delta: float | None = None
    min_reference: PositiveFloat = 5.0


class SeasonalSpec(_Spec):
    """The signal against the same hours of the days and weeks before: robust median and dispersion, negative-binomial tail."""

    type: Literal["seasonal"]
    baseline: Duration = timedelta(days=28)
    max_p_value: PValue = 1e-5
    direction: Direction = "up"
    seasonality: Literal["auto", "hour_of_week", "hour_of_day", "none"] = "auto"
    min_factor: PositiveFloat = 1.5
    """The window must also be this many times (down: one over this) what was expected: large keys move significantly all the time."""


class ShareSpec(_Spec):
    """The negative share against the key's own past: exact beta-binomial."""

    type: Literal["share"]
    baseline: Duration = timedelta(days=7)
    max_p_value: PValue = 1e-4
    min_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    prior_share: Annotated[float, Field(gt=0, lt=1)] = 0.35
    """Ordinary negative share of a key of which nothing is known, until the stream itself has told."""


class ChangePointSpec(_Spec):
    """CUSUM of the signal's standardised residuals over the last windows (Page, Biometrika 1954)."""

    type: Literal["change_point"]
    baseline: Duration = timedelta(days=14)
    drift: PositiveFloat = 0.5
    threshold: PositiveFloat = 8.0
    direction: Direction = "up"


class AbsenceSpec(_Spec):
    """Nothing, or far too little, was heard in the window where the past lets expect much."""

    type: Literal["absence"]
    baseline: Duration = timedelta(days=14)
    max_p_value: PValue = 1e-4
    min_expected: PositiveFloat = 5.0


class SpikeSpec(_Spec):
    """ElastAlert2's spike rule, as documented: two adjacent windows and a ratio. For comparison."""

    type: Literal["spike"]
    spike_height: PositiveFloat = 3.0
    spike_type: Direction = "up"
    threshold_ref: float = 0.0
    threshold_cur: float = 0.0


class BreadthSpec(_Spec):
    """Enough distinct sources and languages agree (counted among the negative documents)."""

    type: Literal["breadth"]
    min_sources: PositiveInt = 3
    min_languages: PositiveInt = 1


class CompositePart(_Spec):
    """One part of a composite: a detector, and the signal it looks at where that is not the rule's own."""

    detector: Annotated[
        ThresholdSpec | RateOfChangeSpec | SeasonalSpec | ShareSpec | ChangePointSpec | SpikeSpec | BreadthSpec, Field(discriminator="type")
    ]
    signal: Signal | None = None


class CompositeSpec(_Spec):
    """Several detectors at once: at least `at_least` of the parts must hold (absent: all)."""

    type: Literal["composite"]
    parts: Annotated[tuple[CompositePart, ...], Field(min_length=2, max_length=8)]
    at_least: PositiveInt | None = None


DetectorSpec = Annotated[
    ThresholdSpec | RateOfChangeSpec | SeasonalSpec | ShareSpec | ChangePointSpec | AbsenceSpec | SpikeSpec | BreadthSpec | CompositeSpec,
    Field(discriminator="type"),
]
