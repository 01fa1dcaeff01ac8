"""Elasticsearch: whether it answers, what it is, and what it can and cannot do."""

from __future__ import annotations

from streams.doctor.check import PATIENCE, Check
from streams.errors import TransientError
from streams.settings import Settings
from streams.sinks.capabilities import Capabilities, Feature, ask
from streams.sinks.connection import connect, masked
from streams.sinks.mapping import Names

__all__ = ["check_search"]

_WITHOUT = {
    Feature.INDEX_TEMPLATES: "new indices would get no mapping of ours",
    Feature.DATA_STREAMS: "not needed: an index a month",
    Feature.LIFECYCLE: "delete old months yourself",
    Feature.PERCENTILES: "averages only",
    Feature.COMPOSITE: "terms only",
    Feature.SIGNIFICANT_TEXT: "no salient words",
    Feature.NESTED: "not used yet",
    Feature.KNN: "no search by meaning",
    Feature.DELETE_BY_QUERY: "delete whole months",
    Feature.SCRIPTS: "not used",
    Feature.ESQL: "query DSL only",
}
"""What the service does where a server lacks the feature."""


async def check_search(settings: Settings) -> list[Check]:
    """The server, its features, its analyzers."""
    search = settings.search.model_copy(update={"timeout": PATIENCE})
    place = masked(search.url)
    client = connect(search)
    try:
        capabilities = await ask(client, Names(search.index_prefix), search.url)
    except TransientError as error:
        if "url" not in settings.search.model_fields_set:
            mend = "`bellwether up` brings its own; or set search.url"
            return [Check("Elasticsearch", "warn", f"none configured, none at {place}", mend)]
        return [Check("Elasticsearch", "fail", error.message, "start the server; check search.url")]
    finally:
        await client.close()
    major = capabilities.version.partition(".")[0]
    detail = f"{place}: {capabilities.product}, version {capabilities.version}, cluster {capabilities.cluster}"
    if not major.isdigit() or int(major) < 8:
        return [Check("Elasticsearch", "fail", detail, "version 8 or later is needed")]
    return [Check("Elasticsearch", "ok", detail), _features(capabilities), _analyzers(capabilities)]


def _features(capabilities: Capabilities) -> Check:
    has = [feature.value for feature in Feature if capabilities.has(feature)]
    lacks = [f"{feature.value} ({_WITHOUT[feature]})" for feature in Feature if capabilities.features[feature] is False]
    unknown = [feature.value for feature in Feature if capabilities.features[feature] is None]
    parts = [f"has {', '.join(has) or 'nothing'}"]
    if lacks:
        parts.append(f"without {', '.join(lacks)}")
    if unknown:
        parts.append(f"not known before the first start, or without the right to ask: {', '.join(unknown)}")
    if capabilities.features[Feature.INDEX_TEMPLATES] is False:
        return Check("search features", "fail", "; ".join(parts), "use a server that has index templates")
    return Check("search features", "ok", "; ".join(parts))


def _analyzers(capabilities: Capabilities) -> Check:
    if not capabilities.analyzers:
        return Check("search analyzers", "warn", "none: every language is searched word by word", "install the analysis-common module")
    use = "" if capabilities.localized else " (not used: this server would store every text twice)"
    return Check("search analyzers", "ok", f"{len(capabilities.analyzers)} languages: {', '.join(sorted(capabilities.analyzers))}{use}")
