"""Settings of Elasticsearch."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from streams.settings.section import Section
from streams.settings.values import Count, HttpUrl, Seconds

__all__ = ["SearchSettings"]


class SearchSettings(Section):
    """Connection to Elasticsearch, and how documents rest there."""

    url: HttpUrl = Field("http://127.0.0.1:9200", description="Address", examples=["https://search:9200"])
    username: str | None = Field(None, description="User (basic authentication)", examples=["bellwether"])
    password: SecretStr | None = Field(None, description="Password (basic authentication)", examples=["…"])
    api_key: SecretStr | None = Field(None, description="API key, instead of user and password", examples=["…"])
    ca_certs: Path | None = Field(None, description="CA certificates (PEM)", examples=["/etc/ssl/search-ca.pem"])
    index_prefix: str = Field("opinion", description="Begin of every index name", pattern=r"^[a-z][a-z0-9_-]{0,60}$", examples=["opinion"])
    timeout: Seconds = Field(30.0, description="Seconds until a request counts as failed", examples=[30])
    batch_size: Count = Field(512, description="Documents that the index agent takes at once", le=4096, examples=[512])
    linger: Seconds = Field(0.2, description="Seconds that it waits for a batch to fill", le=60, examples=[0.2])
