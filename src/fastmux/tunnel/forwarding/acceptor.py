"""Takes connections of a listening socket, each in a task of its own.

Owns: the accepting, how many connections may be open at once, and their tasks. May not know: what is done
with a connection.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from fastmux.aio.open_transport import has_add_reader
from fastmux.tunnel.constants import FORWARD_ACCEPT_RETRY_DELAY, MAX_FORWARD_CONNECTIONS
from fastmux.tunnel.forwarding.binding import Bound
from fastmux.tunnel.forwarding.readiness import Readiness
from fastmux.tunnel.forwarding.socket_end import reset_socket

logger = logging.getLogger("fastmux.tunnel.listener")

Handler: TypeAlias = Callable[[socket.socket, str, int], Awaitable[None]]


class Acceptor:
    """Runs `handler(sock, host, port)` for each connection; the handler takes the socket over.

    `host` and `port` are the peer's, "" and 0 for a Unix socket. What a handler raises is logged, and its
    socket reset. Invariant: `_tasks` are the handlers that have not ended, at most `max_connections`: while
    there are that many nothing is accepted, and what comes waits in the system's backlog.
    """

    def __init__(
        self, bound: Bound, handler: Handler, *, max_connections: int = MAX_FORWARD_CONNECTIONS
    ) -> None:
        """Take the bound socket over and begin to accept."""
        self.target = bound.target
        self._bound = bound
        self._handler = handler
        self._room = asyncio.Semaphore(max_connections)
        self._tasks: set[asyncio.Task[None]] = set()
        self._readiness = Readiness(bound.sock)
        self._is_watchable = has_add_reader(asyncio.get_running_loop(), bound.sock)
        self._accepting = asyncio.create_task(self._accept_all(), name=f"fastmux listener {bound.target}")
        self._accepting.add_done_callback(self._release)

    def stop(self) -> None:
        """Accept no more and free the address; connections that were accepted go on. May be repeated."""
        self._accepting.cancel()
        if self._is_watchable:
            self._release(self._accepting)

    async def join(self) -> None:
        """Wait until every accepted connection has ended. For after `stop`."""
        await asyncio.wait({self._accepting})
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Accept no more, and reset what is still open."""
        self.stop()
        await asyncio.wait({self._accepting})
        for task in self._tasks:
            task.cancel()
        await self.join()

    def _release(self, _: asyncio.Task[None]) -> None:
        """Close the socket. A loop that accepts by itself must have let go of it before."""
        self._readiness.forget()
        self._bound.close()

    async def _accept_all(self) -> None:
        is_full = False
        while True:
            if self._room.locked() and not is_full:
                is_full = True
                logger.warning(
                    "%s: %d connections are open, no more until one ends", self.target, len(self._tasks)
                )
            await self._room.acquire()
            try:
                sock, address = await self._accept()
            except BaseException:
                self._room.release()
                raise
            is_full = is_full and self._room.locked()
            host, port = address[:2] if isinstance(address, tuple) else ("", 0)
            task = asyncio.create_task(self._handle(sock, host, port))
            self._tasks.add(task)
            task.add_done_callback(partial(self._ended, sock))
            await asyncio.sleep(0)  # a full backlog does not hold up the loop

    async def _accept(self) -> tuple[socket.socket, object]:
        """The next connection, however often the system has none to give."""
        listening = self._bound.sock
        is_told = False
        while True:
            try:
                if self._is_watchable:
                    return listening.accept()
                return await asyncio.get_running_loop().sock_accept(listening)
            except BlockingIOError:
                await self._readiness.readable()
            except ConnectionError:
                continue  # it was gone before it was accepted
            except OSError as error:
                if not is_told:
                    logger.warning("%s: cannot accept: %s; trying again", self.target, error)
                    is_told = True
                await asyncio.sleep(FORWARD_ACCEPT_RETRY_DELAY)

    async def _handle(self, sock: socket.socket, host: str, port: int) -> None:
        try:
            await self._handler(sock, host, port)
        except Exception:
            logger.exception("%s: a connection failed, and is reset", self.target)

    def _ended(self, sock: socket.socket, task: asyncio.Task[None]) -> None:
        """As a callback, because a task that is cancelled before its first step has no `finally`."""
        reset_socket(sock)  # does nothing if the handler closed it
        self._tasks.discard(task)
        self._room.release()
