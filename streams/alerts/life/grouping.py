"""Groups: alerts that fire together become one notice, a digest.

A circle is a set of channels: the alerts of all rules that speak to it may be told together. The digest stands for its
members with the receivers: it is amended when more join, and resolved when the last of them is over. The members are
recorded one by one all the same: their alerts leave the desk with the reason :data:`RECORDED`, which the index of alerts
takes and no receiver gets.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from streams.alerts.life.cases import Case, unpack
from streams.alerts.life.decisions import instant
from streams.alerts.life.fingerprint import alert_id, group_fingerprint
from streams.documents import Alert, AlertStatus, Key, Member, Observation

__all__ = ["LISTED", "RECORDED", "Digest", "circle_of", "compose_digest", "is_recorded_only"]

RECORDED = "grouped"
"""Reason of an alert that another one's notice stands for: for the index, not for receivers."""
LISTED = 100
"""Members that a digest lists, the heaviest first; of the others it tells the number, and the index has them."""
_NAMED = 6
_SOURCES = 50
_EVIDENCE = 20
_SEVERITIES = ("info", "warning", "critical")


def is_recorded_only(alert: Alert) -> bool:
    """Whether `alert` goes to the index and to no receiver."""
    return alert.reason == RECORDED


def circle_of(channels: Sequence[str]) -> str:
    """Name of the circle of receivers that `channels` reach."""
    return "|".join(sorted(set(channels)))


@dataclass(slots=True)
class Digest:
    """One notice for several alerts. Minutes are event time since 1970-01-01 UTC.

    Attributes:
        slot: tells digests of one circle apart that are open at the same time; with the circle it makes the fingerprint.
        start: minute in which it began.
        joined: minute in which the last member joined.
        said: minute of its last notice.
        revision, pending, due, escalate_at, escalated, wake: as of a case.
        members: ids of its members that are still on the desk; not written down, the cases know their digest.
        open_members: how many of them last; not written down.
        count: members that ever joined.
        rules: their rules.
        packed: its last notice (`streams.alerts.life.cases.pack`); empty before the first.
    """

    id: str
    fingerprint: str
    channels: tuple[str, ...]
    slot: int
    start: int
    joined: int
    said: int = 0
    revision: int = 0
    pending: str = ""
    due: int = 0
    count: int = 0
    rules: tuple[str, ...] = ()
    escalate_at: int | None = None
    escalated: bool = False
    members: set[str] = field(default_factory=set)
    open_members: int = 0
    packed: bytes = b""
    wake: int | None = None

    @property
    def circle(self) -> str:
        """The circle that it speaks to."""
        return circle_of(self.channels)

    @classmethod
    def begin(cls, channels: tuple[str, ...], slot: int, now: int, serial: int) -> Digest:
        """A new one, without members; `serial` tells it from all that were before."""
        mark = group_fingerprint(frozenset(channels), f"digest-{slot}")
        return cls(alert_id(f"{mark}|{serial}", now), mark, channels, slot, now, joined=now)

    def header(self) -> bytes:
        """Everything that is written down but its last notice, as JSON."""
        names = ("fingerprint", "channels", "slot", "start", "joined", "said", "revision", "pending", "due", "count", "rules")
        fields = {name: getattr(self, name) for name in (*names, "escalate_at", "escalated")}
        return json.dumps({"v": 1, **fields}, separators=(",", ":")).encode()

    @classmethod
    def of_header(cls, id: str, header: Mapping[str, Any], packed: bytes) -> Digest:
        """The digest of a :meth:`header` that has been read, and its last notice."""
        fields = {name: value for name, value in header.items() if name != "v"}
        return cls(id=id, packed=packed, **{**fields, "channels": tuple(fields["channels"]), "rules": tuple(fields["rules"])})


def compose_digest(digest: Digest, members: Sequence[Case], status: AlertStatus, reason: str, now: int) -> Alert:
    """The notice of `digest`.

    Its numbers are sums over the members that it lists; a document that names two of them counts twice.

    Args:
        members: its members that are still on the desk; where none is, its last notice is repeated.
    """
    ends_at = instant(now) if status is AlertStatus.RESOLVED else None
    if not members:
        last = unpack(digest.packed)
        return last.model_copy(update={"status": status, "ends_at": ends_at, "revision": digest.revision, "reason": reason})
    shown = sorted(members, key=lambda case: (-case.weight, case.id))[:LISTED]
    alerts = [case.alert for case in shown]
    return Alert(
        id=digest.id,
        fingerprint=digest.fingerprint,
        rule="+".join(digest.rules),
        status=status,
        severity=max((alert.severity for alert in alerts), key=_SEVERITIES.index),
        key=Key(kind="all", value="digest", name=f"{digest.count} keys"),
        starts_at=instant(digest.start),
        observed=_sum([alert.observed for alert in alerts]),
        baseline=None,
        p_value=None,
        evidence=tuple({item.id: item for place in range(3) for alert in alerts for item in alert.evidence[place : place + 1]}.values())[
            :_EVIDENCE
        ],
        languages=_merged([alert.languages for alert in alerts]),
        sources=dict(list(_merged([alert.sources for alert in alerts]).items())[:_SOURCES]),
        summary=_summary(digest, alerts, status),
        ends_at=ends_at,
        revision=digest.revision,
        reason=reason,
        channels=digest.channels,
        members=tuple(
            Member(
                id=alert.id,
                fingerprint=alert.fingerprint,
                rule=alert.rule,
                key=alert.key,
                severity=alert.severity,
                summary=alert.summary,
            )
            for alert in alerts
        ),
    )


def _sum(observed: Sequence[Observation]) -> Observation:
    documents, negative = sum(each.documents for each in observed), sum(each.negative for each in observed)
    start: datetime = min(each.start for each in observed)
    end: datetime = max(each.end for each in observed)
    return Observation(start=start, end=end, documents=documents, negative=negative, share=negative / documents if documents else 0.0)


def _merged(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def _summary(digest: Digest, alerts: Sequence[Alert], status: AlertStatus) -> str:
    names = list(dict.fromkeys(alert.key.name for alert in alerts))
    named = ", ".join(names[:_NAMED]) + (", …" if digest.count > min(_NAMED, len(names)) else "")
    rules = f"rule{'' if len(digest.rules) == 1 else 's'} {', '.join(digest.rules)}"
    if status is AlertStatus.RESOLVED:
        return f"It is over on all {digest.count} keys ({rules}): {named}; it began on {instant(digest.start):%Y-%m-%d %H:%M} UTC."
    rest = digest.count - len(alerts)
    more = f" The {rest} others are in the index of alerts." if rest > 0 else ""
    return f"{digest.count} keys turned together ({rules}): {named}. The strongest: {alerts[0].summary}{more}"
