"""Settings of the topics."""

from __future__ import annotations

from pydantic import Field

from streams.settings.section import Section
from streams.settings.values import Count

__all__ = ["TopicSettings"]


class TopicSettings(Section):
    """Names and shape of the topics."""

    prefix: str = Field("", description="Put before every topic name", pattern=r"^[a-zA-Z0-9._-]*$", examples=["staging."])
    partitions: Count = Field(4, description="Partitions of topics that are created", examples=[12])
    replication: Count = Field(1, description="Copies of topics that are created", examples=[3])
    max_message_bytes: Count = Field(16_777_216, description="Largest message a topic takes", examples=[16777216])

    @property
    def raw(self) -> str:
        """Documents as sources hand them in."""
        return f"{self.prefix}documents.raw"

    @property
    def scored(self) -> str:
        """Documents with language, sentiment, topic, entities."""
        return f"{self.prefix}documents.scored"

    @property
    def dead(self) -> str:
        """What could not be read or scored, with the reason."""
        return f"{self.prefix}documents.dead"

    @property
    def alerts(self) -> str:
        """Alerts, firing and resolved."""
        return f"{self.prefix}alerts"

    @property
    def control(self) -> str:
        """What people tell the watch agent: silences, acknowledgements."""
        return f"{self.prefix}alerts.control"

    @property
    def watch_state(self) -> str:
        """Compacted changelog of the watch agent's state."""
        return f"{self.prefix}watch-state"
