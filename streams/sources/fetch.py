"""Polite HTTP: bounded in time, size and redirects, one request at a time for each host and with a pause between two."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import httpx

from streams.errors import TransientError

__all__ = ["Answer", "Fetcher", "origin_of", "shown"]

_REDIRECTS = {301, 302, 303, 307, 308}
_PERMANENT = {301, 308}
_MAX_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. `moved_to`: the address behind redirects that were all permanent, if there were any."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    moved_to: str | None = None


@dataclass(slots=True)
class _Host:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    ended: float = float("-inf")


def origin_of(url: str) -> str:
    """Scheme, host and port: what a robots.txt speaks for."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def shown(url: str) -> str:
    """An address fit for logs: without user, password, and the values behind the question mark."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" + ("?…" if parts.query else "")


class _Body:
    """Collects a body and unpacks it, never beyond a limit: a few packed kilobytes can hold gigabytes.

    Raises ValueError (of which zlib's fault is made one) for what cannot be unpacked.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()
        self._decoder = None
        if encoding.strip().lower() in {"gzip", "x-gzip"}:
            self._decoder = zlib.decompressobj(wbits=31)
        elif encoding.strip().lower() not in {"", "identity"}:
            raise ValueError(f"packed as {encoding!r}, which was not asked for")

    @property
    def full(self) -> bool:
        return len(self._data) > self._limit

    def add(self, piece: bytes) -> None:
        if self._decoder is None:
            self._data += piece
            return
        try:
            self._data += self._decoder.decompress(piece, self._limit + 1 - len(self._data))
        except zlib.error as error:
            raise ValueError(str(error)) from error

    def content(self) -> bytes:
        if self._decoder is not None and not self._decoder.eof and not self.full and self._data:
            raise ValueError("the packed body is cut off")
        return bytes(self._data[: self._limit])


class Fetcher:
    """Fetches over HTTP and HTTPS.

    Args:
        user_agent: how we present ourselves.
        timeout: seconds for one request, from the connection to the last byte.
        pause: least seconds between two requests to one host.
    """

    def __init__(self, *, user_agent: str, timeout: float, pause: float = 1.0) -> None:
        self._timeout = timeout
        self._pause = pause
        self._hosts: dict[str, _Host] = {}
        self._client = httpx.AsyncClient(
            headers={"user-agent": user_agent, "accept-encoding": "gzip"}, timeout=timeout, follow_redirects=False
        )

    async def request(
        self, url: str, *, headers: Mapping[str, str] | None = None, max_bytes: int, pause: float = 0.0, cut: bool = False
    ) -> Answer:
        """One GET without following redirects.

        Args:
            url: http or https.
            headers: beside the usual ones.
            max_bytes: largest body, unpacked.
            pause: seconds that this host asks for between two requests, if more than ours.
            cut: a larger body is cut off and not refused.

        Raises:
            TransientError: no whole answer within the time, no connection, or a body larger than `max_bytes`.
        """
        host = self._hosts.setdefault(origin_of(url), _Host())
        async with host.lock:
            await asyncio.sleep(max(0.0, host.ended + max(self._pause, pause) - time.monotonic()))
            try:
                async with asyncio.timeout(self._timeout):
                    return await self._get(url, headers or {}, max_bytes, cut=cut)
            except TimeoutError as error:
                raise TransientError(f"{shown(url)} gave no whole answer in {self._timeout:g} s") from error
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                raise TransientError(f"{shown(url)} cannot be fetched: {type(error).__name__} {error}".rstrip()) from error
            finally:
                host.ended = time.monotonic()

    async def _get(self, url: str, headers: Mapping[str, str], max_bytes: int, *, cut: bool) -> Answer:
        async with self._client.stream("GET", url, headers=dict(headers)) as response:
            body = _Body(response.headers.get("content-encoding", ""), max_bytes)
            async for piece in response.aiter_raw():
                body.add(piece)
                if body.full:
                    if not cut:
                        raise TransientError(f"{shown(url)} is larger than {max_bytes} bytes")
                    break
            return Answer(url, response.status_code, response.headers, body.content())

    @staticmethod
    def redirected(answer: Answer) -> str | None:
        """The address that a redirect names; None: not a redirect, or it names none over HTTP."""
        location = answer.headers.get("location")
        if answer.status not in _REDIRECTS or not location:
            return None
        try:
            target = urljoin(answer.url, location)
        except ValueError:
            return None
        return target if target.startswith(("http://", "https://")) else None

    @staticmethod
    def permanent(answer: Answer) -> bool:
        """Whether a redirect is for good (301, 308)."""
        return answer.status in _PERMANENT

    @property
    def max_redirects(self) -> int:
        """Redirects that are followed for one visit."""
        return _MAX_REDIRECTS

    async def close(self) -> None:
        """Close connections."""
        await self._client.aclose()
