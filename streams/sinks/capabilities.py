"""What a search server can do. It is asked once, at start, by harmless requests; the version number alone does not tell.

Embedded servers and slim builds answer as Elasticsearch 8 does and lack parts of it. No question creates or changes anything.
What a server can aggregate is asked of the index of alerts, because some read an aggregation only when there is an index to
run it on; before the service was started once, these answers stay open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from elasticsearch import ApiError, AsyncElasticsearch, TransportError, UnsupportedProductError

from streams.sinks.analyzers import ANALYZERS, LanguageAnalyzer
from streams.sinks.connection import as_error
from streams.sinks.mapping import Names

__all__ = ["EMBEDDED", "Capabilities", "Feature", "ask"]

EMBEDDED = "noida-db"
"""The product of the one-command mode."""


class Feature(StrEnum):
    """What some servers have and some have not."""

    INDEX_TEMPLATES = "index templates"
    DATA_STREAMS = "data streams"
    LIFECYCLE = "index lifecycle management"
    PERCENTILES = "percentiles"
    COMPOSITE = "composite aggregation"
    SIGNIFICANT_TEXT = "significant_text"
    NESTED = "nested"
    KNN = "kNN"
    DELETE_BY_QUERY = "delete by query"
    SCRIPTS = "scripts"
    ESQL = "ES|QL"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The answers of one server.

    Attributes:
        product: ``Elasticsearch``, or the name of the server that speaks its protocol.
        version: the version that it gives, for a compatible server that of the Elasticsearch it stands for.
        cluster: name of the cluster.
        features: True has it, False has not, None it could not be asked (no right to, or no index yet).
        analyzers: language (ISO 639) to the name of the analyzer that really analyses it.
    """

    product: str
    version: str
    cluster: str
    features: Mapping[Feature, bool | None]
    analyzers: Mapping[str, str]

    @property
    def localized(self) -> Mapping[str, str]:
        """The analyzers for which documents get a field of their own: all, or none.

        noida-db keeps such a field in the stored document although the mapping excludes it, and reads the stored documents at
        every search: it made indexing cost 25-40 % more CPU (205 to 258 microseconds a document), and every search as much.
        """
        return {} if self.product == EMBEDDED else self.analyzers

    def has(self, feature: Feature) -> bool:
        """True only when the server said so."""
        return self.features[feature] is True


_JSON = {"accept": "application/json", "content-type": "application/json"}
_REFUSED = {401, 403}
_BUSY = {429, 502, 503, 504}


def _aggregation(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"size": 0, "aggs": {"probe": {kind: body}}}


def _questions(names: Names) -> dict[Feature, tuple[str, str, dict[str, Any] | None]]:
    prefix = names.prefix
    nothing = f"/{prefix}-capability-*"
    search = f"/{names.alerts}/_search"
    return {
        Feature.INDEX_TEMPLATES: ("GET", f"/_index_template/{prefix}-capability-*", None),
        Feature.DATA_STREAMS: ("GET", f"/_data_stream/{prefix}-capability-*", None),
        Feature.LIFECYCLE: ("GET", "/_ilm/policy", None),
        Feature.PERCENTILES: ("POST", search, _aggregation("percentiles", {"field": "n"})),
        Feature.COMPOSITE: ("POST", search, _aggregation("composite", {"sources": [{"k": {"terms": {"field": "k"}}}]})),
        Feature.SIGNIFICANT_TEXT: ("POST", search, _aggregation("significant_text", {"field": "t"})),
        Feature.NESTED: ("POST", search, _aggregation("nested", {"path": "o"})),
        Feature.KNN: ("POST", f"{nothing}/_search", {"knn": {"field": "v", "query_vector": [1.0], "k": 1, "num_candidates": 1}}),
        Feature.DELETE_BY_QUERY: ("POST", f"/{names.alerts}/_delete_by_query", {"query": {"match_none": {}}}),
        Feature.SCRIPTS: ("POST", "/_scripts/painless/_execute", {"script": {"source": "return 1"}}),
        Feature.ESQL: ("POST", "/_query", {"query": "ROW probe = 1"}),
    }


async def ask(client: AsyncElasticsearch, names: Names, url: str) -> Capabilities:
    """Ask a server what it can do: some fifty small requests at once, well under a second.

    Args:
        client: connected to the server.
        names: names of our indices; the questions stay among them, where our rights are.
        url: the configured address, for messages.

    Raises:
        TransientError: the server does not answer.
        BellwetherError: it refuses us, or is not Elasticsearch.
    """
    try:
        info = (await client.info()).body
        questions = _questions(names)
        answers = await asyncio.gather(*(_has(client, *question) for question in questions.values()))
        working = await asyncio.gather(*(_works(client, analyzer) for analyzer in ANALYZERS))
    except (ApiError, TransportError, UnsupportedProductError) as error:
        raise as_error(error, url, "asking what it can do") from error
    version = info.get("version", {})
    return Capabilities(
        product=EMBEDDED if version.get("build_hash") == "noida" else "Elasticsearch",
        version=str(version.get("number", "unknown")),
        cluster=str(info.get("cluster_name", "")),
        features=dict(zip(questions, answers, strict=True)),
        analyzers={
            language: analyzer.name for analyzer, works in zip(ANALYZERS, working, strict=True) if works for language in analyzer.languages
        },
    )


async def _has(client: AsyncElasticsearch, method: str, path: str, body: dict[str, Any] | None) -> bool | None:
    try:
        await client.perform_request(method, path, headers=_JSON, body=body)
    except ApiError as error:
        if error.status_code in _BUSY:
            raise
        if error.status_code in _REFUSED or _fault(error) == "index_not_found_exception":
            return None
        # A listing without a match may be answered with 404 and an empty list; without the feature there is no list.
        return error.status_code == 404 and isinstance(error.body, dict) and "error" not in error.body and bool(error.body)
    return True


def _fault(error: ApiError) -> str:
    body = error.body
    fault = body.get("error") if isinstance(body, dict) else None
    return str(fault.get("type", "")) if isinstance(fault, dict) else ""


async def _works(client: AsyncElasticsearch, analyzer: LanguageAnalyzer) -> bool:
    try:
        answer = await client.perform_request("POST", "/_analyze", headers=_JSON, body={"analyzer": analyzer.name, "text": analyzer.probe})
    except ApiError as error:
        if error.status_code in _BUSY:
            raise
        return False
    tokens = tuple(str(token["token"]) for token in answer.body["tokens"])
    return tokens != analyzer.plain
