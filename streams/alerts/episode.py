"""What the engine remembers of a key beside its votes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from streams.alerts.windows import KeyWindow
from streams.documents import Key

__all__ = ["Episode", "KeyState", "fingerprint"]

_NEAR = 0.25
"""An episode ends when the share has come back to within this part of the rise above what was expected."""


def fingerprint(rule: str, key: Key) -> str:
    """Stable name of a rule and key: 64 bits of SHA-256, hexadecimal."""
    return hashlib.sha256(f"{rule}|{key}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Episode:
    """A turn of opinion, from the minute in which the rule first held until the share is back near its baseline.

    Attributes:
        start: minute in which the rule fired.
        share, expected: negative share of that window, and what was expected of it.
        firing: not resolved yet.
    """

    start: int
    share: float
    expected: float
    firing: bool = True

    def alert_id(self, rule: str, key: Key) -> str:
        """Id of the episode's alert: the same for every delivery, and after a restart."""
        return hashlib.sha256(f"{fingerprint(rule, key)}|{self.start}".encode()).hexdigest()[:32]

    def is_over(self, share: float) -> bool:
        """Whether `share` is back near the baseline that held when the episode began."""
        return share <= self.expected + _NEAR * (self.share - self.expected)

    def covers(self, minute: int, cool_down: int) -> bool:
        """Whether `minute` belongs to this episode or to the silence that it asks for."""
        return self.firing or abs(minute - self.start) < cool_down


@dataclass(slots=True)
class KeyState:
    """A key under watch. `noted`: the hour in which each kind of decision was last written down."""

    key: Key
    window: KeyWindow
    episode: Episode | None = None
    noted: dict[str, int] = field(default_factory=dict)
