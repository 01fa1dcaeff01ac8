"""All sections of the settings as one, and the order in which their sources are asked."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from streams.settings.alerts import AlertSettings
from streams.settings.embedded import EmbeddedSettings
from streams.settings.enrich import EnrichSettings
from streams.settings.feeds import FeedSettings
from streams.settings.kafka import KafkaSettings
from streams.settings.scoring import ScoringSettings
from streams.settings.search import SearchSettings
from streams.settings.sources import PREFIX, Pairs, given
from streams.settings.topics import TopicSettings
from streams.settings.triton import TritonSettings
from streams.settings.webhook import WebhookSettings
from streams.settings.worker import WorkerSettings

__all__ = ["Settings"]


class Settings(BaseSettings):
    """All settings. Build it by :func:`~streams.settings.load_settings`, which turns faults into one readable line."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=True,
    )

    kafka: KafkaSettings = KafkaSettings()
    topics: TopicSettings = TopicSettings()
    triton: TritonSettings = TritonSettings()
    scoring: ScoringSettings = ScoringSettings()
    search: SearchSettings = SearchSettings()
    enrich: EnrichSettings = EnrichSettings()
    alerts: AlertSettings = AlertSettings()
    webhook: WebhookSettings = WebhookSettings()
    feeds: FeedSettings = FeedSettings()
    worker: WorkerSettings = WorkerSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    journal: Path | None = Field(
        None, description="Journal of the embedded mode; absent: Kafka keeps the documents", examples=["…/journal.db"]
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged", examples=["debug"])
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else json", examples=["json"])

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, environment, TOML, defaults: in this order."""
        file, pairs = given()
        return init_settings, Pairs(settings_cls, pairs), env_settings, TomlConfigSettingsSource(settings_cls, file)
