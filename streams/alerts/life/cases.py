"""A case: what the desk remembers of one alert, and how it is written down."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.alerts.life.inhibition import NO_SUSPICION, Suspect, Suspicion, entity_of
from streams.documents import Alert, Key

__all__ = ["Case", "by_rule", "pack", "slim", "unpack"]

_COMPRESSION = 1
_RULE = "rule "


def by_rule(name: str) -> str:
    """What `Case.held_by` is where a rule speaks of the same matter."""
    return _RULE + name


def pack(alert: Alert) -> bytes:
    """`alert` as it is kept: JSON, deflated (zlib)."""
    return zlib.compress(alert.model_dump_json().encode(), _COMPRESSION)


def unpack(packed: bytes) -> Alert:
    """The alert of :func:`pack`.

    Raises:
        ValueError, zlib.error: it is none.
    """
    return Alert.model_validate_json(zlib.decompress(packed))


def slim(alert: Alert) -> Alert:
    """`alert` with what a digest, an escalation or a decision needs of it, once it has been told."""
    return alert.model_copy(update={"evidence": alert.evidence[:5], "series": None, "terms": alert.terms[:5]})


@dataclass(slots=True)
class Case:
    """One alert on the desk. Minutes are event time since 1970-01-01 UTC.

    Attributes:
        id, fingerprint, rule, key, severity: those of the alert.
        weight: negative documents of the window with which it fired: of two that explain each other the heavier speaks.
        fired, seen: end of the window with which it fired, and of the latest one that the desk knows.
        open: the episode lasts.
        ended, retracted: when it was over, and whether late documents took it back.
        told: its firing stands with the receivers, by a notice of its own or within that of `digest`.
        revision: number of the next notice.
        pending: reason of the notice that is still to be sent; empty: none.
        due: minute from which it may be sent.
        held_by: entity whose alert explains this one, or ``rule NAME`` that speaks of the same matter; empty: none.
        suspicion: who could.
        escalate_at: minute at which it escalates if nobody acknowledges it; None: never (again).
        escalated: it has; from then on its further channels hear everything.
        blocked: why it was not sent when it was due, in words; for the log.
        noted: hour in which each outcome was last written into the decision log.
        packed: the alert as it was composed last (:func:`pack`).
        wake: minute at which to look at it again; not written down.
    """

    id: str
    fingerprint: str
    rule: str
    key: Key
    severity: str
    weight: float
    packed: bytes
    fired: int = 0
    seen: int = 0
    open: bool = True
    ended: int = 0
    retracted: bool = False
    told: bool = False
    digest: str = ""
    revision: int = 0
    pending: str = ""
    due: int = 0
    held_by: str = ""
    suspicion: Suspicion = NO_SUSPICION
    escalate_at: int | None = None
    escalated: bool = False
    blocked: str = ""
    noted: dict[str, int] = field(default_factory=dict)
    wake: int | None = None

    @property
    def alert(self) -> Alert:
        """The alert as it was composed last."""
        return unpack(self.packed)

    @property
    def entity(self) -> str | None:
        """The entity that it is about, if it is about one."""
        return entity_of(self.key)

    @property
    def held_by_rule(self) -> bool:
        """Whether a rule of the same matter holds it, and no entity."""
        return self.held_by.startswith(_RULE)

    def header(self) -> bytes:
        """Everything but the alert, as JSON."""
        return json.dumps(
            {
                "v": 1,
                "fingerprint": self.fingerprint,
                "rule": self.rule,
                "key": [self.key.kind, self.key.value, self.key.name],
                "severity": self.severity,
                "weight": self.weight,
                "fired": self.fired,
                "seen": self.seen,
                "open": self.open,
                "ended": self.ended,
                "retracted": self.retracted,
                "told": self.told,
                "digest": self.digest,
                "revision": self.revision,
                "pending": self.pending,
                "due": self.due,
                "held_by": self.held_by,
                "suspects": [list(suspect) for suspect in self.suspicion.suspects],
                "together": list(self.suspicion.together),
                "escalate_at": self.escalate_at,
                "escalated": self.escalated,
                "blocked": self.blocked,
                "noted": self.noted,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()

    @classmethod
    def of_header(cls, id: str, header: Mapping[str, Any], packed: bytes) -> Case:
        """The case of a :meth:`header` that has been read, and its alert."""
        fields = {name: value for name, value in header.items() if name not in {"v", "key", "suspects", "together"}}
        kind, value, name = header["key"]
        suspects = tuple(Suspect(*suspect) for suspect in header["suspects"])
        return cls(
            id=id,
            key=Key(kind=kind, value=value, name=name),
            suspicion=Suspicion(suspects, tuple(header["together"])),
            packed=packed,
            **fields,
        )
