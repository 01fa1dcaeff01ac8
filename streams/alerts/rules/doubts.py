"""What is allowed in a rule, but will hardly be meant: values that no document of this installation has."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from models.topics import TOPIC_LABELS
from streams.alerts.rules.condition import Condition
from streams.alerts.rules.model import Rule
from streams.enrich.entities import Gazetteer

__all__ = ["doubts", "known_entities"]


def known_entities(gazetteer: Path) -> frozenset[str]:
    """The ids of a gazetteer.

    Raises:
        BellwetherError: it cannot be read.
    """
    Gazetteer.load(gazetteer)
    return frozenset(json.loads(line)["id"] for line in gazetteer.read_text(encoding="utf-8-sig").splitlines() if line.strip())


def doubts(rules: Sequence[Rule], entities: frozenset[str]) -> Iterator[str]:
    """One line for every doubtful thing.

    Args:
        rules: all rules of a file.
        entities: ids that the gazetteer has.
    """
    for rule in rules:
        for field, known in (("entity", entities), ("topic", frozenset(TOPIC_LABELS))):
            for value in sorted(_values(rule.watch, field) - known):
                close = difflib.get_close_matches(value, sorted(known), n=1)
                place = "gazetteer (enrich.entities)" if field == "entity" else "model"
                yield f"rule {rule.name}: the {place} knows no {field} {value!r}" + (f"; did you mean {close[0]!r}?" if close else "")


def _values(condition: Condition, field: str) -> set[str]:
    children = (*condition.all, *condition.any, *condition.none)
    return set(getattr(condition, field) or ()).union(*(_values(child, field) for child in children))
