"""The streams that a peer opens, as a trio listener.

Owns: accepting for trio, and its end. May not know: who handles the streams.
"""

from __future__ import annotations

import trio

from fastmux import constants as c
from fastmux.aio.connection import Connection
from fastmux.aio.stream import Stream as InnerStream
from fastmux.trio.errors import of_connection
from fastmux.trio.stream import Stream


class Listener(trio.abc.Listener[Stream]):
    """Accepts the streams of one connection; message channels that come meanwhile are refused.

    Invariant: `_scope` is that of the task that accepts; `aclose` cancels it.
    """

    __slots__ = ("_connection", "_is_closed", "_scope")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_closed = False
        self._scope: trio.CancelScope | None = None

    async def accept(self) -> Stream:
        """Wait for the next stream.

        Raises trio's `BusyResourceError` if another task accepts or serves, its `ClosedResourceError` after a
        close of this listener or of this end of the connection, and `ConnectionClosed`.
        """
        await trio.lowlevel.checkpoint()
        if self._is_closed:
            raise trio.ClosedResourceError("this listener is closed")
        with trio.CancelScope() as scope, of_connection():
            before, self._scope = self._scope, scope
            try:
                while True:
                    channel = await self._connection.accept()
                    if isinstance(channel, InnerStream):
                        return Stream(channel)
                    channel.reset(c.REFUSED)
            finally:
                self._scope = before
        raise trio.ClosedResourceError("this listener was closed")

    async def aclose(self) -> None:
        """Accept no more; the connection and what was accepted go on. May be repeated."""
        self._is_closed = True
        if self._scope is not None:
            self._scope.cancel()
        await trio.lowlevel.checkpoint()
