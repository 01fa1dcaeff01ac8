"""How long decisions are kept: the last months that have any, and never more than so many.

Age is that of the events, not of the writing: a replay of old news writes old months, and they stay until newer ones come.
Whole months go with their index. Beyond the greatest number the oldest go one by one, with plain searches and bulk deletions,
which every server has; lifecycle policies and deletion by query are lacking in some.
"""

from __future__ import annotations

from typing import Any

from elasticsearch import AsyncElasticsearch

from streams.sinks.mapping import Names

__all__ = ["KEPT_MONTHS", "MAX_DECISIONS", "MAX_DECISIONS_EMBEDDED", "TRIM_SHARE", "bound_decisions"]

KEPT_MONTHS = 6
"""Months with decisions that are kept."""

MAX_DECISIONS = 1_000_000
"""Decisions that are kept, about a gigabyte."""

MAX_DECISIONS_EMBEDDED = 20_000
"""The embedded server holds its whole index in memory and writes all of it to disk with every change."""

TRIM_SHARE = 20
"""The bound is looked after with every twentieth of it that was written; as much room is made."""

_PAGE = 2000
_OLDEST_FIRST: list[dict[str, Any]] = [
    {"at": {"order": "asc", "unmapped_type": "date"}},
    {"id": {"order": "asc", "unmapped_type": "keyword"}},
]


async def bound_decisions(client: AsyncElasticsearch, names: Names, limit: int, months: int = KEPT_MONTHS) -> int:
    """Delete what is too old or too much; safe from several workers at once.

    Args:
        client: connected to the server.
        names: names of the indices.
        limit: most decisions that are kept.
        months: most months that are kept; the newest always is.

    Returns:
        How many decisions were deleted.

    Raises:
        elasticsearch.ApiError, elasticsearch.TransportError: the server is away or refuses; the same call may be made again.
    """
    await client.indices.refresh(index=names.decisions, ignore_unavailable=True, allow_no_indices=True)
    found = await client.indices.get(index=names.decisions, ignore_unavailable=True, allow_no_indices=True)
    counts = {index: int((await client.count(index=index, ignore_unavailable=True)).body["count"]) for index in sorted(found.body)}
    deleted = 0
    for index in list(counts)[: -max(1, months)]:
        deleted += counts[index]
        await _delete_index(client, index, counts)
    if sum(counts.values()) <= limit:
        return deleted
    excess = sum(counts.values()) - limit + limit // TRIM_SHARE
    for index in list(counts):
        if excess >= counts[index] and len(counts) > 1:
            excess -= counts[index]
            deleted += counts[index]
            await _delete_index(client, index, counts)
        elif excess > 0:
            gone = await _delete_oldest(client, index, excess)
            deleted += gone
            excess -= gone
    return deleted


async def _delete_index(client: AsyncElasticsearch, index: str, counts: dict[str, int]) -> None:
    # Another worker may have deleted it.
    await client.indices.delete(index=index, ignore_unavailable=True)
    del counts[index]


async def _delete_oldest(client: AsyncElasticsearch, index: str, excess: int) -> int:
    """Delete the oldest `excess` decisions of an index; how many there were."""
    deleted = 0
    while deleted < excess:
        answer = await client.search(
            index=index,
            size=min(_PAGE, excess - deleted),
            sort=_OLDEST_FIRST,
            source=False,
            track_total_hits=False,
            ignore_unavailable=True,
        )
        ids = [hit["_id"] for hit in answer.body["hits"]["hits"]]
        if not ids:
            break
        await client.bulk(operations=[{"delete": {"_index": index, "_id": id}} for id in ids], refresh=True)
        deleted += len(ids)
    return deleted
