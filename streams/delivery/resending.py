"""Sending alerts again by hand: which ones, and how they get on their way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.delivery.attempt import FAILED, Attempt
from streams.documents import Alert
from streams.errors import BellwetherError
from streams.kafka import aiokafka_options
from streams.settings import Settings
from streams.sinks.deliveries import DeliveryIndex

__all__ = ["chosen", "failed_channels", "put", "resent"]

_ATTEMPTS = 100_000


def failed_channels(attempts: Sequence[Attempt]) -> dict[str, tuple[str, ...]]:
    """Channels that have not had an alert and will not get it by themselves, by the alert's id.

    Args:
        attempts: of any alerts, in any order; at each channel the newest one tells.
    """
    newest: dict[tuple[str, str], Attempt] = {}
    for attempt in attempts:
        place = (attempt.alert, attempt.channel)
        if place not in newest or attempt.at > newest[place].at:
            newest[place] = attempt
    found: dict[str, list[str]] = defaultdict(list)
    for (alert, channel), attempt in sorted(newest.items()):
        if attempt.result in FAILED:
            found[alert].append(channel)
    return {alert: tuple(channels) for alert, channels in found.items()}


async def chosen(
    index: DeliveryIndex, *, ids: Sequence[str], since: datetime | None, channel: str | None, failed: bool
) -> tuple[list[Alert], list[str]]:
    """The alerts that are meant, each with the channels that it is to go to, the one that began first first.

    Args:
        index: open.
        ids: of alerts; empty: any.
        since: not what began (with `failed`: was tried) before.
        channel: only to this one.
        failed: only what a channel has not had, and only to those channels.

    Returns:
        The alerts, and those of `ids` that the index does not have.

    Raises:
        TransientError: the search server is away.
    """
    wanted = list(ids)
    failures: dict[str, tuple[str, ...]] = {}
    if failed:
        failures = failed_channels(await index.attempts(since=since, channel=channel, alerts=ids, limit=_ATTEMPTS))
        wanted = list(failures)
        if not wanted:
            return [], []
    stored = await index.stored_alerts(ids=wanted, since=None if failed else since)
    only = (channel,) if channel is not None else None
    alerts = [alert.model_copy(update={"channels": failures.get(alert.id) or only or alert.channels}) for alert in stored]
    present = {alert.id for alert in stored}
    return alerts, [id for id in ids if id not in present and not (failed or since)]


def resent(alert: Alert, at: datetime) -> Alert:
    """`alert` as a message of its own, so that no receiver takes it for a repeat."""
    return alert.model_copy(update={"reason": "resent", "resent_at": at})


async def put(settings: Settings, alerts: Sequence[Alert]) -> None:
    """Put `alerts` on the alerts topic, from which the notify agent takes them; all are there when this returns.

    Raises:
        BellwetherError: the broker is away or refuses.
    """
    now = datetime.now(UTC)
    producer = AIOKafkaProducer(**aiokafka_options(settings.kafka), acks="all", max_request_size=settings.topics.max_message_bytes)
    try:
        await producer.start()
        for alert in alerts:
            value = resent(alert, now).model_dump_json().encode()
            await producer.send_and_wait(settings.topics.alerts, value=value, key=alert.fingerprint.encode())
    except (KafkaError, OSError, TimeoutError) as error:
        raise BellwetherError(
            f"{settings.topics.alerts}: the broker at {settings.kafka.bootstrap_servers} does not take the alerts: {error}",
            mend="is it running? `bellwether doctor` looks",
        ) from error
    finally:
        await producer.stop()
