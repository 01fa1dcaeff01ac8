"""Alerts to webhooks, signed by the Standard Webhooks scheme (https://www.standardwebhooks.com, symmetric signatures ``v1``)."""

from __future__ import annotations

import asyncio
import binascii
import json
from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from streams.documents import Alert
from streams.errors import PermanentError, SettingsError, TransientError
from streams.retry_after import retry_after
from streams.settings import WebhookSettings
from streams.sinks.connection import masked

__all__ = ["WebhookSink"]

_LONGEST_WAIT = 3600.0
"""A receiver that asks for more than an hour gets its next try after an hour."""

_REMEMBERED = 1024
"""Messages whose receivers are remembered while other receivers are still to be reached."""


class WebhookSink:
    """Delivers alerts to every configured receiver. Without receivers `deliver` does nothing.

    ``webhook-id`` is the alert's id and its status: the same for every try of a message, so that a receiver can tell a
    repeat. A receiver that has taken a message, or refused it for good, is not called again while others are still tried.

    Args:
        settings: receivers, secret and timeout.

    Raises:
        SettingsError: the secret is missing or is not base64.
    """

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._done: dict[str, dict[str, PermanentError | None]] = {}
        self._signer = _signer(settings) if settings.urls else None
        self._client = httpx.AsyncClient(
            timeout=settings.timeout, follow_redirects=False, headers={"user-agent": "Bellwether-Webhooks/0.1", "accept": "*/*"}
        )

    async def deliver(self, alert: Alert) -> None:
        """Deliver `alert` to all receivers, at once.

        Raises:
            TransientError: at least one receiver is away or busy; call again. `retry_after` is the longest wait asked for.
            PermanentError: all have answered, and at least one will never take it: reason ``webhook.gone`` (410, the
                receiver wants no more) or ``webhook.refused`` (any other 3xx or 4xx).
        """
        if self._signer is None:
            return
        message_id = f"{alert.id}-{alert.status.value}"
        body = _body(alert)
        done = self._done.setdefault(message_id, {})
        waiting = [url for url in self._settings.urls if url not in done]
        faults = await asyncio.gather(*(self._call(url, message_id, body, self._signer) for url in waiting))
        for url, fault in zip(waiting, faults, strict=True):
            if not isinstance(fault, TransientError):
                done[url] = fault
        transient = [fault for fault in faults if isinstance(fault, TransientError)]
        if transient:
            self._forget_oldest()
            waits = [fault.retry_after for fault in transient if fault.retry_after is not None]
            raise TransientError(
                "; ".join(fault.message for fault in transient),
                mend="is the receiver up? its own log says why",
                retry_after=max(waits) if waits else None,
            )
        del self._done[message_id]
        permanent = [fault for fault in done.values() if fault is not None]
        if permanent:
            refused = next((fault for fault in permanent if fault.reason == "webhook.refused"), permanent[0])
            raise PermanentError("; ".join(fault.message for fault in permanent), reason=refused.reason, mend=refused.mend)

    async def close(self) -> None:
        """Let go of the connections. May be called twice."""
        await self._client.aclose()

    def _forget_oldest(self) -> None:
        # Messages that were given up between two tries would stay for ever.
        while len(self._done) > _REMEMBERED:
            del self._done[next(iter(self._done))]

    async def _call(self, url: str, message_id: str, body: str, signer: Webhook) -> TransientError | PermanentError | None:
        now = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signer.sign(message_id, now, body),
        }
        place = f"webhook: {masked(url)}"
        try:
            # The answer's body is never read: what a receiver sends back is of no use, however much it is.
            async with self._client.stream("POST", url, content=body.encode("utf-8"), headers=headers) as answer:
                return _fault(place, answer)
        except httpx.TransportError as error:
            return TransientError(f"{place}: {type(error).__name__}: {error}" if str(error) else f"{place}: {type(error).__name__}")
        except httpx.InvalidURL as error:
            return PermanentError(f"{place}: {error}", reason="webhook.refused", mend="mend webhook.urls")


def _signer(settings: WebhookSettings) -> Webhook:
    if settings.secret is None:
        raise SettingsError("webhook.secret: is missing", mend="whsec_ and 24 to 64 bytes in base64")
    try:
        return Webhook(settings.secret.get_secret_value())
    except (binascii.Error, ValueError, EmptyWebhookSecretError) as error:
        raise SettingsError("webhook.secret: after whsec_ there must be base64", mend="whsec_ and 24 to 64 bytes in base64") from error


def _body(alert: Alert) -> str:
    """The payload of the scheme: type, when the event happened, data. The same bytes for every try of a message."""
    payload = {
        "type": f"alert.{alert.status.value}",
        "timestamp": alert.observed.end.astimezone(UTC).isoformat(),
        "data": alert.model_dump(mode="json"),
    }
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def _fault(place: str, answer: httpx.Response) -> TransientError | PermanentError | None:
    status = answer.status_code
    if 200 <= status < 300:
        return None
    message = f"{place}: status {status}"
    if status == 410:
        return PermanentError(message, reason="webhook.gone", mend="take it out of webhook.urls: the receiver wants no more")
    if status in {408, 425, 429} or status >= 500:
        return TransientError(message, retry_after=_bounded(retry_after(answer.headers, datetime.now(UTC))))
    if 300 <= status < 400:
        return PermanentError(
            f"{message}: a redirect, which is not followed", reason="webhook.refused", mend="put the address it leads to in webhook.urls"
        )
    return PermanentError(message, reason="webhook.refused", mend="does the receiver have the same secret and address?")


def _bounded(seconds: float | None) -> float | None:
    return None if seconds is None else min(seconds, _LONGEST_WAIT)
