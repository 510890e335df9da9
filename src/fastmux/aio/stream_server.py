"""What `create_server` returns: an asyncio server whose connections are streams of one connection.

Owns: the transports that came of it, and its end. May not know: how an incoming stream finds its server.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias, cast

from fastmux.aio.answers import AnswerCode, encode_answer
from fastmux.aio.stream_transport import StreamTransport
from fastmux.aio.tcp_labels import ANY_HOSTS, same_host
from fastmux.exceptions import ClosedResourceError, ConnectionClosed

if TYPE_CHECKING:
    from fastmux.aio.stream import Stream

ProtocolFactory: TypeAlias = (
    Callable[[], asyncio.BaseProtocol] | Callable[[str, int], asyncio.BaseProtocol]
)


def _wants_origin(factory: ProtocolFactory) -> bool:
    """True for a factory that cannot be called without arguments: asyncssh's takes the opener's address."""
    try:
        inspect.signature(factory).bind()
    except TypeError:
        return True
    except ValueError:  # of a builtin, which has no signature to look at
        return False
    return False


class StreamServer(asyncio.AbstractServer):
    """Serves the streams that the peer opens to one place. Made by `Connection.create_server`.

    Invariant: `_transports` are those whose `connection_lost` was not called yet. `_closed` is set once
    nothing more is accepted, `_ended` once there is no transport either.
    """

    def __init__(self, factory: ProtocolFactory, host: str, port: int) -> None:
        self._factory = factory
        self._wants_origin = _wants_origin(factory)
        self._host = None if host in ANY_HOSTS else same_host(host)
        self._port = port
        self._address = (host, port)
        self._loop = asyncio.get_running_loop()
        self._transports: set[StreamTransport] = set()
        self._closed = asyncio.Event()
        self._ended = asyncio.Event()
        self._error: ConnectionError | None = None

    def __repr__(self) -> str:
        host, port = self._address
        state = "serving" if self.is_serving() else "closed"
        return f"<StreamServer {host or '*'} port {port or '*'} {state}, {len(self._transports)} streams>"

    # asyncio.AbstractServer

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop."""
        return self._loop

    def is_serving(self) -> bool:
        """True until `close`, or the end of the connection."""
        return not self._closed.is_set()

    async def start_serving(self) -> None:
        """It serves from the beginning."""

    async def serve_forever(self) -> None:
        """Wait until `close`, or until the connection ends; cancelled, close.

        Raises `ConnectionClosed` if the connection ended with an error.
        """
        try:
            await self._closed.wait()
        except asyncio.CancelledError:
            self.close()
            raise
        if isinstance(self._error, ConnectionClosed) and self._error.code:
            raise self._error

    def close(self) -> None:
        """Accept nothing more; what was accepted goes on. May be repeated."""
        self._closed.set()
        if not self._transports:
            self._ended.set()

    async def wait_closed(self) -> None:
        """Wait until it is closed and every stream that it accepted has ended."""
        await self._ended.wait()

    def close_clients(self) -> None:
        """Close every stream that it accepted, in good order."""
        for transport in list(self._transports):
            transport.close()

    def abort_clients(self) -> None:
        """Reset every stream that it accepted."""
        for transport in list(self._transports):
            transport.abort()

    # for those who look

    @property
    def sockets(self) -> tuple[object, ...]:
        """There are none."""
        return ()

    def get_addresses(self) -> list[tuple[str, int]]:
        """The place that is served, in a list; asyncssh asks for it by this name."""
        return [self._address]

    def get_port(self) -> int:
        """The port that is served, 0 for all; asyncssh asks for it by this name."""
        return self._port

    # for the connection

    @property
    def place(self) -> tuple[str | None, int]:
        """Host (None: any) and port (0: any), equal for every spelling of the same."""
        return self._host, self._port

    def takes(self, host: str, port: int) -> bool:
        """Whether a stream to this place is for this server."""
        if self._closed.is_set():
            return False
        return self._port in (0, port) and (self._host is None or self._host == same_host(host))

    def accept(self, stream: Stream) -> None:
        """Answer a stream and give it a protocol of its own.

        What the factory raises goes to the loop's exception handler, and the opener hears of a failure.
        """
        if stream.is_closed or stream.host.closed_error is not None or stream.is_stopped:
            stream.reset()  # its opener is gone already
            return
        try:
            protocol = self._make_protocol(stream)
        except Exception as error:
            self._loop.call_exception_handler(
                {"message": f"the protocol factory of {self!r} failed", "exception": error}
            )
            self._answer(stream, AnswerCode.GENERAL_FAILURE)
            stream.close_now()
            return
        self._answer(stream, AnswerCode.CONNECTED)
        transport = StreamTransport(stream, protocol, self._on_lost)
        self._transports.add(transport)
        transport.start()

    def on_connection_closed(self, error: ConnectionError) -> None:
        """The connection is over."""
        self._error = error
        self.close()

    def _make_protocol(self, stream: Stream) -> asyncio.BaseProtocol:
        if not self._wants_origin:
            return cast(Callable[[], asyncio.BaseProtocol], self._factory)()
        address = cast(tuple[str, int], stream.get_extra_info("peername", ("", 0)))
        return cast(Callable[[str, int], asyncio.BaseProtocol], self._factory)(*address[:2])

    def _answer(self, stream: Stream, code: AnswerCode) -> None:
        # a factory that closed or aborted the connection leaves the transport to find that out
        with suppress(ClosedResourceError, ConnectionError):
            stream.write_now(encode_answer(code))

    def _on_lost(self, transport: StreamTransport) -> None:
        self._transports.discard(transport)
        if self._closed.is_set() and not self._transports:
            self._ended.set()
