"""The table ``topics.toml``: every source's topic labels as top-level names of the IPTC Media Topics."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from models.errors import ModelError

__all__ = ["TOPIC_LABELS", "TopicTable", "topic_table"]

WILDCARD = "*"


@dataclass(frozen=True)
class TopicTable:
    """``names``: the 17 IPTC top-level names. ``mapped`` and ``left_out``: source -> label -> name, or reason."""

    names: tuple[str, ...]
    mapped: Mapping[str, Mapping[str, str]]
    left_out: Mapping[str, Mapping[str, str]]

    def decide(self, source: str, label: str) -> str | None:
        """The IPTC name of ``label`` in ``source``; ``None`` where the table leaves it out.

        An exact entry goes before a wildcard.

        Raises:
            ModelError: the table says nothing about this label.
        """
        names, reasons = self.mapped.get(source, {}), self.left_out.get(source, {})
        if label in names:
            return names[label]
        if label in reasons:
            return None
        if WILDCARD in names:
            return names[WILDCARD]
        if WILDCARD in reasons:
            return None
        raise ModelError(
            f"topics.toml says nothing about label {label!r} of source {source!r}",
            mend=f"add it to [{source}.map] or, with the reason, to [{source}.left_out] in models/topics.toml",
        )


@cache
def topic_table() -> TopicTable:
    """Read the table that stands beside this module.

    Raises:
        ModelError: an entry maps to something that is not one of the 17 names.
    """
    raw = tomllib.loads(resources.files("models").joinpath("topics.toml").read_text(encoding="utf-8"))
    names = tuple(raw.pop("names"))
    for source, section in raw.items():
        for label, name in section.get("map", {}).items():
            if name not in names:
                raise ModelError(f"topics.toml: {source}/{label} maps to {name!r}", mend="use one of the 17 names at the top of the file")
    return TopicTable(
        names=names,
        mapped=MappingProxyType({source: MappingProxyType(section.get("map", {})) for source, section in raw.items()}),
        left_out=MappingProxyType({source: MappingProxyType(section.get("left_out", {})) for source, section in raw.items()}),
    )


def _labels_with_text() -> tuple[str, ...]:
    table = topic_table()
    used = {name for section in table.mapped.values() for name in section.values()}
    return tuple(name for name in table.names if name in used)


#: The names the topic head has, in the order of its output.
TOPIC_LABELS: tuple[str, ...] = _labels_with_text()
