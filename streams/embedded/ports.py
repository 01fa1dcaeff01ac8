"""Free ports of the loopback address."""

from __future__ import annotations

import random
import socket
from typing import Final

from streams.errors import StackError

__all__ = ["HOST", "free_ports", "is_free"]

HOST: Final = "127.0.0.1"

_FIRST, _LAST = 20_000, 32_000
# Below the range from which systems take the ports of outgoing connections: a server that is restarted finds its port
# again, and no client that knocks at a dead server can by chance be connected to itself.


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of the last server that still linger do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """`count` different ports on which nobody listens. Raises StackError when there are not so many."""
    found: list[int] = []
    for port in random.sample(range(_FIRST, _LAST), 2_000):
        if is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise StackError(f"fewer than {count} free ports between {_FIRST} and {_LAST} on {HOST}")
