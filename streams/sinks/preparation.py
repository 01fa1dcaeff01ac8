"""Making a server ready for us: its capabilities, the index templates, and the fields that older indices lack."""

from __future__ import annotations

from typing import Any

import structlog
from elasticsearch import ApiError, AsyncElasticsearch, NotFoundError, TransportError, UnsupportedProductError

from streams.sinks.capabilities import Capabilities, ask
from streams.sinks.connection import as_error
from streams.sinks.deliveries import deliveries_template
from streams.sinks.mapping import VERSION, Names, Template, alerts_template, decisions_template, documents_template

__all__ = ["prepare"]

log = structlog.get_logger(__name__)


async def prepare(client: AsyncElasticsearch, names: Names, url: str) -> Capabilities:
    """Ask the server what it can do and put the templates. Safe from several workers at once, and as often as one likes.

    Raises:
        TransientError: the server does not answer.
        BellwetherError: it refuses us, or is not Elasticsearch.
    """
    try:
        await _put(client, alerts_template(names))
        # The index of alerts is made at once: what a server can aggregate can only be asked where there is an index.
        if not await client.indices.exists(index=names.alerts):
            await client.options(ignore_status=400).indices.create(index=names.alerts)
        capabilities = await ask(client, names, url)
        await _put(client, documents_template(names, capabilities.localized))
        await _put(client, decisions_template(names))
        await _put(client, deliveries_template(names))
    except (ApiError, TransportError, UnsupportedProductError) as error:
        raise as_error(error, url, "preparing the indices") from error
    return capabilities


async def _put(client: AsyncElasticsearch, template: Template) -> None:
    if await _is_newer(client, template.name):
        log.warning("search: the index template is of a newer version and stays", template=template.name)
        return
    await client.indices.put_index_template(name=template.name, **template.body)
    await _amend(client, template)


async def _is_newer(client: AsyncElasticsearch, name: str) -> bool:
    try:
        found = (await client.indices.get_index_template(name=name)).body["index_templates"]
    except NotFoundError:
        return False
    return bool(found) and int(found[0]["index_template"].get("version") or 0) > VERSION


async def _amend(client: AsyncElasticsearch, template: Template) -> None:
    """Give existing indices the fields of the template. An index that somebody made otherwise is left, and named."""
    found = await client.indices.get_mapping(index=template.pattern, ignore_unavailable=True, allow_no_indices=True)
    wanted = template.mapping["properties"]
    for index, present in found.body.items():
        if _holds(present["mappings"].get("properties", {}), wanted):
            continue
        try:
            await client.indices.put_mapping(index=index, properties=wanted)
        except ApiError as error:
            if error.status_code != 400:
                raise
            log.warning("search: an index has a mapping of its own", index=index, error=str(error.message))


def _holds(present: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a mapping has all fields that are wanted, at every depth."""
    return all(
        name in present and _holds(present[name].get("properties", {}), field.get("properties", {})) for name, field in wanted.items()
    )
