"""One POST against receivers that are slow, loud or not there."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web

from streams.delivery.client import Answer, Client
from streams.delivery.guard import Guard
from streams.errors import PermanentError, TransientError

LOCAL = (ip_network("127.0.0.0/8"),)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    found = Client(Guard(LOCAL))
    yield found
    await found.close()
    await found.close()


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def talker() -> AsyncIterator[Callable[[Talk], Awaitable[str]]]:
    """A server that speaks as a test says, byte for byte."""
    servers: list[asyncio.Server] = []

    async def start(talk: Talk) -> str:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"

    yield start
    for server in servers:
        server.close()


async def test_a_post_arrives_as_it_is(client: Client, receiver: Any) -> None:
    answer = await client.post(f"{receiver.url}/hook?x=1", "{“ё”}".encode(), {"content-type": "application/json", "x-key": "1"}, seconds=2)
    assert (answer.status, answer.body) == (204, "")
    [(path, headers, body)] = receiver.requests
    assert (path, body.decode()) == ("/hook?x=1", "{“ё”}")
    assert headers["content-type"] == "application/json"
    assert headers["x-key"] == "1"
    assert headers["user-agent"].startswith("Bellwether-Webhooks/")
    assert headers["host"] == receiver.url.removeprefix("http://")


async def test_proxies_of_the_environment_are_not_asked(client: Client, receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await client.post(receiver.url, b"", {}, seconds=2)).status == 204


async def test_a_receiver_that_drips_is_left_in_time(client: Client, talker: Any) -> None:
    """Slow loris the other way round: a byte of header now and then would keep every single read alive."""

    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nx-drip: ")
        while not writer.is_closing():
            writer.write(b"a")
            await asyncio.sleep(0.05)

    began = time.monotonic()
    with pytest.raises(TransientError, match=r"no answer within 0\.5 s"):
        await client.post(await talker(drips), b"{}", {}, seconds=0.5)
    assert time.monotonic() - began < 30, "it would drip for ever"


async def test_a_receiver_that_never_takes_the_body_is_left_in_time(client: Client, talker: Any) -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    with pytest.raises(TransientError, match="no answer"):
        await client.post(await talker(deaf), b"x" * 50_000_000, {}, seconds=0.5)


async def test_a_flood_for_an_answer_is_not_read(client: Client, receiver: Any) -> None:
    sent = 0

    async def floods(request: web.Request, body: bytes) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(2000):
            await response.write(b"x" * 65536)
            sent += 65536
        return response

    receiver.answer = floods
    assert (await client.post(receiver.url, b"", {}, seconds=2)).status == 200
    answer = await client.post(receiver.url, b"", {}, seconds=2, wanted=100)
    assert answer.body == "x" * 100
    assert sent < 64 * 1024 * 1024


async def test_endless_headers_are_refused(client: Client, talker: Any) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(5_000):
            writer.write(b"x-%d: %s\r\n" % (number, b"y" * 1000))
            await asyncio.sleep(0)

    with pytest.raises(TransientError, match="RemoteProtocolError"):
        await client.post(await talker(endless), b"", {}, seconds=3)


@pytest.mark.parametrize("words", [b"", b"220 mail.example ESMTP\r\n", b"\x00\xff\xfe"])
async def test_what_speaks_no_http_may_do_so_later(words: bytes, client: Client, talker: Any) -> None:
    async def babbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(words)
        writer.close()

    with pytest.raises(TransientError):
        await client.post(await talker(babbles), b"", {}, seconds=2)


async def test_nobody_there_and_no_secret_in_the_message(client: Client) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with pytest.raises(TransientError, match="ConnectError") as caught:
        await client.post(f"http://127.0.0.1:{port}/hook?token=s3cret", b"", {}, seconds=2)
    assert f"http://127.0.0.1:{port}/hook" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://a.example/", "http://", "http://[::1/", "http://a.example:99999/", "http://a b/", "not an address"])
async def test_what_is_no_address_is_refused(url: str, client: Client) -> None:
    with pytest.raises((PermanentError, TransientError)) as caught:
        await client.post(url, b"", {}, seconds=1)
    assert "\n" not in str(caught.value)


async def test_a_name_in_another_script(receiver: Any) -> None:
    asked: list[str] = []

    async def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    client = Client(Guard(LOCAL, resolver))
    port = receiver.url.rpartition(":")[2]
    assert (await client.post(f"http://пример.example:{port}/", b"", {}, seconds=2)).status == 204
    assert asked == ["xn--e1afmkfd.example"]
    assert receiver.requests[0][1]["host"] == f"xn--e1afmkfd.example:{port}"
    await client.close()


async def test_what_is_not_allowed_is_never_called(receiver: Any) -> None:
    client = Client(Guard())
    for url in (receiver.url, receiver.url.replace("127.0.0.1", "localhost")):
        with pytest.raises(PermanentError, match="loopback") as caught:
            await client.post(url, b"", {}, seconds=2)
        assert caught.value.reason == "webhook.forbidden"
    assert receiver.requests == []
    await client.close()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        ("0", 0),
        (lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True), 90),
        (lambda: format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True), 0),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_a_receiver_that_may_take_it_later(status: int, value: Any, seconds: float | None) -> None:
    headers = {"retry-after": value() if callable(value) else value}
    with pytest.raises(TransientError, match=str(status)) as caught:
        Answer(status, headers).check("here", setting="webhook.urls")
    assert caught.value.retry_after == (None if seconds is None else pytest.approx(seconds, abs=2))


@pytest.mark.parametrize(
    ("status", "reason"),
    [(410, "webhook.gone"), (400, "webhook.refused"), (301, "webhook.refused"), (418, "webhook.refused")],
)
def test_a_receiver_that_will_never_take_it(status: int, reason: str) -> None:
    with pytest.raises(PermanentError, match=str(status)) as caught:
        Answer(status, {}).check("here", setting="webhook.urls")
    assert caught.value.reason == reason
    assert caught.value.mend


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_well(status: int) -> None:
    Answer(status, {}).check("here", setting="webhook.urls")
