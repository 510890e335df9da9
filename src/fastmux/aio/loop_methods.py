"""The two methods of an event loop that a connection has, too: `create_connection` and `create_server`.

Owns: their arguments, and how opening a stream becomes connecting. May not know: what the acceptor stands
for: another fastmux program with `create_server`, or the exit of a tunnel (`fastmux serve`).
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from fastmux import constants as c
from fastmux.aio.answers import OpenRefused, os_error_of, read_answer
from fastmux.aio.tcp_labels import tcp_label

if TYPE_CHECKING:
    from fastmux.aio.stream import Stream
    from fastmux.aio.stream_server import ProtocolFactory, StreamServer
    from fastmux.aio.stream_transport import StreamTransport

P = TypeVar("P", bound=asyncio.BaseProtocol)


class LoopMethods(ABC):
    """Part of `Connection`, for protocols and libraries written for TCP over asyncio."""

    __slots__ = ()

    @abstractmethod
    async def open_stream(self, label: str = "", *, priority: int = 0) -> Stream:
        """Open a stream."""

    @abstractmethod
    def _listen(self, factory: ProtocolFactory, host: str, port: int) -> StreamServer:
        """Have a server take the streams of a place."""

    async def create_connection(
        self,
        protocol_factory: Callable[[], P],
        host: str | None = None,
        port: int | None = None,
        *,
        label: str | None = None,
        priority: int = 0,
    ) -> tuple[StreamTransport, P]:
        """Connect to `host` and `port` as the peer sees them: a transport and the protocol made for it.

        Opens a stream labelled `fastmux:tcp:HOST:PORT` and waits for the answer: the peer has a
        `create_server` of that place, or is the exit of a tunnel, which connects to it. With `label` instead
        of a host it opens a stream of that label, which the peer accepts with `accept` or `serve`, and waits
        for nothing. For TLS inside, call `loop.start_tls` with the transport.

        Raises OSError if the peer refuses: ConnectionRefusedError, or what the answer says, as a socket would
        (PermissionError, TimeoutError, socket.gaierror, …); `ConnectionClosed`, `ClosedResourceError`,
        ValueError for a place or label that cannot be. Cancelled, the stream is reset.
        """
        from fastmux.aio.stream_transport import StreamTransport  # not for everybody who connects

        if label is not None:
            if host is not None or port is not None:
                raise ValueError("give host and port, or a label, not both")
            stream = await self.open_stream(label, priority=priority)
        else:
            stream = await self.open_stream(tcp_label(host or "", port or 0), priority=priority)
            await _wait_for_answer(stream, f"{host} port {port}")
        try:
            protocol = protocol_factory()
            transport = StreamTransport(stream, protocol)
        except BaseException:
            stream.reset(c.CANCELLED)
            raise
        transport.start()
        return transport, protocol

    async def create_server(
        self, protocol_factory: ProtocolFactory, host: str | None = None, port: int | None = None
    ) -> StreamServer:
        """Serve the streams that the peer opens to `host` and `port` by `create_connection`.

        Returns an `asyncio.AbstractServer`; its `close` takes nothing more, what was taken goes on.

        The place is a name for the peer to ask for: nothing is bound. No host (also "", "*", "0.0.0.0" and
        "::") is any host, no port (also 0) any port; of several servers the first that fits takes a stream.
        The factory is called for each, without arguments, or if it cannot be with the peer's host and port.

        Only streams so labelled are taken. Those that no server fits go to `accept`, `async for` and `serve`
        if this connection's owner has ever used one of them, and are refused otherwise; streams that came
        before the server are looked at again.

        Raises OSError if the place is served already, ValueError for a port that cannot be,
        `ClosedResourceError`, `ConnectionClosed`.
        """
        if port is not None and not 0 <= port <= 65535:
            raise ValueError(f"a port is 0 to 65535, not {port}")
        return self._listen(protocol_factory, host or "", port or 0)


async def _wait_for_answer(stream: Stream, place: str) -> None:
    """Wait until the far end is connected; when it is not, or this is cancelled, the stream is given up."""
    try:
        await read_answer(stream)
    except OpenRefused as refusal:
        stream.reset(c.CANCELLED)
        raise os_error_of(refusal, place) from refusal
    except BaseException:
        stream.reset(c.CANCELLED)
        raise
