"""Settings of the feeds."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from streams.settings.section import Section
from streams.settings.values import Seconds

__all__ = ["FeedSettings"]


class FeedSettings(Section):
    """RSS and Atom feeds."""

    file: Path | None = Field(None, description="TOML list of feeds to read", examples=["feeds.toml"])
    user_agent: str = Field("Bellwether/0.1 (+https://bellwether.example/bot)", description="How we present ourselves", examples=["…"])
    interval: Seconds = Field(300.0, description="Seconds between two visits of a feed, unless the file says otherwise", examples=[300])
    timeout: Seconds = Field(20.0, description="Seconds until a visit counts as failed", examples=[20])
