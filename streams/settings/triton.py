"""Settings of Triton."""

from __future__ import annotations

from pydantic import Field

from streams.settings.section import Section
from streams.settings.values import Count, HostPort, Seconds

__all__ = ["TritonSettings"]


class TritonSettings(Section):
    """Connection to Triton Inference Server."""

    url: HostPort = Field("127.0.0.1:8001", description="gRPC address", examples=["triton:8001"])
    model: str = Field("bellwether", description="Model name in the repository", min_length=1, examples=["bellwether"])
    deadline: Seconds = Field(30.0, description="Seconds until a request counts as failed", examples=[10])
    max_batch: Count = Field(64, description="Largest batch the model takes in one request", examples=[64])
