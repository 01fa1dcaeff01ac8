"""What a rule watches, and when it speaks."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from streams.alerts.windows import Span
from streams.documents import Key, ScoredDocument
from streams.errors import SettingsError
from streams.settings import AlertSettings

__all__ = ["Rule", "minutes"]


def minutes(duration: timedelta) -> int:
    """`duration` in whole minutes, rounded up: the grain of the windows."""
    return math.ceil(duration / timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class Rule:
    """Negative share of every entity and every tag, against the key's own past.

    Attributes:
        name: stable name; part of fingerprints and of the saved state.
        window: span of event time that is judged; whole minutes.
        baseline: how far the comparison reaches back before the window; its far end is aligned to the hour.
        min_documents: fewest voting documents in the window.
        min_share: least negative share in the window.
        max_p_value: largest probability of so many negatives under the baseline.
        cool_down: silence after an alert of the same key.
        allowed_lateness: how far a document may lie behind the newest one of its source and still be counted.
        severity: of its alerts.

    Raises:
        SettingsError: a duration or threshold makes no sense.
    """

    name: str
    window: timedelta
    baseline: timedelta
    min_documents: int
    min_share: float
    max_p_value: float
    cool_down: timedelta
    allowed_lateness: timedelta
    severity: Literal["info", "warning", "critical"]

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.name):
            raise SettingsError(f"rule {self.name!r}: not a name", mend="lower-case letters, digits and hyphens, like negative-share")
        if self.window < timedelta(minutes=1):
            raise SettingsError(f"alerts.window: {self.window} is shorter than a minute", mend="for example PT3H")
        if self.baseline < self.window:
            raise SettingsError(f"alerts.baseline: {self.baseline} is shorter than the window {self.window}", mend="for example P7D")
        for name, value in (("cool_down", self.cool_down), ("allowed_lateness", self.allowed_lateness)):
            if value < timedelta(0):
                raise SettingsError(f"alerts.{name}: {value} is negative", mend="for example P1D")
        if self.min_documents < 1 or not 0 < self.min_share <= 1 or not 0 < self.max_p_value < 1:
            raise SettingsError(
                f"rule {self.name}: min_documents {self.min_documents}, min_share {self.min_share}, max_p_value {self.max_p_value}",
                mend="min_documents >= 1, 0 < min_share <= 1, 0 < max_p_value < 1",
            )

    @property
    def span(self) -> Span:
        """The lengths in minutes."""
        return Span(minutes(self.window), minutes(self.baseline), minutes(self.allowed_lateness))

    @classmethod
    def from_settings(cls, settings: AlertSettings) -> Rule:
        """The rule ``negative-share`` with the thresholds of the settings."""
        return cls(
            name="negative-share",
            window=settings.window,
            baseline=settings.baseline,
            min_documents=settings.min_documents,
            min_share=settings.min_share,
            max_p_value=settings.max_p_value,
            cool_down=settings.cool_down,
            allowed_lateness=settings.allowed_lateness,
            severity=settings.severity,
        )

    def keys(self, document: ScoredDocument) -> list[Key]:
        """What `document` counts for: entities first, then tags (case does not tell tags apart); none twice."""
        found: dict[str, Key] = {}
        for entity in document.entities:
            key = Key(kind="entity", value=entity.id, name=entity.name)
            found.setdefault(str(key), key)
        for tag in document.tags:
            key = Key(kind="tag", value=tag.casefold(), name=tag)
            found.setdefault(str(key), key)
        return list(found.values())
