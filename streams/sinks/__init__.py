"""Where documents and alerts go: Elasticsearch and webhooks."""

from __future__ import annotations

__all__: list[str] = []
