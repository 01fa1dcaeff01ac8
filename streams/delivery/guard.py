"""Whom a message may be sent to: public addresses, and networks that the settings allow.

An address in a rule file or a settings file may have been written by somebody who should not reach what this machine
reaches: the metadata service of a cloud, a database on localhost. So a name is resolved here, its addresses are judged, and
the connection is made to the very address that was judged: a name that answers otherwise the second time gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpcore

from streams.errors import PermanentError

__all__ = ["Guard", "GuardedBackend", "Resolver", "refusal", "resolve"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

_CARRIER = IPv4Network("100.64.0.0/10")
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
# Not public either, but not (in every release of Python) among what `ipaddress` calls so.
_SPECIAL: tuple[Network, ...] = (
    ip_network("192.0.0.0/24"),  # protocol assignments, RFC 6890
    ip_network("192.88.99.0/24"),  # 6to4 relays, RFC 7526
    ip_network("64:ff9b:1::/48"),  # NAT64 of a local network, RFC 8215
    ip_network("5f00::/16"),  # segment routing, RFC 9602
)


def refusal(address: str, allowed: Iterable[Network] = ()) -> str | None:
    """Why nothing may be sent to `address`; None: something may.

    An IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4, Teredo) is judged by both.

    Args:
        address: IPv4 or IPv6, as a resolver gives it.
        allowed: networks that are allowed although they are not public.
    """
    networks = tuple(allowed)
    found = ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    judged: Address = mapped or found
    if any(judged in network for network in networks if network.version == judged.version):
        return None
    why = _kind(judged)
    if why is None and isinstance(judged, IPv6Address):
        for carried in _carried(judged):
            inner = refusal(str(carried), networks)
            if inner is not None:
                return f"carries {carried}, which is {inner}"
    return why


def _carried(address: IPv6Address) -> list[IPv4Address]:
    """IPv4 addresses to which a translator or a tunnel would lead."""
    found: list[IPv4Address] = []
    if address in _NAT64 or address in _COMPATIBLE:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found.extend(address.teredo)
    return found


def _kind(address: Address) -> str | None:
    """What a special address is, by the registries of IANA (RFC 6890)."""
    kinds = (
        (address.is_unspecified, "unspecified"),
        (address.is_loopback, "loopback"),
        (address.is_link_local, "link-local"),
        (address.is_multicast, "multicast"),
        (isinstance(address, IPv4Address) and address in _CARRIER, "shared by a carrier (CGNAT)"),
        (address.is_private or (isinstance(address, IPv6Address) and address.is_site_local), "private"),
        (address.is_reserved and not (isinstance(address, IPv6Address) and address in _NAT64), "reserved"),
        (any(address in network for network in _SPECIAL if network.version == address.version), "reserved"),
    )
    return next((kind for holds, kind in kinds if holds), None)


async def resolve(host: str, port: int) -> Sequence[str]:
    """The system's answer, each address once, in its order. Raises socket.gaierror."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Guard:
    """Resolves names and gives back only what may be called.

    Args:
        allowed: networks that are allowed although they are not public.
        resolver: asked once for each connection.
    """

    def __init__(self, allowed: Iterable[Network] = (), resolver: Resolver = resolve) -> None:
        self._allowed = tuple(allowed)
        self._resolver = resolver

    async def addresses(self, host: str, port: int) -> list[str]:
        """Addresses of `host` that may be called, at least one.

        Raises:
            PermanentError: none of them may; reason ``webhook.forbidden``.
            OSError: the name does not resolve.
        """
        found = await self._resolver(host, port)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} has no address")
        refused = {address: why for address in found if (why := refusal(address, self._allowed)) is not None}
        good = [address for address in found if address not in refused]
        if not good:
            shown = ", ".join(f"{address} is {why}" for address, why in list(refused.items())[:3])
            raise PermanentError(
                f"{host}: {shown}: nothing is sent there",
                reason="webhook.forbidden",
                mend=f'if this is meant: webhook.allow_networks=["{_as_network(next(iter(refused)))}"]',
            )
        return good


def _as_network(address: str) -> str:
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(ip_network(found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to what a guard lets through. The name stays that of the URL for TLS and ``Host``: only the address is settled here.

    Args:
        guard: resolves and judges.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the contract of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers.

        Raises:
            PermanentError: no address of `host` may be called.
            httpcore.ConnectError: it does not resolve, or nothing answers.
        """
        try:
            addresses = await self._guard.addresses(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} does not resolve: {error}") from error
        for position, address in enumerate(addresses):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if position == len(addresses) - 1:
                    raise
        raise AssertionError("a guard gives at least one address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the contract of httpcore
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refused: a socket on this machine is no public address."""
        raise PermanentError(f"{path}: a socket of this machine", reason="webhook.forbidden")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
