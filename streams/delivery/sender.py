"""How a channel sends: one contract for HTTP and Apprise."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Protocol

from streams.delivery.channels import AlertmanagerChannel, AppriseChannel, Channel, WebhookChannel
from streams.delivery.client import Client
from streams.delivery.formats import alertmanager, bellwether
from streams.delivery.guard import Guard
from streams.delivery.signing import Signer
from streams.documents import Alert

__all__ = ["AlertmanagerSender", "Sender", "WebhookSender", "build_sender"]

_REASON_BYTES = 500
"""Of what an Alertmanager answers to something that it does not take."""


class Sender(Protocol):
    """Sends messages to one channel."""

    async def send(self, alert: Alert, message_id: str) -> None:
        """Send `alert` once, within the channel's time-out.

        Args:
            alert: what to tell.
            message_id: the same for every try.

        Raises:
            TransientError: it may be taken later.
            PermanentError: it will never be taken; reason ``webhook.gone``, ``webhook.refused`` or ``webhook.forbidden``.
        """

    async def close(self) -> None:
        """Let go of what is held. May be called twice."""


class WebhookSender:
    """Posts signed JSON.

    Args:
        channel: where to.
        client: posts.

    Raises:
        SettingsError: a secret is not one.
    """

    def __init__(self, channel: WebhookChannel, client: Client) -> None:
        self._channel = channel
        self._client = client
        setting = "webhook.secret" if channel.name.startswith("default") else f"channel {channel.name}: secrets"
        self._signer = Signer(channel.secrets, setting)

    async def send(self, alert: Alert, message_id: str) -> None:
        """See `Sender`."""
        channel = self._channel
        if channel.format == "alertmanager":
            body = alertmanager.webhook_body(alert, channel.name, channel.external_url or "")
        else:
            body = bellwether.body(alert)
        headers = {
            **{name: value.get_secret_value() for name, value in channel.headers.items()},
            "content-type": "application/json",
            **self._signer.headers(message_id, datetime.now(UTC), body),
        }
        answer = await self._client.post(channel.url, body.encode("utf-8"), headers, seconds=channel.timeout)
        answer.check(channel.target, setting=_setting(channel))

    async def close(self) -> None:
        """See `Sender`."""
        await self._client.close()


class AlertmanagerSender:
    """Posts to the API of an Alertmanager.

    Args:
        channel: where to.
        client: posts.
    """

    def __init__(self, channel: AlertmanagerChannel, client: Client) -> None:
        self._channel = channel
        self._client = client

    async def send(self, alert: Alert, message_id: str) -> None:
        """See `Sender`. Alertmanager knows a repeat by the labels."""
        channel = self._channel
        entries = alertmanager.posted(alert, datetime.now(UTC), channel.expires, channel.external_url or "")
        body = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        headers = {"content-type": "application/json", **channel.authorization()}
        answer = await self._client.post(f"{channel.url}/api/v2/alerts", body, headers, seconds=channel.timeout, wanted=_REASON_BYTES)
        answer.check(channel.target, setting=_setting(channel))

    async def close(self) -> None:
        """See `Sender`."""
        await self._client.close()


def build_sender(channel: Channel, guard: Guard) -> Sender:
    """The sender of `channel`; nothing is connected yet.

    Raises:
        SettingsError: a secret or an Apprise URL is not one.
    """
    if isinstance(channel, AppriseChannel):
        from streams.delivery.apprise import AppriseSender  # a second of start-up that most do not need

        return AppriseSender(channel, guard)
    if isinstance(channel, AlertmanagerChannel):
        return AlertmanagerSender(channel, Client(guard))
    return WebhookSender(channel, Client(guard))


def _setting(channel: Channel) -> str:
    return "webhook.urls" if channel.name.startswith("default") else f"the url of channel {channel.name}"
