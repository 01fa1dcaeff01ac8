"""Free ports."""

from __future__ import annotations

import socket

from streams.embedded.ports import HOST, free_ports, is_free


def test_free_ports_are_different_and_nobody_listens_there() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    with socket.socket() as server:
        server.bind((HOST, ports[0]))
        server.listen()
        assert not is_free(ports[0])
    assert is_free(ports[0])
