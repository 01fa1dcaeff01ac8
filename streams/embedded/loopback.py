"""HTTP to our own children: plain, on the loopback, past every proxy that the environment names."""

from __future__ import annotations

import ssl
from typing import Final

import httpx

__all__ = ["loopback_client"]

# Reading the system's certificates takes longer than the request, and no request here is encrypted: trust nobody.
_NO_CERTIFICATES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def loopback_client(url: str, *, seconds: float) -> httpx.AsyncClient:
    """A client for the server at `url` whose requests end after `seconds`."""
    return httpx.AsyncClient(base_url=url, timeout=seconds, trust_env=False, verify=_NO_CERTIFICATES)
