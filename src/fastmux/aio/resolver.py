"""The addresses of a host, without a thread where the host is an address already.

Owns: when a name has to be looked up, which ports there are. May not know: who connects or listens.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterable
from operator import index
from typing import Any, SupportsIndex, cast

from fastmux.protocol.events import Address


def check_port(port: SupportsIndex, lowest: int = 1) -> int:
    """The port; sockets take others modulo 2^16. Raises TypeError for what is no integer, ValueError."""
    number = index(port)
    if not lowest <= number <= 65535:
        raise ValueError(f"a port is {lowest} to 65535, not {number}")
    return number


def without_missing_families(found: Iterable[Any]) -> list[Any]:
    """Of what `getaddrinfo` found for any host, what this system has: it names IPv6 where there is none.

    Everything if nothing else is left, so that binding says what is missing.
    """
    rows = list(found)
    missing = {family for family in {row[0] for row in rows} if not _has_family(family)}
    return [row for row in rows if row[0] not in missing] or rows


def _has_family(family: int) -> bool:
    try:
        socket.socket(family, socket.SOCK_DGRAM).close()
    except OSError as error:
        return error.errno != errno.EAFNOSUPPORT
    return True


async def addresses_of(host: str | None, port: int, *, flags: int = 0) -> list[tuple[int, Address]]:
    """Return `(family, address)` for each address that UDP can reach, in the order of RFC 6724, each once.

    `host` is an address, a name, or None for any (with `flags` AI_PASSIVE). Raises OSError if it has none.
    """
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_DGRAM, flags=flags | socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except socket.gaierror:  # a name: to look it up may take long, so a thread does it
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=flags)
    if not found:
        raise OSError(f"{host} has no address that UDP can reach")
    if host is None:
        found = without_missing_families(found)
    return list(dict.fromkeys((family, cast(Address, address)) for family, _, _, _, address in found))
