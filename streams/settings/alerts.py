"""Settings of the alerts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from streams.settings.section import Section
from streams.settings.values import Count, Duration, Seconds

__all__ = ["AlertSettings"]


class AlertSettings(Section):
    """What raises alerts: a rule file, or, without one, the negative share of every entity and tag against its own past.

    Durations in seconds or ISO 8601 (``PT6H``); from `window` to `severity` they describe the rules of a service without a file.
    """

    rules: Path | None = Field(
        None, description="Rule file (YAML), read again when it changes; absent: the settings below", examples=["rules.yaml"]
    )
    window: Duration = Field(timedelta(hours=3), description="Window of event time", examples=["PT3H"])
    baseline: Duration = Field(timedelta(days=7), description="How far the baseline reaches back before the window", examples=["P7D"])
    min_documents: Count = Field(12, description="Fewest documents in the window", examples=[12])
    min_share: Annotated[float, Field(gt=0, le=1)] = Field(0.5, description="Least negative share in the window", examples=[0.5])
    max_p_value: Annotated[float, Field(gt=0, lt=1)] = Field(
        1e-4, description="Largest probability of so many negatives under the baseline", examples=[0.0001]
    )
    cool_down: Duration = Field(timedelta(hours=24), description="Silence after an alert of the same rule and key", examples=["P1D"])
    allowed_lateness: Duration = Field(timedelta(hours=24), description="Older than the newest by more: not counted", examples=["P1D"])
    severity: Literal["info", "warning", "critical"] = Field("critical", description="Severity of its alerts", examples=["warning"])
    explain: Annotated[int, Field(ge=0, le=20)] = Field(
        3,
        description="Evidence documents of a firing alert of which the model tells the words that moved their score; 0: none",
        examples=[5],
    )
    explain_timeout: Seconds = Field(5.0, description="Seconds that explaining may hold an alert up", le=60, examples=[1])
