"""The connection with trio's interface.

Owns: trio's kinds of channels, a task for each, checkpoints. May not know: anything below
`fastmux.Connection`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import ClassVar, TypeAlias

import trio

from fastmux.aio.adapted import AdaptedConnection
from fastmux.aio.handling import handle_channel
from fastmux.aio.logs import ConnectionLog
from fastmux.aio.message_channel import MessageChannel as InnerMessageChannel
from fastmux.aio.stream import Stream as InnerStream
from fastmux.exceptions import ConnectionClosed
from fastmux.trio.errors import is_end, of_connection
from fastmux.trio.listener import Listener
from fastmux.trio.message_channel import MessageChannel
from fastmux.trio.stream import Stream

AnyChannel: TypeAlias = Stream | MessageChannel


class Connection(AdaptedConnection[Stream, MessageChannel], trio.abc.AsyncResource):
    """One authenticated connection. Made by `connect`, and for the handler of `listen`.

    Methods are those of `fastmux.Connection`; they raise trio's `ClosedResourceError` and
    `BusyResourceError`, and `ConnectionClosed` when the connection is over. `async with` closes it:
    gracefully after a clean block, at once after an error.
    """

    __slots__ = ()
    _closed_error: ClassVar[type[Exception]] = trio.ClosedResourceError

    def __repr__(self) -> str:
        return f"<trio {self._inner!r}>"

    @staticmethod
    def _checkpoint() -> Awaitable[None]:
        return trio.lowlevel.checkpoint()

    @staticmethod
    def _errors() -> AbstractContextManager[None]:
        return of_connection()

    @staticmethod
    def _stream(stream: InnerStream) -> Stream:
        return Stream(stream)

    @staticmethod
    def _message_channel(channel: InnerMessageChannel) -> MessageChannel:
        return MessageChannel(channel)

    def listener(self) -> Listener:
        """The peer's streams as a trio listener, for `trio.serve_listeners`."""
        return Listener(self._inner)

    async def serve(self, handler: Callable[[AnyChannel], Awaitable[object]]) -> None:
        """Run `handler(channel)` in a task for each incoming channel, until the connection ends.

        When a handler returns, its channel is closed; when it raises, the error is logged and its channel
        reset with code INTERNAL. Returns when the connection ended without an error and every handler has
        ended; raises `ConnectionClosed` if it ended with one.
        """
        error: ConnectionClosed | None = None
        log = ConnectionLog(self.id)
        async with trio.open_nursery() as nursery:
            try:
                async for channel in self:
                    nursery.start_soon(handle_channel, handler, channel, log, is_end)
            except ConnectionClosed as closed:  # outside of the nursery, which would wrap it
                error = closed
        if error is not None:
            raise error
