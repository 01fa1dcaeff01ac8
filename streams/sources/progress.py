"""What a replay tells while it goes, and at its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

__all__ = ["ReplayProgress", "ReplayReport"]


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """How far a replay is.

    Lines are those of this run; `resumed_from` is the line after which it went on (0: from the begin). Bytes are bytes of
    the file on disk, of which `bytes_before` were done by earlier runs. `waiting`: seconds until the next event is due.
    """

    lines: int
    resumed_from: int
    bytes_done: int
    bytes_total: int
    bytes_before: int
    seconds: float
    waiting: float = 0.0

    @property
    def per_second(self) -> float:
        """Lines a second in this run."""
        return self.lines / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the end at the speed so far; None while nothing is done."""
        done = self.bytes_done - self.bytes_before
        if done <= 0:
            return None
        return self.seconds * max(0, self.bytes_total - self.bytes_done) / done


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay did: lines put in this run, the line after which it went on, and the last line that is durable.

    `shift` is what ``--rebase`` added to every time.
    """

    lines: int
    resumed_from: int
    seconds: float
    shift: timedelta | None
    last_line: int

    @property
    def per_second(self) -> float:
        """Lines a second in this run."""
        return self.lines / self.seconds if self.seconds > 0 else 0.0
