"""What the two servers say of themselves; where these lists change, what depends on them must be looked at again."""

from __future__ import annotations

import httpx

from streams.sinks.capabilities import Feature, ask
from streams.sinks.connection import connect
from streams.sinks.mapping import Names

EMBEDDED = {Feature.INDEX_TEMPLATES, Feature.NESTED, Feature.KNN, Feature.DELETE_BY_QUERY}
REAL = {
    Feature.INDEX_TEMPLATES,
    Feature.PERCENTILES,
    Feature.COMPOSITE,
    Feature.SIGNIFICANT_TEXT,
    Feature.NESTED,
    Feature.KNN,
}


async def test_features(sink, server) -> None:
    capabilities = sink.capabilities
    assert capabilities.version == "8.15.3"
    assert capabilities.product == {"embedded": "noida-db", "real": "Elasticsearch"}[server.kind]
    assert {feature for feature in Feature if capabilities.has(feature)} == (EMBEDDED if server.kind == "embedded" else REAL)
    assert None not in capabilities.features.values()


async def test_a_feature_is_claimed_only_where_it_works(sink, server, settings) -> None:
    body = {"size": 0, "aggs": {"p": {"percentiles": {"field": "p_value"}}}}
    status = httpx.post(f"{settings.url}/{settings.index_prefix}-alerts/_search", json=body).status_code
    assert (status == 200) is sink.capabilities.has(Feature.PERCENTILES)


async def test_analyzers(sink, server) -> None:
    analyzers = sink.capabilities.analyzers
    assert {"en", "de", "fr", "es", "ru", "ar", "zh", "ja", "ko", "tr", "pt"} <= analyzers.keys()
    # The embedded server takes these names and does nothing for them.
    hollow = {"hi", "id", "th", "cs", "fa"}
    assert hollow.isdisjoint(analyzers) if server.kind == "embedded" else hollow <= analyzers.keys()


async def test_asking_changes_nothing_and_leaves_open_what_needs_an_index(server, settings) -> None:
    def indices() -> set[str]:
        return {index["index"] for index in httpx.get(f"{settings.url}/_cat/indices?format=json").json()}

    before = indices()
    client = connect(settings)
    capabilities = await ask(client, Names(settings.index_prefix), settings.url)
    await client.close()
    assert indices() == before
    assert capabilities.features[Feature.PERCENTILES] is None
    assert capabilities.has(Feature.INDEX_TEMPLATES)
