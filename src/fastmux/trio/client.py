"""`connect` for trio.

Owns: from a host name to an open connection. May not know: what a handshake proves, how datagrams move.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Generator
from functools import partial
from types import TracebackType
from typing import Any, Final, Unpack, cast

import trio

from fastmux.aio.backoff import Backoff
from fastmux.aio.client import HandshakeMaker, open_connection
from fastmux.aio.connection import Connection as Inner
from fastmux.aio.reconnecting import connections
from fastmux.aio.settings import Settings
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.events import Address
from fastmux.trio.attempts import first_success
from fastmux.trio.connection import Connection
from fastmux.trio.driver import TrioDriver
from fastmux.trio.transport import open_transport

_DEFAULT_BACKOFF: Final = Backoff()


class Connector:
    """What `connect` returns: await it, or use it in `async with` or `async for`. Use it once."""

    def __init__(
        self,
        host: str,
        port: int,
        tls: HandshakeMaker,
        open_timeout: float | None,
        local_address: tuple[str, int] | None,
        backoff: Backoff,
        configuration: Configuration,
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._open_timeout = open_timeout
        self._local_address = local_address
        self._backoff = backoff
        self._configuration = configuration
        self._connection: Connection | None = None

    def __await__(self) -> Generator[Any, None, Connection]:
        return self._open().__await__()

    async def __aenter__(self) -> Connection:
        self._connection = await self._open()
        return self._connection

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close gracefully after a clean block, at once after an error."""
        if self._connection is not None:
            await self._connection.__aexit__(exc_type, exc, traceback)

    def __aiter__(self) -> AsyncGenerator[Connection, None]:
        """Connections, one after the other: see `fastmux.connect`."""
        return connections(self._open, self._backoff, clock=trio.current_time, sleep=trio.sleep)

    async def _open(self) -> Connection:
        with trio.move_on_after(float("inf") if self._open_timeout is None else self._open_timeout):
            found = await addresses_of(self._host, self._port)
            attempts = [partial(self._open_one, family, address) for family, address in found]
            return Connection(await first_success(attempts, Inner.abort))
        raise TimeoutError(f"no connection to {self._host} port {self._port} within {self._open_timeout:g} s")

    async def _open_one(self, family: int, address: Address) -> Inner:
        handshake = self._tls.create_handshake(True, self._host)
        transport = open_transport(family, self._local_address)
        driver = TrioDriver(transport, self._configuration)
        try:
            return await open_connection(driver, address, handshake)
        except BaseException:
            driver.close_when_idle()  # not at once: the peer must hear why, and may not have yet
            raise


async def addresses_of(host: str | None, port: int, *, flags: int = 0) -> list[tuple[int, Address]]:
    """Return `(family, address)` for each address that UDP can reach, in the order of RFC 6724, each once.

    `host` is an address, a name, or None for any (with `flags` AI_PASSIVE). Raises OSError if it has none.
    """
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=flags)
    if not found:
        raise OSError(f"{host} has no address that UDP can reach")
    return list(dict.fromkeys((int(family), cast(Address, address)) for family, _, _, _, address in found))


def connect(
    host: str,
    port: int,
    *,
    tls: HandshakeMaker,
    open_timeout: float | None = 10,
    local_address: tuple[str, int] | None = None,
    backoff: Backoff = _DEFAULT_BACKOFF,
    **settings: Unpack[Settings],
) -> Connector:
    """Connect to a listener: `await connect(…)` or `async with connect(…) as connection`.

    `async for connection in connect(…)` connects again and again. Where the loop may be left early, put
    `contextlib.aclosing` around `aiter(connect(…))`, as trio asks for every asynchronous generator.

    Arguments and errors are those of `fastmux.connect`. The connection belongs to the trio run, not to a
    nursery: it ends with its block, with `aclose`, or with the run.
    """
    settings.setdefault("handshake_timeout", None)  # open_timeout is the limit
    configuration = Configuration(**settings)
    return Connector(host, port, tls, open_timeout, local_address, backoff, configuration)
