"""How fast a replay goes: as fast as it can, or in event time, so many times faster than it happened."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from streams.errors import SettingsError

__all__ = ["Pace", "Speed"]


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds of event time that pass in one second; None: no waiting."""

    factor: float | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``60x``, ``0.5x``, ``60`` or ``max``.

        Raises:
            SettingsError: it is none of them.
        """
        if text.strip().lower() == "max":
            return cls(None)
        try:
            factor = float(text.strip().lower().removesuffix("x"))
        except ValueError:
            factor = math.nan
        if not math.isfinite(factor) or factor <= 0:
            raise SettingsError(f"--speed {text}: neither a positive factor nor max", mend="for example --speed 60x, or --speed max")
        return cls(factor)


class Pace:
    """When each event is due.

    The first event is due at once; one that happened t seconds after it is due t / factor seconds later. Events that
    go back in time, and lines without a time, are due with the one before.
    """

    def __init__(self, speed: Speed, begun: float) -> None:
        self._factor = speed.factor
        self._begun = begun
        self._first: datetime | None = None

    def due(self, event: datetime | None) -> float:
        """The moment on the clock of `begun` (seconds) at which an event is due."""
        if self._factor is None or event is None:
            return self._begun
        if self._first is None:
            self._first = event
        return self._begun + (event - self._first) / timedelta(seconds=self._factor)
