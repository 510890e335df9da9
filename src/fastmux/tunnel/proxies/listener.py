"""The listening side of a proxy: one address, and a task for each client.

Owns: the life of the listener and of its clients' tasks. May not know: what a client says.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from abc import ABC, abstractmethod

from fastmux.security.names import printable
from fastmux.tunnel.forwarding.acceptor import Acceptor
from fastmux.tunnel.forwarding.binding import bind
from fastmux.tunnel.notation.targets import Target
from fastmux.tunnel.proxies.client_socket import ClientSocket

logger = logging.getLogger("fastmux.tunnel.proxies")


class ProxyListener(ABC):
    """Accepts clients and gives each to `serve_client`, at most `max_connections` at once; others wait.

    Use: `await start()`, `bound`, `close()`, `await wait_closed()`. It listens where it is told, only there.
    """

    def __init__(self, address: Target, *, max_connections: int) -> None:
        """Raises ValueError for what is not a TCP address, or no connection at all."""
        if address.protocol != "tcp":
            raise ValueError(f"a proxy listens on a TCP address, and {address} is none")
        if max_connections < 1:
            raise ValueError(f"max_connections must be at least 1, not {max_connections}")
        self._address = address
        self._max_connections = max_connections
        self._acceptor: Acceptor | None = None
        self._closing: asyncio.Task[None] | None = None

    @abstractmethod
    async def serve_client(self, client: ClientSocket) -> None:
        """Serve one client; what is left open at the end is reset. OSError means that the client has gone."""

    @property
    def bound(self) -> Target:
        """Where it listens, with the port that was chosen for port 0. Raises RuntimeError before `start`."""
        if self._acceptor is None:
            raise RuntimeError("this listener was not started")
        return self._acceptor.target

    async def start(self) -> None:
        """Bind and listen. Raises OSError that says which address and why, RuntimeError if it was started."""
        if self._acceptor is not None:
            raise RuntimeError("this listener was started already")
        bound = await bind(self._address)
        self._acceptor = Acceptor(bound, self._handle, max_connections=self._max_connections)

    def stop_accepting(self) -> None:
        """Listen no more; clients that are there go on. May be repeated."""
        if self._acceptor is not None:
            self._acceptor.stop()

    def close(self) -> None:
        """Listen no more, and reset every client. May be repeated."""
        if self._acceptor is not None and self._closing is None:
            self._acceptor.stop()
            self._closing = asyncio.create_task(self._acceptor.close())

    async def wait_closed(self) -> None:
        """Wait until the last client's task has ended, after `close` or `stop_accepting`."""
        if self._closing is not None:
            await asyncio.shield(self._closing)
        elif self._acceptor is not None:
            await self._acceptor.join()

    async def _handle(self, sock: socket.socket, host: str, port: int) -> None:
        try:
            client = ClientSocket(sock, host)
            try:
                await self.serve_client(client)
            finally:
                await client.reset()
        except OSError as error:
            logger.debug("the client at %s port %d has gone: %s", printable(host), port, error)
