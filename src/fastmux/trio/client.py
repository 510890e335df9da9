"""`connect` for trio.

Owns: from a host name to an open connection. May not know: what a handshake proves, how datagrams move.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncGenerator
from functools import partial
from typing import Final, Unpack, cast

import trio

from fastmux.aio.backoff import Backoff
from fastmux.aio.client import ConnectorOf, HandshakeMaker, open_connection
from fastmux.aio.connection import Connection as Inner
from fastmux.aio.reconnecting import connections
from fastmux.aio.resolver import without_missing_families
from fastmux.aio.settings import Settings, client_configuration
from fastmux.aio.tls_argument import check_tls
from fastmux.protocol.events import Address
from fastmux.trio.attempts import first_success
from fastmux.trio.connection import Connection
from fastmux.trio.driver import TrioDriver
from fastmux.trio.transport import open_transport

_DEFAULT_BACKOFF: Final = Backoff()


class Connector(ConnectorOf[Connection]):
    """What `connect` returns: await it, or use it in `async with` or `async for`. Use it once."""

    def __aiter__(self) -> AsyncGenerator[Connection, None]:
        """Connections, one after the other: see `fastmux.connect`."""
        return connections(self._open, self._backoff, clock=trio.current_time, sleep=trio.sleep)

    async def _open(self) -> Connection:
        with trio.move_on_after(float("inf") if self._open_timeout is None else self._open_timeout):
            found = await addresses_of(self._host, self._port)
            attempts = [partial(self._open_one, family, address) for family, address in found]
            return Connection(await first_success(attempts, Inner.abort))
        raise self._too_late()

    async def _open_one(self, family: int, address: Address) -> Inner:
        handshake = self._tls.create_handshake(True, self._host)
        transport = open_transport(family, self._local_address)
        return await open_connection(TrioDriver(transport, self._configuration), address, handshake)


async def addresses_of(host: str | None, port: int, *, flags: int = 0) -> list[tuple[int, Address]]:
    """Return `(family, address)` for each address that UDP can reach, in the order of RFC 6724, each once.

    `host` is an address, a name, or None for any (with `flags` AI_PASSIVE). Raises OSError if it has none.
    """
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=flags)
    if not found:
        raise OSError(f"{host} has no address that UDP can reach")
    if host is None:
        found = without_missing_families(found)
    return list(dict.fromkeys((int(family), cast(Address, address)) for family, _, _, _, address in found))


def connect(
    host: str,
    port: int,
    *,
    tls: HandshakeMaker,
    open_timeout: float | None = 10,
    local_address: tuple[str, int] | None = None,
    backoff: Backoff = _DEFAULT_BACKOFF,
    qlog: str | os.PathLike[str] | None = None,
    **settings: Unpack[Settings],
) -> Connector:
    """Connect to a listener: `await connect(…)` or `async with connect(…) as connection`.

    `async for connection in connect(…)` connects again and again. Where the loop may be left early, put
    `contextlib.aclosing` around `aiter(connect(…))`, as trio asks for every asynchronous generator.

    Arguments and errors are those of `fastmux.connect`. The connection belongs to the trio run, not to a
    nursery: it ends with its block, with `aclose`, or with the run.
    """
    check_tls(tls)
    configuration = client_configuration(settings, qlog)
    return Connector(host, port, tls, open_timeout, local_address, backoff, configuration)
