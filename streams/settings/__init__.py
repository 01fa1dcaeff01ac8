"""Every setting of the service, validated at the border.

Sources, the first wins: command-line flags, environment (``BELLWETHER_KAFKA__BOOTSTRAP_SERVERS``), a TOML file
(``bellwether.toml`` in the working folder, or ``--config`` / ``BELLWETHER_CONFIG``), defaults.
"""

from __future__ import annotations

from streams.settings.alerts import AlertSettings
from streams.settings.embedded import EmbeddedSettings
from streams.settings.enrich import EnrichSettings
from streams.settings.feeds import FeedSettings
from streams.settings.kafka import KafkaSettings
from streams.settings.loading import load_settings
from streams.settings.root import Settings
from streams.settings.scoring import ScoringSettings
from streams.settings.search import SearchSettings
from streams.settings.topics import TopicSettings
from streams.settings.triton import TritonSettings
from streams.settings.webhook import WebhookSettings
from streams.settings.worker import AgentName, WorkerSettings

__all__ = [
    "AgentName",
    "AlertSettings",
    "EmbeddedSettings",
    "EnrichSettings",
    "FeedSettings",
    "KafkaSettings",
    "ScoringSettings",
    "SearchSettings",
    "Settings",
    "TopicSettings",
    "TritonSettings",
    "WebhookSettings",
    "WorkerSettings",
    "load_settings",
]
