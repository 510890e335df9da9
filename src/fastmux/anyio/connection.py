"""The connection for programs written on anyio.

Owns: anyio's kinds of streams, checkpoints. May not know: anything below `fastmux.Connection`; which loop
runs.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import AbstractContextManager
from typing import ClassVar

import anyio
import anyio.abc
import anyio.lowlevel

from fastmux.aio.adapted import AdaptedConnection
from fastmux.aio.message_channel import MessageChannel
from fastmux.aio.stream import Stream
from fastmux.anyio.byte_stream import ByteStream
from fastmux.anyio.connectable import Connectable
from fastmux.anyio.errors import of_connection
from fastmux.anyio.listener import Listener
from fastmux.anyio.object_stream import UnreliableObjectStream, object_stream_of


class Connection(AdaptedConnection[ByteStream, UnreliableObjectStream], anyio.abc.AsyncResource):
    """One authenticated connection. Made by `connect`, and for the handler of `listen`.

    Methods are those of `fastmux.Connection`; they raise anyio's `ClosedResourceError` and
    `BusyResourceError`, and `ConnectionClosed` when the connection is over. A message channel is an
    `ObjectStream` if it is ordered and reliable, which is the default. `async with` closes it:
    gracefully after a clean block, at once after an error.
    """

    _closed_error: ClassVar[type[Exception]] = anyio.ClosedResourceError

    def __repr__(self) -> str:
        return f"<anyio {self._inner!r}>"

    @staticmethod
    def _checkpoint() -> Awaitable[None]:
        return anyio.lowlevel.checkpoint()

    @staticmethod
    def _errors() -> AbstractContextManager[None]:
        return of_connection()

    @staticmethod
    def _stream(stream: Stream) -> ByteStream:
        return ByteStream(stream)

    @staticmethod
    def _message_channel(channel: MessageChannel) -> UnreliableObjectStream:
        return object_stream_of(channel)

    def listener(self) -> Listener:
        """The peer's streams as an anyio listener."""
        return Listener(self._inner)

    def connectable(
        self, host: str | None = None, port: int | None = None, *, label: str | None = None
    ) -> Connectable:
        """A place behind this connection, or a label, as an anyio connectable."""
        return Connectable(self._inner, host, port, label=label)
