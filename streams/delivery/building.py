"""The dispatcher of a worker, put together from the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.delivery.channels import read_channels
from streams.delivery.dispatcher import Dispatcher
from streams.delivery.guard import Guard
from streams.delivery.log import DeliveryLog
from streams.delivery.schedule import Schedule
from streams.metrics import Metrics
from streams.settings import Settings
from streams.sinks.deliveries import DeliveryIndex
from streams.state import StateStore

__all__ = ["build_dispatcher"]


def build_dispatcher(
    settings: Settings, store: StateStore, metrics: Metrics, channels: Mapping[str, Mapping[str, Any]] | None = None
) -> Dispatcher:
    """A dispatcher that is not open yet.

    Args:
        settings: ``webhook`` and ``search``.
        store: where the outbox survives.
        metrics: counts deliveries.
        channels: of the rule file; None: there is none.

    Raises:
        SettingsError: a channel is not right.
    """
    webhook = settings.webhook
    return Dispatcher(
        read_channels(channels or {}, webhook),
        Guard(webhook.allow_networks),
        Schedule(webhook.attempts),
        store,
        DeliveryLog(DeliveryIndex(settings.search), metrics, webhook.log_days),
        metrics,
    )
