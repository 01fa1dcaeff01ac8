"""What passes between the parts of the engine: a judged window, its documents, and the turn that it led to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from streams.alerts.detectors.contract import Assessment
from streams.alerts.rules.model import Rule
from streams.alerts.tally import View
from streams.documents import Key

__all__ = ["Episode", "Judgement", "Turn", "TurnKind", "Witness"]


class Witness(NamedTuple):
    """A document of the judged window.

    `minute` is its event time (minutes since 1970-01-01 UTC). `weight` is what it counted with: 0 for a near-copy of one
    that counted, or for what is beyond an author's cap; `capped` tells the second from the first. `author` is a hash, 0
    where unknown. `title` and `url` are empty and `entities` may be empty for documents that were not kept as evidence:
    only the most negative ones of every hour are.
    """

    id: str
    original: str
    minute: int
    scored: bool
    negative: bool
    score: float
    source: str
    author: int
    language: str
    topic: str
    weight: float
    capped: bool
    entities: tuple[str, ...] = ()
    title: str = ""
    url: str = ""

    @property
    def copy(self) -> bool:
        """A near-copy of another document."""
        return self.original != self.id


@dataclass(frozen=True, slots=True)
class Judgement:
    """One window of one key: what was seen, what the detector made of it, and the documents in it.

    `witnesses` are all documents of the window that are still known one by one, ascending by (minute, id).
    """

    rule: Rule
    key: Key
    view: View
    assessment: Assessment
    witnesses: tuple[Witness, ...]

    @property
    def end(self) -> int:
        """Minute after the window's last one."""
        return self.view.end


@dataclass(frozen=True, slots=True)
class Episode:
    """A turn of opinion: from the window at which the rule first held (for as long as it asks) until it is over.

    Attributes:
        id: stable name of the episode; 32 hexadecimal digits. Never changes, even where late documents move its start.
        start: end minute of the window at which the condition began to hold (event time).
        fired: end minute of the window at which it was told: `start` and the rule's ``for``.
        end: end minute of the window at which it was over; None while it lasts.
        value, expected: signal and expectation when it fired.
        peak: the most extreme value since.
        revision: notices that were composed of it so far.
    """

    id: str
    start: int
    fired: int
    end: int | None
    value: float
    expected: float
    peak: float
    revision: int = 0


class TurnKind(StrEnum):
    """What happened to an episode."""

    FIRED = "fired"
    AMENDED = "amended"
    RECOVERED = "recovered"
    SILENT = "silent"
    RETRACTED = "retracted"

    @property
    def over(self) -> bool:
        """Whether the episode is over with it."""
        return self in {TurnKind.RECOVERED, TurnKind.SILENT, TurnKind.RETRACTED}


@dataclass(frozen=True, slots=True)
class Turn:
    """One step in the life of an episode, as the evaluation of one key found it; nobody has been told yet."""

    kind: TurnKind
    episode: Episode
    judgement: Judgement
