"""Field mapping: foreign JSON lines become raw documents.

``text=body,published_at=date,tags=ticker,tags=outlet,source:=reddit`` reads *field of ours* = *field of the line* (dots
reach into nested objects), and ``:=`` gives a constant. Fields of ours that are not named keep their own names; fields
of the line that nothing names are left out. ``tags`` may be named several times.

A mapping never drops a line and never repairs what it cannot understand: a line that is no JSON object, or a date that
is no date, is passed on as it is, and the service dead-letters it with its reason.

Times without a zone are not accepted by the service, because guessing a zone moves events by up to a day. Whoever knows
the zone states it (``--zone Asia/Jakarta``): then a naive time is read as local time there (the first of the two where
the clock is turned back), and a date without a time as its midnight.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.documents import EARLIEST, RawDocument
from streams.errors import SettingsError

__all__ = ["FieldMapping", "instant_of", "parse_zone"]

_FIELDS = frozenset(RawDocument.model_fields)
_TIMES = ("published_at", "fetched_at")
_EXAMPLE = "for example --map text=body,published_at=date,tags=ticker,source:=reddit"


def parse_zone(name: str) -> ZoneInfo:
    """A zone of the IANA data base by its name.

    Raises:
        SettingsError: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(f"--zone {name}: no such time zone", mend="IANA names: --zone UTC, --zone Asia/Jakarta") from error


def _as_datetime(value: object, zone: ZoneInfo | None) -> datetime | None:
    """The instant that `value` tells (ISO 8601); None: it tells none, or has no zone and none is stated."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    if read.tzinfo is None:
        if zone is None:
            return None
        read = read.replace(tzinfo=zone)
    try:
        return read.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _write(document: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # lone surrogates: as escapes they reach the service, which names them as the reason
        return json.dumps(document, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """How lines become raw documents. The default changes nothing: lines pass byte for byte.

    `names` gives for a field of ours the paths of the line that fill it; `constants` values that stand in every document.
    """

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    zone: ZoneInfo | None = None

    @classmethod
    def parse(cls, text: str | None, *, zone: str | None = None) -> FieldMapping:
        """Read the form of the command line.

        Args:
            text: ``ours=theirs`` or ``ours:=constant``, separated by commas; None or empty: own names.
            zone: IANA name of the zone of times that carry none.

        Raises:
            SettingsError: not of that form, a field that raw documents do not have, or an unknown zone.
        """
        names: dict[str, tuple[str, ...]] = {}
        constants: dict[str, str] = {}
        for pair in filter(None, (part.strip() for part in (text or "").split(","))):
            ours, equals, theirs = pair.partition("=")
            constant = ours.endswith(":")
            ours = ours.removesuffix(":").strip()
            theirs = theirs.strip()
            if not equals or not theirs or not ours:
                raise SettingsError(f"--map {pair}: not of the form ours=theirs", mend=_EXAMPLE)
            if ours not in _FIELDS:
                raise SettingsError(f"--map {pair}: raw documents have no field {ours!r}", mend=f"fields: {', '.join(sorted(_FIELDS))}")
            if (ours in names and ours != "tags") or ours in constants:
                raise SettingsError(f"--map {pair}: {ours} is given twice", mend="only tags may be given several times")
            if constant:
                constants[ours] = theirs
            else:
                names[ours] = (*names.get(ours, ()), theirs)
        return cls(names, constants, parse_zone(zone) if zone else None)

    @property
    def changes_nothing(self) -> bool:
        """Whether lines pass as they are."""
        return not self.names and not self.constants and self.zone is None

    def __str__(self) -> str:
        pairs = [f"{ours}={theirs}" for ours, paths in sorted(self.names.items()) for theirs in paths]
        pairs += [f"{ours}:={value}" for ours, value in sorted(self.constants.items())]
        return ",".join(pairs) + (f" zone={self.zone.key}" if self.zone else "")

    def apply(self, line: bytes, *, shift: timedelta | None = None) -> bytes:
        """The raw message of one line.

        Args:
            line: one line without its end.
            shift: added to the times of the document that can be read; None: times stay.

        Returns:
            The line itself where nothing is asked for or the line is no JSON object.
        """
        if self.changes_nothing and shift is None:
            return line
        found = _object(line)
        if found is None:
            return line
        document = found if not self.names and not self.constants else self._mapped(found)
        for name in _TIMES:
            if name in document:
                document[name] = self._time(document[name], shift)
        return _write(document)

    def published(self, line: bytes) -> datetime | None:
        """The instant of publication of a line (UTC); None where none can be read or none that the service accepts."""
        found = _object(line)
        if found is None:
            return None
        paths = self.names.get("published_at", ("published_at",))
        return instant_of(self.constants.get("published_at", _reach(found, paths[0])), self.zone)

    def _time(self, value: Any, shift: timedelta | None) -> Any:
        read = _as_datetime(value, self.zone)
        if read is None:
            return value
        if shift is not None:
            try:
                read += shift
            except OverflowError:
                return value
        return read.isoformat().replace("+00:00", "Z")

    def _mapped(self, found: Mapping[str, Any]) -> dict[str, Any]:
        document: dict[str, Any] = {}
        for ours in RawDocument.model_fields:
            if ours in self.constants:
                document[ours] = [self.constants[ours]] if ours == "tags" else self.constants[ours]
                continue
            values = [value for path in self.names.get(ours, (ours,)) if (value := _reach(found, path)) is not None]
            if ours == "tags":
                document[ours] = _tags(values)
            elif values:
                document[ours] = _identifier(values[0]) if ours == "id" else values[0]
        return document


def instant_of(value: object, zone: ZoneInfo | None) -> datetime | None:
    """The instant (UTC) that an ISO 8601 text tells, if the service would accept it: with a zone, and not absurd."""
    read = _as_datetime(value, zone)
    if read is None or not EARLIEST <= read <= datetime.now(UTC) + timedelta(days=1):
        return None
    return read


def _reach(found: Mapping[str, Any], path: str) -> Any:
    if path in found:
        return found[path]
    value: Any = found
    for part in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _identifier(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _tags(values: list[Any]) -> list[Any]:
    tags: list[Any] = []
    for value in values:
        for tag in value if isinstance(value, list) else [value]:
            known = _identifier(tag)
            if known not in tags and known != "":
                tags.append(known)
    return tags
