"""Datagrams on loopback, and which socket of a group has them.

Owns: sending from a new port, and waiting for what was sent. May not know: who steers.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence
from typing import Any

TIMEOUT = 5.0


def send_from_new_port(payload: bytes, address: Any, family: int = socket.AF_INET) -> None:
    """Send one datagram from a socket made for it."""
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.sendto(payload, address)


def arrivals(sockets: Sequence[socket.socket], count: int = 1) -> list[int]:
    """Wait for `count` datagrams: the numbers of the sockets that had them, sorted. More are an error."""
    found: list[int] = []
    while len(found) < count:
        ready, _, _ = select.select(sockets, (), (), TIMEOUT)
        assert ready, f"only {len(found)} of {count} datagrams came"
        for sock in ready:
            sock.recv(65536)
            found.append(sockets.index(sock))
    ready, _, _ = select.select(sockets, (), (), 0)
    assert not ready, "more datagrams came than were sent"
    return sorted(found)
