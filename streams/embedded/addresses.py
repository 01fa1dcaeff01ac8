"""Settings that point at the servers of a stack, and at nothing that the user configured for a cluster."""

from __future__ import annotations

from typing import Any

from streams.settings import Settings

__all__ = ["point_at"]


def point_at(settings: Settings, *, kafka: str, search: str, triton: str | None, metrics_port: int) -> Settings:
    """`settings` with the addresses of a stack, and without the credentials of other servers.

    Args:
        settings: what the user configured.
        kafka: address of the broker; it has one partition of each topic and one copy.
        search: URL of the search server.
        triton: address of Triton; None: it is not used.
        metrics_port: where the worker shows its metrics.
    """
    changes: dict[str, dict[str, Any]] = {
        "kafka": {"bootstrap_servers": kafka, "security_protocol": "PLAINTEXT"},
        "topics": {"partitions": 1, "replication": 1},
        "search": {"url": search, "username": None, "password": None, "api_key": None, "ca_certs": None},
        "worker": {"metrics_port": metrics_port},
    }
    if triton is not None:
        changes["triton"] = {"url": triton}
    return settings.model_copy(update={name: getattr(settings, name).model_copy(update=values) for name, values in changes.items()})
