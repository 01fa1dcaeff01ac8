"""Channels of alerts: whether their names resolve, may be called, and something listens. Nothing is sent: it would be a message."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

from streams.alerts.rules.configured import configured_rules
from streams.delivery.attempt import Attempt, Result
from streams.delivery.channels import AppriseChannel, Channel, read_channels
from streams.delivery.guard import Guard
from streams.delivery.sender import build_sender
from streams.doctor.check import PATIENCE, Check
from streams.errors import BellwetherError, PermanentError
from streams.settings import Settings
from streams.sinks.deliveries import DeliveryIndex

__all__ = ["check_webhooks"]


async def check_webhooks(settings: Settings) -> list[Check]:
    """The receivers of ``webhook.urls`` and the channels of the rule file: whether each can be reached, and has said that it wants no more.

    Raises:
        SettingsError: the rule file, a channel, a secret or an Apprise URL is not right.
    """
    rules = await asyncio.to_thread(configured_rules, settings.alerts)
    channels = list(read_channels(rules.channels, settings.webhook).all.values())
    if not channels:
        return [Check("webhooks", "ok", "none configured: alerts are indexed only")]
    guard = Guard(settings.webhook.allow_networks)
    for channel in channels:
        await build_sender(channel, guard).close()
    return list(await asyncio.gather(*(_check(channel, guard, settings) for channel in channels)))


async def _check(channel: Channel, guard: Guard, settings: Settings) -> Check:
    name = f"webhook {channel.target}" if channel.name.startswith("default") else f"channel {channel.name}"
    if isinstance(channel, AppriseChannel):
        return Check(name, "ok", f"{channel.target}: Apprise knows it; whether it is taken shows with the first alert")
    found, last = await asyncio.gather(_receiver(name, channel.url, guard), _last(channel, settings))
    if last is not None and last.result in {Result.GONE, Result.DISABLED} and found.status == "ok":
        mend = "change its url where it moved; `bellwether alerts resend --failed` sends what it missed"
        return Check(name, "warn", f"switched off: the receiver said at {last.at:%Y-%m-%d %H:%M} UTC that it wants no more (410)", mend)
    return found


async def _last(channel: Channel, settings: Settings) -> Attempt | None:
    """The newest attempt in the log of deliveries, as far as that can be read."""
    index = DeliveryIndex(settings.search)
    try:
        async with asyncio.timeout(PATIENCE):
            await index.open()
            found = await index.attempts(channel=channel.name, limit=1)
    except (BellwetherError, TimeoutError):
        return None  # another check tells of a search server that is away
    finally:
        await index.close()
    return found[0] if found and found[0].target == channel.target else None


async def _receiver(name: str, url: str, guard: Guard) -> Check:
    parts = urlsplit(url)
    host = parts.hostname
    if host is None:
        return Check(name, "fail", "the address has no host", "mend webhook.urls")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(PATIENCE):
            address = (await guard.addresses(host, port))[0]
            _, writer = await asyncio.open_connection(address, port)
    except PermanentError as error:
        return Check(name, "fail", error.message, error.mend)
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
