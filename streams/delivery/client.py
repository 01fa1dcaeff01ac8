"""HTTP as deliveries need it: one POST, no redirects, no proxies, an end in time, and no more of the answer than is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpcore
import httpx

from streams.delivery.guard import Guard, GuardedBackend
from streams.errors import PermanentError, TransientError
from streams.retry_after import retry_after
from streams.sinks.connection import masked

__all__ = ["USER_AGENT", "Answer", "Client"]

USER_AGENT = "Bellwether-Webhooks/0.1"

_TRANSIENT = {408, 425, 429}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said: status, headers in lower case, and the begin of the body where that was asked for."""

    status: int
    headers: Mapping[str, str]
    body: str = ""

    def check(self, place: str, *, setting: str) -> None:
        """Return if this is a 2xx.

        Args:
            place: begin of the message.
            setting: what a reader would have to mend.

        Raises:
            TransientError: 408, 425, 429 or 5xx; with what ``Retry-After`` asks for.
            PermanentError: reason ``webhook.gone`` (410) or ``webhook.refused`` (any other).
        """
        if 200 <= self.status < 300:
            return
        message = f"{place}: status {self.status}" + (f": {self.body}" if self.body else "")
        if self.status == 410:
            raise PermanentError(message, reason="webhook.gone", mend=f"the receiver wants no more: change or take out {setting}")
        if self.status in _TRANSIENT or self.status >= 500:
            raise TransientError(message, mend="the receiver's own log says why", retry_after=retry_after(self.headers, datetime.now(UTC)))
        if 300 <= self.status < 400:
            raise PermanentError(
                f"{message}: a redirect, which is not followed",
                reason="webhook.refused",
                mend=f"put the address it leads to in {setting}",
            )
        raise PermanentError(message, reason="webhook.refused", mend="does the receiver have the same secret and address?")


class Client:
    """Posts to what a guard lets through. Every message has a connection of its own: it is judged anew, and none goes stale.

    Args:
        guard: judges addresses.
    """

    def __init__(self, guard: Guard) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            network_backend=GuardedBackend(guard), max_connections=None, max_keepalive_connections=0, retries=0
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, seconds: float, wanted: int = 0) -> Answer:
        """Send `body`; the answer is that of `url` itself.

        Args:
            url: http or https.
            body: sent as it is.
            headers: beside ``Host``, ``Content-Length``, ``User-Agent`` and ``Accept``.
            seconds: for all of it, from the name's resolution to the answer: a receiver that drips holds nobody up.
            wanted: bytes of the answer's body to read; the rest is never received.

        Raises:
            TransientError: no answer in time, or none that is HTTP.
            PermanentError: reason ``webhook.forbidden`` (the address may not be called) or ``webhook.refused`` (not a URL).
        """
        place, target = _parsed(url)
        given = {name.lower(): value for name, value in headers.items()}
        sent = {"host": target.netloc.decode("ascii"), "user-agent": USER_AGENT, "accept": "*/*", **given, "content-length": str(len(body))}
        try:
            async with asyncio.timeout(seconds):
                return await self._post(target, body, sent, wanted)
        except TimeoutError as error:
            raise TransientError(f"{place}: no answer within {seconds:g} s", mend="is the receiver up?") from error
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            detail = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise TransientError(f"{place}: {detail}", mend="is the receiver up? its own log says why") from error
        except (httpcore.UnsupportedProtocol, ValueError) as error:
            raise PermanentError(f"{place}: {error}", reason="webhook.refused", mend="mend the address") from error
        except PermanentError as error:
            raise PermanentError(f"{place}: {error.message}", reason=error.reason, mend=error.mend) from error

    async def _post(self, target: httpx.URL, body: bytes, headers: Mapping[str, str], wanted: int) -> Answer:
        sent = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
        url = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)
        async with self._pool.stream("POST", url, headers=sent, content=body) as response:
            received = bytearray()
            if wanted:
                async for part in response.aiter_stream():
                    received += part[: wanted - len(received)]
                    if len(received) >= wanted:
                        break
            given = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return Answer(response.status, given, " ".join(bytes(received).decode("utf-8", "replace").split()))

    async def close(self) -> None:
        """Let go of the connections. May be called twice."""
        await self._pool.aclose()


def _parsed(url: str) -> tuple[str, httpx.URL]:
    """The address as it may be shown, and in its parts (a name in another script in its ASCII form)."""
    try:
        return masked(url), httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise PermanentError(f"the address is not one: {error}", reason="webhook.refused", mend="mend the address") from error
