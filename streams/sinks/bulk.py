"""Bulk creation: each record once, and for each what the server said.

A record that exists is no fault here: the caller hears of it. Faults that pass (429, 5xx, a broken connection) raise and
nothing is claimed; the same call may then be made again, and finds what the first one left behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from elasticsearch import ApiError, AsyncElasticsearch, TransportError
from elasticsearch.helpers import async_streaming_bulk
from pydantic_core import to_json

from streams.errors import TransientError
from streams.sinks.connection import as_error, masked

__all__ = ["Created", "NewRecord", "create", "refusal"]

_CHUNK_BYTES = 5 * 1024 * 1024
"""Size of one bulk request: what Elasticsearch recommends as a beginning, and below the limits of common proxies."""

_OWN_FAULT = {
    "document_parsing_exception",
    "mapper_parsing_exception",
    "strict_dynamic_mapping_exception",
    "illegal_argument_exception",
    "max_bytes_length_exceeded_exception",
    "x_content_parse_exception",
    "x_content_e_o_f_exception",
    "parse_exception",
}
"""Faults of the one document. A closed index or a full cluster is answered with 400 as well, and is not its fault."""


@dataclass(frozen=True, slots=True)
class NewRecord:
    """What is to be created: index, id and ``_source``."""

    index: str
    id: str
    source: dict[str, Any]


@dataclass(slots=True)
class Created:
    """What became of the records, by their position in the batch.

    Attributes:
        created: written now.
        existing: the index has this id already.
        refused: the server will never take it, and why.
    """

    created: list[int] = field(default_factory=list)
    existing: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


async def create(client: AsyncElasticsearch, records: Sequence[NewRecord], url: str) -> Created:
    """Create `records`; ids must be unique within an index. Nothing is refreshed.

    Raises:
        TransientError: at least one record met a fault that passes; none is reported, all may be sent again.
    """
    result = Created()
    await _create(client, records, range(len(records)), url, result)
    return result


async def _create(client: AsyncElasticsearch, records: Sequence[NewRecord], positions: Sequence[int], url: str, result: Created) -> None:
    unreadable: list[int] = []
    waiting: str | None = None
    pending = iter(positions)
    try:
        async for _, item in async_streaming_bulk(
            client,
            _actions(records, positions),
            chunk_size=max(1, len(positions)),
            max_chunk_bytes=_CHUNK_BYTES,
            raise_on_error=False,
            raise_on_exception=False,
            expand_action_callback=_expand,
            max_retries=0,
            filter_path="items.*.status,items.*.error.type,items.*.error.reason",
        ):
            answer = item["create"]
            position = next(pending)
            status = int(answer["status"])
            if status < 300:
                result.created.append(position)
            elif "exception" in answer and status in {400, 413}:
                unreadable.append(position)
            elif status == 409:
                result.existing.append(position)
            elif (reason := refusal(status, answer.get("error"))) is not None:
                result.refused[position] = reason
            else:
                waiting = waiting or f"status {status}, {answer.get('error')}"
    except (ApiError, TransportError) as error:
        fault = as_error(error, url, "bulk")
        raise TransientError(fault.message, mend=fault.mend, retry_after=getattr(fault, "retry_after", None)) from error
    if waiting is not None:
        raise TransientError(
            f"search: {masked(url)}: bulk: {waiting[:500]}", mend="if it stays so: check disk space, write blocks and rights of the indices"
        )
    if len(unreadable) == 1:
        # The whole request was refused, and it was this one record: too large for the server, or not readable to it.
        result.refused[unreadable[0]] = "the server cannot take a request with this document"
    elif unreadable:
        half = len(unreadable) // 2
        await _create(client, records, unreadable[:half], url, result)
        await _create(client, records, unreadable[half:], url, result)


def _actions(records: Sequence[NewRecord], positions: Sequence[int]) -> Iterator[dict[str, Any]]:
    for position in positions:
        record = records[position]
        yield {"create": {"_index": record.index, "_id": record.id}, "_source": record.source}


def _expand(action: Any) -> tuple[dict[str, Any], bytes]:
    # pydantic's serialiser writes JSON several times as fast as the standard library's, which the client would use.
    return {"create": action["create"]}, to_json(action["_source"])


def refusal(status: int, error: Any) -> str | None:
    """Why the server will never take this document; None: it is not the document's own fault."""
    if status == 400 and isinstance(error, dict) and error.get("type") in _OWN_FAULT:
        return f"{error['type']}: {error.get('reason', '')}"[:1000]
    return None
