"""A place behind a connection, for whatever takes an anyio connectable.

Owns: how connecting becomes opening a stream. May not know: who answers, which loop runs.
"""

from __future__ import annotations

import anyio.abc
import anyio.lowlevel
from anyio import ConnectionFailed

from fastmux import constants as c
from fastmux.aio.answers import OpenRefused, os_error_of, read_answer
from fastmux.aio.connection import Connection
from fastmux.aio.tcp_labels import tcp_label
from fastmux.anyio.byte_stream import ByteStream
from fastmux.exceptions import ClosedResourceError


class Connectable(anyio.abc.ByteStreamConnectable):
    """Opens a stream of `connection` for each `connect`.

    With `host` and `port` it connects to that place as the peer sees it: to a `create_server` there, or
    through the exit of a tunnel. With `label` it opens a stream of that label, which the peer accepts.
    Raises ValueError for neither or both, or a place that cannot be.
    """

    def __init__(
        self,
        connection: Connection,
        host: str | None = None,
        port: int | None = None,
        *,
        label: str | None = None,
    ) -> None:
        if label is not None and (host is not None or port is not None):
            raise ValueError("give host and port, or a label, not both")
        self._connection = connection
        self._is_answered = label is None
        self._place = f"{host} port {port}"
        self._label = tcp_label(host or "", port or 0) if label is None else label

    async def connect(self) -> ByteStream:
        """Connect. Raises `anyio.ConnectionFailed`; its cause is the error that a socket would raise."""
        await anyio.lowlevel.checkpoint()
        try:
            stream = await self._connection.open_stream(self._label)
            if self._is_answered:
                try:
                    await read_answer(stream)
                except BaseException:
                    stream.reset(c.CANCELLED)
                    raise
        except OpenRefused as refusal:
            failure = os_error_of(refusal, self._place)
            raise ConnectionFailed(str(failure)) from failure
        except (ConnectionError, ClosedResourceError) as error:
            raise ConnectionFailed(str(error)) from error
        return ByteStream(stream)
