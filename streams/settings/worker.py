"""Settings of the worker."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from streams.settings.section import Section
from streams.settings.values import Count, Seconds

__all__ = ["AgentName", "WorkerSettings"]

AgentName = Literal["score", "index", "watch", "notify"]


class WorkerSettings(Section):
    """The Faust worker."""

    agents: tuple[AgentName, ...] = Field(
        ("score", "index", "watch", "notify"), description="Agents that this worker runs", min_length=1, examples=[["score", "index"]]
    )

    @field_validator("agents")
    @classmethod
    def _outbox_is_shared(cls, value: tuple[AgentName, ...]) -> tuple[AgentName, ...]:
        if ("watch" in value) != ("notify" in value):
            raise ValueError("watch and notify go together: they share the outbox of alerts")
        return value

    metrics_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0, description="Port of /metrics on 127.0.0.1; 0: any free", examples=[9108]
    )
    session_timeout: Seconds = Field(10.0, description="Seconds until the group gives a silent worker up", examples=[10])
    rebalance_timeout: Seconds = Field(3.0, description="Seconds that a rebalance waits for the others", examples=[3])
    buffer: Count = Field(512, description="Events that a stream holds before it stops fetching", examples=[512])
