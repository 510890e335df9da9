"""`listen` for trio, and the server it makes.

Owns: the listening sockets, a task for each connection, and how both end. May not know: what a handshake
proves, how datagrams move.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from typing import Final, TypeAlias, Unpack

import trio

from fastmux import constants as c
from fastmux.aio.client import HandshakeMaker
from fastmux.aio.connection import Connection as Inner
from fastmux.aio.driver import Driver
from fastmux.aio.handling import handle_connection
from fastmux.aio.listening import Listening
from fastmux.aio.logs import ConnectionLog
from fastmux.aio.resolver import check_port
from fastmux.aio.settings import Settings, server_configuration
from fastmux.aio.tls_argument import check_tls
from fastmux.aio.transport import TrainTransport
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection as ProtocolConnection
from fastmux.trio.client import addresses_of
from fastmux.trio.connection import Connection
from fastmux.trio.driver import TrioDriver
from fastmux.trio.errors import is_end
from fastmux.trio.transport import open_transport

logger = logging.getLogger("fastmux.server")

Handler: TypeAlias = Callable[[Connection], Awaitable[object]]

CLOSE_TIMEOUT: Final = 10.0  # seconds that handlers get to finish


class Server(Listening[Connection]):
    """Listening sockets and the connections that came over them. Made by `listen`.

    Invariant: `_connections` are those whose handler, or graceful close, has not ended; `_is_idle` is set
    while there are none.
    """

    _make_driver = TrioDriver

    def __init__(
        self, handler: Handler, tls: HandshakeMaker, configuration: Configuration, nursery: trio.Nursery
    ) -> None:
        super().__init__(tls, configuration, trio.current_time)
        self._handler = handler
        self._nursery = nursery
        self._connections: set[Connection] = set()
        self._is_idle = trio.Event()
        self._is_idle.set()
        self._is_closed = trio.Event()

    def __repr__(self) -> str:
        return f"<trio Server on {self.sockets}, {len(self._connections)} connections>"

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The connections whose handler, or graceful close, has not ended."""
        return tuple(self._connections)

    def close(self) -> None:
        """Refuse new connections, and let the block of `listen` end: `serve_forever` returns."""
        self._is_closed.set()

    async def serve_forever(self) -> None:
        """Serve until `close`, or until this is cancelled."""
        await self._is_closed.wait()

    # --- connections ----------------------------------------------------------------------------------

    def _on_accepted(self, driver: Driver, accepted: ProtocolConnection) -> None:
        connection = Inner(driver, accepted)
        if self._is_closed.is_set():
            connection.abort(c.REFUSED, "the server is closing")
            return
        if not self._connections:
            self._is_idle = trio.Event()
        wrapped = Connection(connection)
        self._connections.add(wrapped)
        self._nursery.start_soon(self._run, wrapped, name=f"fastmux {connection!r}")

    async def _run(self, connection: Connection) -> None:
        try:
            log = ConnectionLog(connection.id, logger)
            await handle_connection(self._handler, connection, log, is_end)
        finally:
            with self._lock:
                self._ended.end(connection.stats)
                self._connections.discard(connection)
            if not self._connections:
                self._is_idle.set()

    async def finish(self, timeout: float | None) -> None:
        """Refuse new connections and give the handlers `timeout` seconds to end. For `listen`."""
        self.close()
        with trio.move_on_after(float("inf") if timeout is None else timeout):
            await self._is_idle.wait()

    def close_drivers(self) -> None:
        """When no handler runs any more. For `listen`."""
        for driver in self._drivers:
            driver.close()


@asynccontextmanager
async def _serving(
    handler: Handler,
    host: str | None,
    port: int,
    tls: HandshakeMaker,
    close_timeout: float | None,
    configuration: Configuration,
) -> AsyncIterator[Server]:
    transports = await _open_addresses(host, port)
    failure: Exception | None = None
    with ExitStack() as stack:
        for transport in transports:
            stack.callback(transport.close)
        async with trio.open_nursery() as nursery:
            server = Server(handler, tls, configuration, nursery)
            stack.callback(server.close_drivers)  # after the nursery: aborted connections say so first
            try:
                for transport in transports:
                    server.serve(transport)
                try:
                    yield server
                except Exception as error:  # past the nursery, which would wrap it
                    failure = error
                await server.finish(close_timeout)
            finally:
                nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _open_addresses(host: str | None, port: int) -> list[TrainTransport]:
    """A transport for each address of a host, all on one port."""
    found = await addresses_of(host or None, port, flags=socket.AI_PASSIVE)
    transports: list[TrainTransport] = []
    with ExitStack() as stack:
        for family, address in found:
            transport = open_transport(family, (address[0], port, *address[2:]))
            transports.append(transport)
            stack.callback(transport.close)
            port = port or transport.sockname[1]  # all addresses share one port
        stack.pop_all()
    return transports


def listen(
    handler: Handler,
    host: str | None,
    port: int,
    *,
    tls: HandshakeMaker,
    close_timeout: float | None = CLOSE_TIMEOUT,
    qlog: str | os.PathLike[str] | None = None,
    **settings: Unpack[Settings],
) -> AbstractAsyncContextManager[Server]:
    """Listen for connections as long as a block runs: `async with listen(…) as server`.

    `handler(connection)` runs in a task for each connection, in a nursery around the block. When it returns
    the connection is closed gracefully; when it raises, the error is logged and the connection closed with
    code INTERNAL. At the end of the block handlers get `close_timeout` seconds (None: unlimited) to end.
    Arguments and errors are else those of `fastmux.listen`.
    """
    check_tls(tls)
    configuration = server_configuration(settings, qlog)
    return _serving(handler, host, check_port(port, 0), tls, close_timeout, configuration)
