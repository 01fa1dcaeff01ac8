"""Prometheus Alertmanager's two JSON forms of an alert.

* what Alertmanager's own webhook receivers are sent (version 4, https://prometheus.io/docs/alerting/latest/configuration/,
  "webhook_config"): tools that take it take our alerts;
* what Alertmanager itself takes (``POST /api/v2/alerts`` of its OpenAPI specification).

Labels name the alert (Alertmanager knows it again by them), annotations tell about it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from streams.alerts.evidence.words_told import telling_words
from streams.documents import Alert, AlertStatus, Key, Member

__all__ = ["labels", "posted", "webhook_body"]

_NEVER = "0001-01-01T00:00:00Z"
"""Go's zero time: how Alertmanager says that an alert has not ended."""

_SEVERITIES = ("info", "warning", "critical")
_HEADLINES = 5
_VERSION = "4"


def labels(rule: str, severity: str, key: Key) -> dict[str, str]:
    """``alertname`` (the rule), ``severity``, and a label for each dimension of the key."""
    found = {"alertname": rule, "severity": severity}
    kinds, values = key.kind.split("+"), key.value.split("|")
    if len(kinds) != len(values):  # a value that holds a bar: told whole
        return {**found, "key": key.value}
    return {**found, **{kind: value for kind, value in zip(kinds, values, strict=True) if kind != "all" and value}}


def webhook_body(alert: Alert, receiver: str, external_url: str = "") -> str:
    """The message of version 4. A digest has an alert for each of its members, after its own.

    Args:
        alert: what happened.
        receiver: name of the channel.
        external_url: where a person finds Bellwether; may be empty.
    """
    told = [
        {
            "status": alert.status.value,
            "labels": found,
            "annotations": notes,
            "startsAt": _instant(alert.starts_at),
            "endsAt": _instant(_end(alert)) if alert.status is AlertStatus.RESOLVED else _NEVER,
            "generatorURL": _page(external_url, id),
            "fingerprint": fingerprint,
        }
        for found, notes, id, fingerprint in _all(alert)
    ]
    grouped = {"alertname": alert.rule}
    payload = {
        "version": _VERSION,
        "groupKey": f'{{}}:{{alertname="{alert.rule}"}}',
        "truncatedAlerts": 0,
        "status": alert.status.value,
        "receiver": receiver,
        "groupLabels": grouped,
        "commonLabels": _common([found for found, *_ in _all(alert)]),
        "commonAnnotations": _common([notes for _, notes, *_ in _all(alert)]),
        "externalURL": external_url,
        "alerts": told,
    }
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def posted(alert: Alert, now: datetime, expires: timedelta, external_url: str = "") -> list[dict[str, Any]]:
    """What Alertmanager is to be told.

    Alertmanager takes an alert without an end as over after five minutes without news: so a firing one ends `expires` after
    `now`, unless something is said before. The severity is one of its labels: with every notice but the first the same
    alert of the other severities is ended.

    Args:
        alert: what happened.
        now: UTC.
        expires: how long silence is to mean that the alert still fires.
        external_url: where a person finds Bellwether; may be empty.
    """
    over = alert.status is AlertStatus.RESOLVED
    ended = min(_end(alert), now)
    found: list[dict[str, Any]] = []
    for named, notes, id, _ in _all(alert):
        for severity in _SEVERITIES:
            own = severity == named["severity"]
            if not own and not over and alert.revision == 0:
                continue
            entry: dict[str, Any] = {
                "labels": {**named, "severity": severity},
                "annotations": notes,
                "startsAt": _instant(min(alert.starts_at, ended)),
                "endsAt": _instant(now + expires) if own and not over else _instant(ended),
            }
            if external_url:
                entry["generatorURL"] = _page(external_url, id)
            found.append(entry)
    return found


def _all(alert: Alert) -> list[tuple[dict[str, str], dict[str, str], str, str]]:
    """Labels, annotations, id and fingerprint of the alert and of those that it stands for."""
    own = (labels(alert.rule, alert.severity, alert.key), _annotations(alert), alert.id, alert.fingerprint)
    return [own, *(_member(member) for member in alert.members)]


def _member(member: Member) -> tuple[dict[str, str], dict[str, str], str, str]:
    notes = {"summary": member.summary, "key_name": member.key.name}
    return labels(member.rule, member.severity, member.key), notes, member.id, member.fingerprint


def _annotations(alert: Alert) -> dict[str, str]:
    observed, measure = alert.observed, alert.measure
    notes = {
        "summary": alert.summary,
        "key_name": alert.key.name,
        "reason": alert.reason,
        "window": f"{_instant(observed.start)}/{_instant(observed.end)}",
        "documents": str(observed.documents),
        "negative": str(observed.negative),
        "p_value": "" if alert.p_value is None else f"{alert.p_value:.3g}",
        "sources": ", ".join(alert.sources),
        "languages": ", ".join(alert.languages),
        "flags": ", ".join(alert.flags),
        "headlines": "\n".join(f"[{item.language}] {item.title} {item.url or ''}".rstrip() for item in alert.evidence[:_HEADLINES]),
        "words": telling_words(alert)[1],
    }
    if measure is not None:
        notes |= {"description": measure.explanation, "value": f"{measure.value:g}", "expected": f"{measure.expected:g}"}
    return {name: value for name, value in notes.items() if value}


def _end(alert: Alert) -> datetime:
    return max(alert.ends_at or alert.observed.end, alert.starts_at)


def _common(mappings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *others = mappings
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}


def _page(external_url: str, id: str) -> str:
    return f"{external_url}/alerts/{id}" if external_url else ""


def _instant(moment: datetime) -> str:
    """RFC 3339, UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
