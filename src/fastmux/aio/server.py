"""`listen` and the server it makes.

Owns: the listening sockets, a task for each connection, and how both end. May not know: what a handshake
proves, how datagrams move.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeAlias, Unpack

from fastmux import constants as c
from fastmux.aio.client import HandshakeMaker
from fastmux.aio.connection import Connection
from fastmux.aio.driver import Driver
from fastmux.aio.handling import handle_connection
from fastmux.aio.listening import Listening
from fastmux.aio.logs import ConnectionLog
from fastmux.aio.open_transport import open_transport, open_transport_on
from fastmux.aio.opening import Opening
from fastmux.aio.resolver import addresses_of, check_port
from fastmux.aio.settings import Settings, server_configuration
from fastmux.aio.tls_argument import check_tls
from fastmux.aio.transport import TrainTransport
from fastmux.aio.worker_group import WorkerPlace
from fastmux.exceptions import ClosedResourceError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection as ProtocolConnection
from fastmux.protocol.connection_ids import RandomIds, SteeredIds

logger = logging.getLogger("fastmux.server")

Handler: TypeAlias = Callable[[Connection], Awaitable[object]]

CLOSE_TIMEOUT: Final = 10.0  # seconds that handlers get to finish


class Server(Listening[Connection]):
    """Listening sockets and the connections that came over them. Made by `listen`.

    Invariant: `_tasks` has the task of each connection whose handler, or graceful close, has not ended; the
    sockets stay open until the last of them has.
    """

    def __init__(
        self, handler: Handler, tls: HandshakeMaker, configuration: Configuration, close_timeout: float | None
    ) -> None:
        super().__init__(tls, configuration, time.monotonic)
        self._handler = handler
        self._close_timeout = close_timeout
        self._tasks: dict[asyncio.Task[None], Connection] = {}
        self._closing: asyncio.Task[None] | None = None
        self._is_closed = asyncio.Event()

    def __repr__(self) -> str:
        state = "closed" if self._closing is not None else f"on {self.sockets}"
        return f"<Server {state}, {len(self._tasks)} connections>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close, and wait until that is done."""
        self.close()
        await self.wait_closed()

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The connections whose handler, or graceful close, has not ended."""
        return tuple(self._tasks.values())

    # --- connections ----------------------------------------------------------------------------------

    def _on_accepted(self, driver: Driver, accepted: ProtocolConnection) -> None:
        connection = Connection(driver, accepted)
        if self._closing is not None:
            connection.abort(c.REFUSED, "the server is closing")
            return
        handling = handle_connection(self._handler, connection, ConnectionLog(connection.id, logger))
        task = asyncio.create_task(handling, name=f"fastmux {connection!r}")
        self._tasks[task] = connection
        task.add_done_callback(self._on_ended)

    def _on_ended(self, task: asyncio.Task[None]) -> None:
        with self._lock:
            self._ended.end(self._tasks.pop(task).stats)

    # --- the end ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Refuse new connections and begin to close: handlers get `close_timeout` to finish."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(), name="fastmux close")

    async def _close(self) -> None:
        try:
            if self._tasks:
                await asyncio.wait(list(self._tasks), timeout=self._close_timeout)
            for task in list(self._tasks):
                task.cancel()
            if self._tasks:
                await asyncio.wait(list(self._tasks))
        finally:
            for driver in self._drivers:
                driver.close()
            self._is_closed.set()

    async def wait_closed(self) -> None:
        """Wait until the server is closed: handlers ended, connections and sockets closed."""
        await self._is_closed.wait()

    async def serve_forever(self) -> None:
        """Serve until the server is closed, or this is cancelled, which closes it.

        Raises `ClosedResourceError` in a child of fork: the server stays with the parent.
        """
        if any(driver.is_forsaken for driver in self._drivers):
            raise ClosedResourceError("this process was forked off: the server stays with the parent")
        try:
            await self.wait_closed()
        except asyncio.CancelledError:
            self.close()
            await self.wait_closed()
            raise


class Listener(Opening[Server]):
    """What `listen` returns: await it, or use it in `async with`. Use it once."""

    def __init__(
        self, server: Server, open_transports: Callable[[], Coroutine[Any, Any, list[TrainTransport]]]
    ) -> None:
        self._server = server
        self._open_transports = open_transports

    async def _open(self) -> Server:
        for transport in await self._open_transports():
            self._server.serve(transport)
        return self._server


async def _open_addresses(host: str | None, port: int, reuse_port: bool) -> list[TrainTransport]:
    """A transport for each address of a host, all on one port."""
    found = await addresses_of(host or None, port, flags=socket.AI_PASSIVE)
    transports: list[TrainTransport] = []
    with ExitStack() as stack:
        for family, address in found:
            local = (address[0], port, *address[2:])
            transports.append(await open_transport(family, local, reuse_port=reuse_port))
            stack.callback(transports[-1].close)
            port = port or transports[-1].sockname[1]  # all addresses share one port
        stack.pop_all()
    return transports


async def _open_place(worker: WorkerPlace) -> list[TrainTransport]:
    """A transport for each socket of a worker's place, on duplicates: the place outlives the server."""
    transports: list[TrainTransport] = []
    with ExitStack() as stack:
        for sock in worker.sockets:
            transports.append(await open_transport_on(sock.dup()))
            stack.callback(transports[-1].close)
        stack.pop_all()
    return transports


def listen(
    handler: Handler,
    host: str | None = None,
    port: int | None = None,
    *,
    tls: HandshakeMaker,
    reuse_port: bool = False,
    worker: WorkerPlace | None = None,
    close_timeout: float | None = CLOSE_TIMEOUT,
    qlog: str | os.PathLike[str] | None = None,
    **settings: Unpack[Settings],
) -> Listener:
    """Listen for connections: `await listen(…)` or `async with listen(…) as server`.

    `handler(connection)` runs in a task for each connection, once its handshake is over and the peer is
    verified. When it returns the connection is closed gracefully; when it raises, the error is logged and
    the connection closed with code INTERNAL. `host` may be a name with several addresses, None or "" for
    all; `port` 0 takes any free one (`server.port`). `tls` is a `TLSConfig` or `PLAINTEXT`; `close_timeout`
    (seconds, None: unlimited) is how long `close` waits for handlers; `qlog` is a directory that takes a
    record of each connection (None: $QLOGDIR, or no record); `settings` are those of `Configuration`.

    `worker`, in place of host and port, is one of the places of `bind_group`: its packets are steered here
    by connection id, whatever address they come from. `reuse_port` only shares the port with other
    processes of the same user: the kernel spreads clients among them by a hash of their addresses and
    ports, so a client whose address changes, or any client when a process comes or goes, may reach one that
    does not know it.

    Raises OSError, when awaited, if an address cannot be bound; ValueError or TypeError at once for a
    setting, a port or a `tls` that cannot work.
    """
    check_tls(tls)
    if worker is None:
        if port is None:
            raise ValueError("listen needs a port, or the place of a worker")
        if reuse_port and not hasattr(socket, "SO_REUSEPORT"):
            raise ValueError("reuse_port: this system has no SO_REUSEPORT")
        if reuse_port and settings.get("reset_key") is not None:
            raise ValueError(
                "reset_key and reuse_port do not go together: a process would end the connections of another"
            )
        open_transports = partial(_open_addresses, host, check_port(port, 0), reuse_port)
    else:
        if host is not None or port is not None or reuse_port:
            raise ValueError("a worker's place is bound already: leave out host, port and reuse_port")
        if worker.count > 1:
            ids = settings.get("connection_ids", RandomIds())
            settings["connection_ids"] = SteeredIds(ids, worker.index, worker.count)
        open_transports = partial(_open_place, worker)
    configuration = server_configuration(settings, qlog)
    return Listener(Server(handler, tls, configuration, close_timeout), open_transports)
