"""One crisis, one alert: which other key explains a window.

A bank in trouble also turns the tag ``banking`` and whoever is named beside the bank. Such a window is judged again
without the documents that name the cause; if nothing unusual is left, its alert is held and the decision names the
cause. A move of the whole sector leaves enough documents that name none of them, and is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from streams.alerts.windows import Counts, Vote
from streams.documents import Key

__all__ = ["Explanation", "causes", "remainder"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The entity behind most of a window's negative votes, its alert if it has one, and the votes that are left without it."""

    cause: Key
    alert_id: str | None
    negative: int
    rest: Counts


def causes(key: Key, votes: Sequence[Vote], speaking: Collection[str]) -> list[tuple[str, int]]:
    """Entities that may explain a window of `key`, with their negative votes in it, the strongest first.

    Args:
        votes: voting documents of the window.
        speaking: ids of entities that have an alert of their own.

    For a tag these are the entities with an alert, and any entity that is named in half of the negative votes: whether
    that is news is for the entity's own rule to say. For an entity only others with an alert that are named in half.
    """
    named = Counter(entity for vote in votes if vote.negative for entity in set(vote.entities))
    if key.kind == "entity":
        named.pop(key.value, None)
    half = sum(vote.negative for vote in votes) / 2
    found = [
        (entity, count)
        for entity, count in named.items()
        if (entity in speaking and (key.kind == "tag" or count >= half)) or (key.kind == "tag" and count >= half)
    ]
    return sorted(found, key=lambda item: (-item[1], item[0]))


def remainder(votes: Sequence[Vote], entities: Collection[str]) -> Counts:
    """What is left of `votes` without those that name one of `entities`."""
    rest = [vote for vote in votes if not any(entity in entities for entity in vote.entities)]
    return Counts(len(rest), sum(vote.negative for vote in rest))
