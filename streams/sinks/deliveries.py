"""The log of deliveries in the index: one document an attempt, one index a month, deleted when it is old."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import NotFoundError

from streams.delivery.attempt import Attempt
from streams.documents import Alert
from streams.sinks.bulk import NewRecord, create
from streams.sinks.connection import connect
from streams.sinks.mapping import Names, Template
from streams.sinks.reading import FAULTS, IndexReader
from streams.sinks.record import alert_from

__all__ = ["DeliveryIndex", "deliveries_template"]

_DATE: dict[str, Any] = {"type": "date"}
_KEYWORD: dict[str, Any] = {"type": "keyword", "ignore_above": 2048}
_MAPPING: dict[str, Any] = {
    "dynamic": False,
    "properties": {
        "@timestamp": _DATE,
        "at": _DATE,
        "message": _KEYWORD,
        "channel": _KEYWORD,
        "target": _KEYWORD,
        "alert": _KEYWORD,
        "fingerprint": _KEYWORD,
        "rule": _KEYWORD,
        "status": _KEYWORD,
        "severity": _KEYWORD,
        "result": _KEYWORD,
        "attempt": {"type": "integer"},
        "seconds": {"type": "float"},
        "detail": {"type": "text"},
        "next_at": _DATE,
    },
}
_MONTH = re.compile(r"-deliveries-(\d{4})\.(\d{2})$")
_PAGE = 1000


def _pattern(names: Names) -> str:
    return f"{names.prefix}-deliveries-*"


def deliveries_template(names: Names) -> Template:
    """Template of the log of deliveries."""
    return Template(f"{names.prefix}-deliveries", _pattern(names), _MAPPING)


class DeliveryIndex(IndexReader):
    """Writes and reads the log of deliveries, and reads the alerts that are to be sent again. A connection of its own."""

    async def open(self) -> None:
        """Connect; nothing is sent yet, and the search sink puts the template.

        Raises:
            SettingsError: the settings contradict each other.
        """
        self._client = self._client or connect(self._settings)

    async def write(self, attempts: Sequence[Attempt]) -> dict[int, str]:
        """Write `attempts`; one that is there stays as it is.

        Returns:
            What the server will never take: position and reason.

        Raises:
            TransientError: the server is away, busy or closed to us.
        """
        records = [NewRecord(self._of(attempt), attempt.id, _source(attempt)) for attempt in attempts]
        return (await create(self._open_client(), records, self._settings.url)).refused

    async def purge(self, before: datetime) -> list[str]:
        """Delete the indices of months that had ended before `before`; gives back their names.

        Raises:
            TransientError: as `write`.
        """
        client = self._open_client()
        try:
            found = (await client.indices.get(index=_pattern(self._names), ignore_unavailable=True, allow_no_indices=True)).body
            old = [name for name in found if _ended(name) <= before.astimezone(UTC)]
            for name in old:
                await client.indices.delete(index=name, ignore_unavailable=True)
        except NotFoundError:
            return []
        except FAULTS as error:
            raise self._transient(error, "deleting old deliveries") from error
        return old

    async def attempts(
        self, *, since: datetime | None = None, channel: str | None = None, alerts: Sequence[str] = (), limit: int = 10_000
    ) -> list[Attempt]:
        """Attempts, the newest first, as far as `limit` goes.

        Args:
            since: not those before.
            channel: only those at this channel.
            alerts: only those of these alerts (ids); empty: of all.
            limit: most attempts to give back.

        Raises:
            TransientError: as `write`.
        """
        filters: list[dict[str, Any]] = []
        if since is not None:
            filters.append({"range": {"at": {"gte": since.isoformat()}}})
        if channel is not None:
            filters.append({"term": {"channel": channel}})
        if alerts:
            filters.append({"terms": {"alert": list(alerts)}})
        await self._refresh(_pattern(self._names))
        hits = await self._pages(_pattern(self._names), filters, ("message", "channel"), "at", limit)
        return [Attempt.model_validate({name: value for name, value in hit.items() if name in Attempt.model_fields}) for hit in hits]

    async def stored_alerts(self, *, ids: Sequence[str] = (), since: datetime | None = None, limit: int = 10_000) -> list[Alert]:
        """Alerts of the index, the one that began first first.

        Args:
            ids: only these; empty: all.
            since: not those that began before.
            limit: most alerts to give back, the newest.

        Raises:
            TransientError: as `write`.
        """
        filters: list[dict[str, Any]] = []
        if ids:
            filters.append({"terms": {"id": list(ids)}})
        if since is not None:
            filters.append({"range": {"@timestamp": {"gte": since.isoformat()}}})
        await self._refresh(self._names.alerts)
        hits = await self._pages(self._names.alerts, filters, ("id",), "@timestamp", limit)
        return [alert_from(hit) for hit in reversed(hits)]

    async def _pages(self, index: str, filters: list[dict[str, Any]], ties: Sequence[str], by: str, limit: int) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        after: list[Any] | None = None
        while len(found) < limit:
            size = min(_PAGE, limit - len(found))
            hits = await self._search(
                index,
                size=size,
                query={"bool": {"filter": filters}} if filters else None,
                sort=[
                    {by: {"order": "desc", "unmapped_type": "date"}},
                    *({name: {"order": "desc", "unmapped_type": "keyword"}} for name in ties),
                ],
                search_after=after,
            )
            found += [hit["_source"] for hit in hits]
            if len(hits) < size:
                break
            after = hits[-1]["sort"]
        return found

    def _of(self, attempt: Attempt) -> str:
        at = attempt.at.astimezone(UTC)
        return f"{self._names.prefix}-deliveries-{at.year:04d}.{at.month:02d}"


def _ended(index: str) -> datetime:
    """When the month of an index ended; never, for a name that is not one of ours."""
    match = _MONTH.search(index)
    if match is None or not 1 <= int(match[2]) <= 12:
        return datetime.max.replace(tzinfo=UTC)
    return (datetime(int(match[1]), int(match[2]), 1, tzinfo=UTC) + timedelta(days=31)).replace(day=1)


def _source(attempt: Attempt) -> dict[str, Any]:
    return {"@timestamp": attempt.at.isoformat(), **attempt.model_dump(mode="json", exclude_none=True)}
