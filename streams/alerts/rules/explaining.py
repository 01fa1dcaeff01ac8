"""Why a document matches a condition, or does not: every part of it with its own answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streams.alerts.rules.condition import FIELDS, Condition
from streams.alerts.rules.terms import TermFinder, fold_term
from streams.alerts.sighting import Sighting

__all__ = ["Finding", "explain"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of a condition.

    Attributes:
        part: the field, or ``all``, ``any``, ``not``; ``watch`` at the top.
        matched: whether the document fulfils it; of ``not``: whether none of its parts does.
        detail: what was wanted and what the document has.
        parts: what it consists of.
    """

    part: str
    matched: bool
    detail: str = ""
    parts: tuple[Finding, ...] = ()

    def lines(self, depth: int = 0) -> Iterator[tuple[int, Finding]]:
        """This part and all below it, each with its depth."""
        yield depth, self
        for part in self.parts:
            yield from part.lines(depth + 1)


def explain(condition: Condition, sighting: Sighting, part: str = "watch") -> Finding:
    """Hold `sighting` against every part of `condition`, also where the answer is already known."""
    parts = [_field(name, getattr(condition, name), sighting) for name in FIELDS if getattr(condition, name) is not None]
    if condition.all:
        children = tuple(explain(child, sighting, "condition") for child in condition.all)
        parts.append(Finding("all", all(child.matched for child in children), parts=children))
    if condition.any:
        children = tuple(explain(child, sighting, "condition") for child in condition.any)
        parts.append(Finding("any", any(child.matched for child in children), parts=children))
    if condition.none:
        children = tuple(explain(child, sighting, "condition") for child in condition.none)
        parts.append(Finding("not", not any(child.matched for child in children), parts=children))
    detail = "" if parts else "everything matches"
    return Finding(part, all(found.matched for found in parts), detail, tuple(parts))


def _field(name: str, wanted: tuple[str, ...], sighting: Sighting) -> Finding:
    if name == "terms":
        numbers = TermFinder(fold_term(term) for term in wanted).find(sighting.title, sighting.text)
        found = [wanted[number] for number in sorted(numbers)]
        return Finding(name, bool(found), f"found {_list(found)}" if found else f"none of {_list(wanted)}")
    if name in ("entity", "tag"):
        has = sighting.entities if name == "entity" else sighting.tags
        asked = tuple(value.casefold() for value in wanted) if name == "tag" else wanted
        found = [value for value in has if value in asked]
    else:
        value = str(getattr(sighting, name))
        has, found = (value,) if value else (), [value] if value in wanted else []
    if found:
        return Finding(name, True, f"is {_list(found)}")
    return Finding(name, False, f"wants {_list(wanted)}, the document has {_list(has) or 'none'}")


def _list(values: tuple[str, ...] | list[str], most: int = 6) -> str:
    shown = ", ".join(values[:most])
    return f"{shown}, … ({len(values)} in all)" if len(values) > most else shown
