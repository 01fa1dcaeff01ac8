"""What the demo found, as one object: for the summary on the terminal and for ``--json``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Addresses", "AlertSummary", "Phase", "Snapshot", "Summary"]


class Phase(StrEnum):
    """What a run is doing, in the words that the user reads."""

    STARTING = "starting"
    STREAMING = "streaming the newswire"
    DONE = "done, Ctrl-C stops"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class AlertSummary:
    """An alert in short, with the ids of the documents that caused it. Times are event times, ISO 8601, UTC.

    `status` is what it is now; what is resolved has fired before. `words`: the strongest of the document at place
    `words_of` of the evidence, with their effects on its score; empty where none are known.
    """

    id: str
    status: str
    key: str
    name: str
    severity: str
    starts_at: str
    summary: str
    p_value: float | None
    languages: dict[str, int]
    evidence: list[str]
    headlines: list[str]
    resolved_at: str | None = None
    words: str = ""
    words_of: int = 0


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the user can look while the stack is up; `program` is how this shell runs ``bellwether``."""

    search: str
    index: str
    kafka: str
    data: str
    program: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Totals of a run. `balanced` is the promise: produced = indexed + duplicates + dead-lettered + filtered."""

    documents_in: int
    indexed: int
    duplicates: int
    dead_lettered: int
    filtered: int
    near_copies: int
    in_index: int
    languages: dict[str, int]
    sentiments: dict[str, int]
    dead_letter_reasons: dict[str, int]
    alerts: list[AlertSummary]
    webhooks_verified: int
    scorer: str
    startup_seconds: float
    seconds: float
    documents_per_second: float

    @property
    def balanced(self) -> bool:
        """Every document that came in is accounted for, and the index holds what was counted as indexed."""
        ended = self.indexed + self.duplicates + self.dead_lettered + self.filtered
        return self.documents_in == ended and self.in_index == self.indexed

    def to_json(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return {**asdict(self), "balanced": self.balanced}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a run at one moment, for the live view."""

    phase: str
    total: int
    produced: int = 0
    pending: int = 0
    indexed: int = 0
    duplicates: int = 0
    dead: int = 0
    filtered: int = 0
    seconds: float = 0.0
    rate: float = 0.0
    children: list[tuple[str, str, str]] = field(default_factory=list)
    latest: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[AlertSummary] = field(default_factory=list)
    address: str = ""
