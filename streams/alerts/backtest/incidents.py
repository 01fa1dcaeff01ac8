"""Labelled incidents: what should have been noticed, and when.

Files are JSON lines, a JSON list, or a CSV with the fields ``key``, ``start``, ``end`` and, where known, ``rule`` and ``kind``; or
the form of the Numenta Anomaly Benchmark, ``{"key": [["start", "end"], …]}``. Times are ISO 8601 with a zone (or with ``--zone``).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from streams.documents import Key
from streams.errors import BellwetherError

__all__ = ["Incident", "read_incidents"]

_MEND = '{"key": "entity:acme", "start": "2026-03-02T10:00:00Z", "end": "2026-03-03T10:00:00Z"}'


@dataclass(frozen=True, slots=True)
class Incident:
    """Something happened to `key` between `start` and `end` (minutes since 1970-01-01 UTC, the end excluded).

    `key` is written ``kind:value`` or only ``value``; `rule` is empty where any rule may notice it.
    """

    key: str
    start: int
    end: int
    rule: str = ""
    kind: str = ""

    def concerns(self, rule: str, key: Key) -> bool:
        """Whether an alert of `rule` about `key` would be about this incident: the same key, or one that it is a part of."""
        if self.rule and self.rule != rule:
            return False
        return self.key in {str(key), key.value} or self.key in key.value.split("|")


def read_incidents(path: Path, *, zone: ZoneInfo | None = None) -> list[Incident]:
    """Read incidents, ordered by their start.

    Args:
        path: the file.
        zone: zone of times that carry none; None: such times are refused.

    Raises:
        BellwetherError: naming the entry that cannot be understood.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BellwetherError(f"{path}: cannot be read: {error}", mend=_MEND) from error
    found = []
    for number, row in enumerate(_rows(path, text), start=1):
        try:
            found.append(_incident(row, zone))
        except (KeyError, TypeError, ValueError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise BellwetherError(f"{path}: incident {number}: {what}", mend=_MEND) from error
    return sorted(found, key=lambda item: (item.start, item.key))


def _rows(path: Path, text: str) -> Iterable[Mapping[str, Any]]:
    if path.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(text)))
    try:
        whole = json.loads(text)
    except ValueError:
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise BellwetherError(f"{path}: is neither JSON nor JSON lines: {error}", mend=_MEND) from error
    if isinstance(whole, list):
        return whole
    if isinstance(whole, dict) and "key" not in whole:
        try:
            return [{"key": key, "start": start, "end": end} for key, spans in whole.items() for start, end in spans]
        except (TypeError, ValueError) as error:
            raise BellwetherError(
                f"{path}: is not a list of spans for each key", mend='{"acme": [["2026-03-02T10:00:00Z", "…"]]}'
            ) from error
    return [whole]


def _incident(row: Mapping[str, Any], zone: ZoneInfo | None) -> Incident:
    start, end = _minute(row["start"], zone), _minute(row["end"], zone)
    if end <= start:
        raise ValueError("it ends before it begins")
    if not row["key"]:
        raise ValueError("key is empty")
    return Incident(str(row["key"]), start, end, str(row.get("rule") or ""), str(row.get("kind") or ""))


def _minute(text: str, zone: ZoneInfo | None) -> int:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        if zone is None:
            raise ValueError(f"{text!r} has no zone; say which it is: --zone UTC")
        at = at.replace(tzinfo=zone)
    return int(at.timestamp() // 60)
