"""The table ``events.toml``: every source's labels as finance event types, where they say something about them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from models.errors import ModelError

__all__ = ["EVENT_LABELS", "EventTable", "event_table", "event_target"]

WILDCARD = "*"
OTHER = "other"
FINANCE = "finance"


@dataclass(frozen=True)
class EventTable:
    """``names``: the types. ``mapped``: source -> label -> the types it may be. ``left_out``: source -> label -> reason.

    ``untaught``: types that no label stands for, which a head therefore does not have.
    """

    names: tuple[str, ...]
    mapped: Mapping[str, Mapping[str, tuple[str, ...]]]
    left_out: Mapping[str, Mapping[str, str]]
    untaught: tuple[str, ...]

    def decide(self, source: str, label: str) -> tuple[str, ...]:
        """The types that ``label`` of ``source`` may be; empty where the table leaves the label or the source out.

        An exact entry goes before a wildcard.

        Raises:
            ModelError: the table has the source and says nothing about this label.
        """
        if source not in self.mapped:
            return ()
        names, reasons = self.mapped[source], self.left_out[source]
        if label in names:
            return names[label]
        if label in reasons:
            return ()
        if WILDCARD in names:
            return names[WILDCARD]
        if WILDCARD in reasons:
            return ()
        raise ModelError(
            f"events.toml says nothing about label {label!r} of source {source!r}",
            mend=f"add it to [{source}.map] or, with the reason, to [{source}.left_out] in models/events.toml",
        )


def _types(value: str | list[str], names: tuple[str, ...], place: str) -> tuple[str, ...]:
    if value == FINANCE:
        return tuple(name for name in names if name != OTHER)
    types = (value,) if isinstance(value, str) else tuple(value)
    for name in types:
        if name not in names:
            raise ModelError(f"events.toml: {place} maps to {name!r}", mend="use the names at the top of the file, or 'finance'")
    return types


@cache
def event_table() -> EventTable:
    """Read the table that stands beside this module.

    Raises:
        ModelError: an entry maps to something that is not one of the names.
    """
    raw = tomllib.loads(resources.files("models").joinpath("events.toml").read_text(encoding="utf-8"))
    names = tuple(raw.pop("names"))
    mapped = {
        source: {label: _types(value, names, f"{source}/{label}") for label, value in section["map"].items()}
        for source, section in raw.items()
    }
    # A type that no row can teach has no output: "finance" then means the types that are taught.
    taught = {types[0] for section in mapped.values() for types in section.values() if len(types) == 1}
    return EventTable(
        names=tuple(name for name in names if name in taught),
        mapped=MappingProxyType(
            {
                source: MappingProxyType({label: tuple(name for name in types if name in taught) for label, types in section.items()})
                for source, section in mapped.items()
            }
        ),
        left_out=MappingProxyType({source: MappingProxyType(section.get("left_out", {})) for source, section in raw.items()}),
        untaught=tuple(name for name in names if name not in taught),
    )


#: The types the event head has, in the order of its output.
EVENT_LABELS: tuple[str, ...] = event_table().names


def event_target(source: str, label: str) -> tuple[int, ...]:
    """Indices of the types that ``label`` of ``source`` may be; empty where it teaches nothing."""
    return tuple(EVENT_LABELS.index(name) for name in event_table().decide(source, label))
