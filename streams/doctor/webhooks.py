"""Webhook receivers: whether their names resolve and something listens. Nothing is sent: it would be a message."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

from streams.doctor.check import PATIENCE, Check
from streams.settings import Settings
from streams.sinks.connection import masked
from streams.sinks.webhook import WebhookSink

__all__ = ["check_webhooks"]


async def check_webhooks(settings: Settings) -> list[Check]:
    """The signing secret, and every receiver."""
    if not settings.webhook.urls:
        return [Check("webhooks", "ok", "none configured: alerts are indexed only")]
    # A secret that is none is found by the sink itself.
    await WebhookSink(settings.webhook).close()
    return list(await asyncio.gather(*(_receiver(url) for url in settings.webhook.urls)))


async def _receiver(url: str) -> Check:
    parts = urlsplit(url)
    name = f"webhook {masked(url)}"
    host = parts.hostname
    if host is None:
        return Check(name, "fail", "the address has no host", "mend webhook.urls")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), PATIENCE)
    except socket.gaierror:
        return Check(name, "fail", f"{host} does not resolve", "check the name, and this machine's DNS")
    except TimeoutError:
        return Check(name, "warn", f"{host}:{port} does not answer", "is a proxy or a firewall between?")
    except OSError as error:
        return Check(name, "warn", f"{host}:{port}: {error.strerror or error}", "is the receiver up?")
    writer.close()
    detail = f"{host}:{port} listens"
    if parts.scheme == "http" and host not in {"localhost", "127.0.0.1", "::1"}:
        return Check(name, "warn", f"{detail}, without encryption", "use https: an alert is readable on its way")
    return Check(name, "ok", detail)
