"""`connect`.

Owns: from a host name to an open connection. May not know: what a handshake proves, how datagrams move.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from functools import partial
from typing import Final, Protocol, Unpack

from fastmux.aio.attempts import first_success
from fastmux.aio.backoff import Backoff
from fastmux.aio.connection import Connection
from fastmux.aio.driver import Driver
from fastmux.aio.open_transport import open_transport
from fastmux.aio.opening import Opening, R
from fastmux.aio.reconnecting import connections
from fastmux.aio.resolver import addresses_of, check_port
from fastmux.aio.settings import Settings, client_configuration
from fastmux.aio.tls_argument import check_tls
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.events import Address
from fastmux.protocol.handshake import Handshake

_DEFAULT_BACKOFF: Final = Backoff()


class HandshakeMaker(Protocol):
    """What `tls` is: a `TLSConfig` or `PLAINTEXT`."""

    def create_handshake(self, is_client: bool, server_hostname: str | None = None) -> Handshake:
        """Make one end of a handshake."""
        ...


class ConnectorOf(Opening[R]):
    """What every `connect` keeps of its arguments."""

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
        self._port = check_port(port)
        self._tls = tls
        self._open_timeout = open_timeout
        self._local_address = local_address
        self._backoff = backoff
        self._configuration = configuration

    def _too_late(self) -> TimeoutError:
        return TimeoutError(
            f"no connection to {self._host} port {self._port} within {self._open_timeout:g} s"
        )


class Connector(ConnectorOf[Connection]):
    """What `connect` returns: await it, or use it in `async with` or `async for`. Use it once."""

    def __aiter__(self) -> AsyncGenerator[Connection, None]:
        """Connections, one after the other: see `connect`."""
        return connections(self._open, self._backoff)

    async def _open(self) -> Connection:
        try:
            async with asyncio.timeout(self._open_timeout):
                return await self._open_any()
        except TimeoutError:
            raise self._too_late() from None

    async def _open_any(self) -> Connection:
        found = await addresses_of(self._host, self._port)
        attempts = [partial(self._open_one, family, address) for family, address in found]
        return await first_success(attempts, Connection.abort)

    async def _open_one(self, family: int, address: Address) -> Connection:
        handshake = self._tls.create_handshake(True, self._host)
        transport = await open_transport(family, self._local_address)
        return await open_connection(Driver(transport, self._configuration), address, handshake)


async def open_connection(driver: Driver, address: Address, handshake: Handshake) -> Connection:
    """Connect over a driver that is for this connection only, and wait until it is open.

    Raises `HandshakeError` or `AuthenticationError`. When it raises or is cancelled the peer was told.
    """
    connection = Connection(driver, driver.connect(address, handshake), owns_driver=True)
    try:
        await connection.wait_opened()
    except BaseException:
        connection.abort()
        driver.close_when_idle()  # not at once: the peer must hear why, and may not have yet
        raise
    return connection


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

    `async for connection in connect(…)` connects again and again. Each turn of the loop has an open
    connection. When the body is done with it, because it was lost (catch `ConnectionError` there) or for
    any other reason, it is closed, and the next one is opened after a wait that `backoff` bounds. A `break`
    closes it too, but does not wait: `await connection.aclose()` first if the program ends then. A failure
    to connect is tried again; `AuthenticationError` and errors of certificate and key files are raised.

    `tls` is a `TLSConfig` or `PLAINTEXT`; the server's certificate must have the name `host`, or the
    `server_hostname` of the configuration. The host's addresses are tried in order, a quarter of a second
    apart. `open_timeout` (seconds, None: unlimited) covers name resolution and handshake; `local_address` is
    where to send from; `settings` are those of `Configuration`, for example `idle_timeout`, `keep_alive`,
    `max_datagram_size`, `max_streams`, `congestion` ("cubic", "newreno" or "bbr"). `qlog` is a directory that
    takes a record of each connection; None means $QLOGDIR, or no record if that is not set.

    Raises, when awaited, `AuthenticationError` if one end could not prove who it is, `HandshakeError` for
    anything else that the peer or the path said, TimeoutError, OSError if the name or the local address is of
    no use; ValueError or TypeError at once for a setting, a port or a `tls` that cannot work.
    """
    check_tls(tls)
    configuration = client_configuration(settings, qlog)
    return Connector(host, port, tls, open_timeout, local_address, backoff, configuration)
