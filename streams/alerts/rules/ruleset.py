"""Rules that have been read, and where from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.alerts.rules.model import Rule

__all__ = ["RuleSet"]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of a service.

    Attributes:
        rules: in the order of the file; names differ. Those that are not `enabled` are among them.
        channels: as written, by name; may hold secrets, and are therefore not shown.
        source: the file, for people.
        digest: SHA-256 of what was read, hexadecimal: the same rules, the same digest.
    """

    rules: tuple[Rule, ...]
    channels: Mapping[str, dict[str, Any]] = field(repr=False)
    source: str
    digest: str
