"""Kinds of values that settings take: addresses, counts, lengths of time."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

__all__ = ["Count", "Duration", "HostPort", "HttpUrl", "Network", "Seconds"]


def _http(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    if "@" in urlsplit(value).netloc:
        raise ValueError("must not hold a user or password: addresses are shown and logged")
    return value.rstrip("/")


def _host_port(value: str) -> str:
    for server in value.split(","):
        host, _, port = server.strip().rpartition(":")
        if "@" in server:
            raise ValueError("must not hold a user or password: addresses are shown and logged")
        if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
            raise ValueError(f"{server.strip()!r} is not host:port")
    return ",".join(server.strip() for server in value.split(","))


def _seconds(value: object) -> object:
    # In the environment everything is text: pydantic reads 3600 as seconds, but not "3600".
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


HttpUrl = Annotated[str, AfterValidator(_http)]
HostPort = Annotated[str, AfterValidator(_host_port)]
Network: TypeAlias = IPv4Network | IPv6Network
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Duration = Annotated[timedelta, BeforeValidator(_seconds)]
