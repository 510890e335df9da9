"""The streams that a peer opens, as an anyio listener.

Owns: accepting for anyio, and its end. May not know: who handles the streams, which loop runs.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel

from fastmux import constants as c
from fastmux.aio.connection import Connection
from fastmux.aio.stream import Stream
from fastmux.anyio.byte_stream import ByteStream
from fastmux.anyio.errors import of_connection
from fastmux.exceptions import ClosedResourceError, ConnectionClosed


class Listener(anyio.abc.Listener[ByteStream]):
    """Accepts the streams of one connection; message channels that come meanwhile are refused.

    Invariant: `_scope` is that of the task that accepts, if one does; `aclose` cancels it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_closed = False
        self._scope: anyio.CancelScope | None = None

    async def accept(self) -> ByteStream:
        """Wait for the next stream.

        Raises anyio's `BusyResourceError` if another task accepts or serves, its `ClosedResourceError` after
        a close of this listener or of this end of the connection, and `ConnectionClosed`.
        """
        await anyio.lowlevel.checkpoint()
        with of_connection():
            return await self._accept()

    async def serve(
        self, handler: Callable[[ByteStream], Any], task_group: anyio.abc.TaskGroup | None = None
    ) -> None:
        """Start `handler(stream)` in the task group for each stream, until the connection ends.

        Without a task group there is one as long as this runs. What a handler raises goes to the group, as
        with every listener of anyio. Returns when the connection ended without an error; raises
        `ConnectionClosed` if it ended with one, anyio's `ClosedResourceError` after a close of this listener.
        """
        failure: ConnectionClosed | None = None
        async with AsyncExitStack() as stack:
            if task_group is None:
                task_group = await stack.enter_async_context(anyio.create_task_group())
            await anyio.lowlevel.checkpoint()
            try:
                while True:
                    task_group.start_soon(handler, await self._accept())
            except ConnectionClosed as error:
                failure = error
            except ClosedResourceError:
                failure = None  # this listener, or this end of the connection
        if failure is not None and failure.code != c.NO_ERROR:
            raise failure
        if self._is_closed:
            raise anyio.ClosedResourceError("this listener was closed")

    async def _accept(self) -> ByteStream:
        """Raises fastmux's errors."""
        if not self._is_closed:
            with anyio.CancelScope() as scope:
                before, self._scope = self._scope, scope
                try:
                    while True:
                        channel = await self._connection.accept()
                        if isinstance(channel, Stream):
                            return ByteStream(channel)
                        channel.reset(c.REFUSED)
                finally:
                    self._scope = before
        raise ClosedResourceError("this listener is closed")

    async def aclose(self) -> None:
        """Accept no more; the connection and what was accepted go on. May be repeated."""
        self._is_closed = True
        if self._scope is not None:
            self._scope.cancel()
        await anyio.lowlevel.checkpoint()
