"""Which addresses are called, and that a connection goes to the very address that was judged."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Any

import httpcore
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.delivery.client import Client
from streams.delivery.guard import Guard, GuardedBackend, refusal, resolve
from streams.errors import PermanentError, TransientError

LOCAL = (ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.4",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "100::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert refusal(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "100.63.255.255", "172.32.0.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2606:4700::1111"]
)
def test_what_is_public_is_called(address: str) -> None:
    assert refusal(address) is None


@given(st.ip_addresses(v=4))
def test_an_address_in_another_dress_is_judged_as_itself(address: IPv4Address) -> None:
    plain = refusal(str(address)) is None
    mapped = IPv6Address(f"::ffff:{address}")
    assert (refusal(str(mapped)) is None) == plain
    if not plain:
        number = int(address)
        assert refusal(str(IPv6Address((0x64FF9B << 96) | number)))
        assert refusal(str(IPv6Address((0x2002 << 112) | (number << 80) | 1)))


@given(st.ip_addresses(v=4))
@settings(max_examples=50)
def test_what_is_allowed_is_called_and_no_more(address: IPv4Address) -> None:
    assert refusal(str(address), [ip_network(f"{address}/32")]) is None
    assert refusal(f"::ffff:{address}", [ip_network(f"{address}/32")]) is None
    assert refusal("10.9.8.8", [ip_network("10.9.8.0/29")])


class Names:
    """A resolver that answers as it is told, one answer after the other."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def test_of_several_addresses_only_the_public_ones_are_left() -> None:
    assert await Guard(resolver=Names(["10.0.0.1", "8.8.8.8", "::1"])).addresses("a.example", 443) == ["8.8.8.8"]
    with pytest.raises(PermanentError, match=r"10\.0\.0\.1 is private") as caught:
        await Guard(resolver=Names(["10.0.0.1", "::1"])).addresses("a.example", 443)
    assert caught.value.reason == "webhook.forbidden"
    assert 'webhook.allow_networks=["10.0.0.1/32"]' in caught.value.mend


async def test_the_systems_resolver_knows_this_machine() -> None:
    found = await resolve("localhost", 80)
    assert found
    assert set(found) <= {"127.0.0.1", "::1"}
    assert all(refusal(address) for address in found)
    # Other ways to write 127.0.0.1, which the system's resolver understands.
    for odd in ("2130706433", "0x7f.1", "127.1"):
        with pytest.raises((PermanentError, OSError)):
            await Guard().addresses(odd, 80)


class Recorder(httpcore.AsyncNetworkBackend):
    """Connects to nothing and remembers whereto."""

    def __init__(self) -> None:
        self.called: list[str] = []

    async def connect_tcp(self, host: str, port: int, *rest: Any, **more: Any) -> httpcore.AsyncNetworkStream:
        self.called.append(host)
        raise httpcore.ConnectError("refused")


async def test_a_name_that_answers_otherwise_the_second_time_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: public when it is judged, private when it is called. It is asked once, and the answer is what is called."""
    names = Names(["8.8.8.8"], ["127.0.0.1"])
    backend, recorder = GuardedBackend(Guard(resolver=names)), Recorder()
    monkeypatch.setattr(backend, "_inner", recorder)
    with pytest.raises(httpcore.ConnectError):
        await backend.connect_tcp("rebind.example", 80)
    assert (recorder.called, names.asked) == (["8.8.8.8"], [("rebind.example", 80)])
    with pytest.raises(PermanentError, match="loopback"):
        await backend.connect_tcp("rebind.example", 80)
    assert recorder.called == ["8.8.8.8"]


async def test_every_message_is_judged_anew(receiver: Any) -> None:
    """Nothing is kept open: a name that has moved meanwhile is not called through an old connection."""
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    client = Client(Guard(LOCAL, names))
    url = f"http://inner.example:{receiver.url.rpartition(':')[2]}/"
    assert (await client.post(url, b"{}", {}, seconds=2, wanted=10)).status == 204
    assert receiver.requests[0][1]["host"] == url.removeprefix("http://").rstrip("/"), "the name stays that of the address"
    with pytest.raises(PermanentError, match="private"):
        await client.post(url, b"{}", {}, seconds=2, wanted=10)
    assert len(receiver.requests) == 1
    await client.close()


async def test_the_next_address_where_the_first_does_not_answer(receiver: Any) -> None:
    client = Client(Guard(LOCAL, Names(["127.0.0.2", "127.0.0.1"])))
    assert (await client.post(f"http://a.example:{receiver.url.rpartition(':')[2]}/", b"", {}, seconds=2)).status == 204
    await client.close()


@pytest.mark.parametrize("answer", [OSError(-2, "Name or service not known"), UnicodeError("label too long")])
async def test_a_name_that_does_not_resolve_may_later(answer: Exception) -> None:
    async def fails(host: str, port: int) -> Sequence[str]:
        raise answer

    client = Client(Guard(LOCAL, fails))
    with pytest.raises(TransientError, match="does not resolve"):
        await client.post("http://nowhere.example/", b"", {}, seconds=2)
    await client.close()


async def test_sockets_of_this_machine_are_refused() -> None:
    with pytest.raises(PermanentError):
        await GuardedBackend(Guard(LOCAL)).connect_unix_socket("/run/docker.sock")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of secure.example, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    key, file = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=secure.example"]
    command += ["-addext", "subjectAltName=DNS:secure.example", "-keyout", str(key), "-out", str(file)]
    with contextlib.suppress(FileNotFoundError):
        subprocess.run(command, check=True, capture_output=True)
    if not file.exists():
        pytest.skip("needs the program openssl to make a certificate")
    return key, file


@pytest.fixture
async def secure(certificate: tuple[Path, Path]) -> AsyncIterator[tuple[int, list[str | None]]]:
    """An HTTPS server: its port, and the names by which it was called (SNI)."""
    key, file = certificate
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    context.sni_callback = lambda _socket, name, _context: names.append(name)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1], names
    server.close()


async def test_tls_is_checked_against_the_name_and_not_the_address(
    secure: tuple[int, list[str | None]], certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, names = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
    trusted = ssl.create_default_context(cafile=str(certificate[1]))
    client = Client(Guard(LOCAL, Names(["127.0.0.1"])))
    monkeypatch.setattr(client._pool, "_ssl_context", trusted)
    assert (await client.post(f"https://secure.example:{port}/", b"", {}, seconds=3)).status == 204
    assert names == ["secure.example"]
    with pytest.raises(TransientError, match="certificate"):
        await client.post(f"https://other.example:{port}/", b"", {}, seconds=3)
    await client.close()
