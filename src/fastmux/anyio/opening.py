"""`connect` and `listen` for programs written on anyio.

Owns: the choice between the two event loops. May not know: how either opens a connection.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypeAlias, Unpack

from fastmux.aio import client as aio_client
from fastmux.aio import server as aio_server
from fastmux.aio.connection import Connection as Inner
from fastmux.aio.settings import Settings
from fastmux.anyio.connection import Connection
from fastmux.anyio.errors import is_end

logger = logging.getLogger("fastmux.server")

Handler: TypeAlias = Callable[[Connection], Awaitable[object]]


class Server(Protocol):
    """What the block of `listen` gets, whichever loop runs."""

    @property
    def port(self) -> int:
        """The UDP port that the (first) socket is bound to."""
        ...

    def close(self) -> None:
        """Refuse new connections and begin to close."""
        ...

    async def serve_forever(self) -> None:
        """Serve until the server is closed, or this is cancelled."""
        ...


def is_trio_running() -> bool:
    """Whether the calling task is trio's; else it is asyncio's. Loads trio only if somebody else did."""
    if "trio" not in sys.modules:
        return False
    import trio

    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


@asynccontextmanager
async def connect(
    host: str,
    port: int,
    *,
    tls: aio_client.HandshakeMaker,
    open_timeout: float | None = 10,
    local_address: tuple[str, int] | None = None,
    qlog: str | os.PathLike[str] | None = None,
    **settings: Unpack[Settings],
) -> AsyncIterator[Connection]:
    """Connect to a listener for a block: `async with connect(…) as connection`.

    Arguments and errors are those of `fastmux.connect`.
    """
    if is_trio_running():
        from fastmux.trio import client as trio_client

        found = await trio_client.connect(
            host, port, tls=tls, open_timeout=open_timeout, local_address=local_address, qlog=qlog, **settings
        )
        inner = found.inner
    else:
        inner = await aio_client.connect(
            host, port, tls=tls, open_timeout=open_timeout, local_address=local_address, qlog=qlog, **settings
        )
    async with Connection(inner) as connection:
        yield connection


async def _handle(handler: Handler, connection: Inner) -> None:
    """Run a handler; the end of its connection is no fault of it, whichever library's error it is told by."""
    try:
        await handler(Connection(connection))
    except Exception as error:
        if not (connection.is_closed and is_end(error)):
            raise
        logger.debug("the handler of %r ended with its connection: %s", connection, error)


def listen(
    handler: Handler,
    host: str | None,
    port: int,
    *,
    tls: aio_client.HandshakeMaker,
    close_timeout: float | None = aio_server.CLOSE_TIMEOUT,
    qlog: str | os.PathLike[str] | None = None,
    **settings: Unpack[Settings],
) -> AbstractAsyncContextManager[Server]:
    """Listen for connections as long as a block runs: `async with listen(…) as server`.

    `handler(connection)` runs in a task for each. Arguments and errors are those of `fastmux.listen`.
    """
    if is_trio_running():
        from fastmux.trio import connection as trio_connection
        from fastmux.trio import server as trio_server

        async def handle_on_trio(connection: trio_connection.Connection) -> None:
            await _handle(handler, connection.inner)

        return trio_server.listen(
            handle_on_trio, host, port, tls=tls, close_timeout=close_timeout, qlog=qlog, **settings
        )

    async def handle(connection: Inner) -> None:
        await _handle(handler, connection)

    return aio_server.listen(handle, host, port, tls=tls, close_timeout=close_timeout, qlog=qlog, **settings)
