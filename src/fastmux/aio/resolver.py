"""The addresses of a host, without a thread where the host is an address already.

Owns: when a name has to be looked up. May not know: who connects or listens.
"""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from fastmux.protocol.events import Address


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
    return list(dict.fromkeys((family, cast(Address, address)) for family, _, _, _, address in found))
