"""Calls the methods of an asyncio protocol for its transport.

Owns: which kind of protocol it is, how it is fed, and what becomes of what it raises. May not know: when.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from fastmux.aio.stream import Stream

READ_SIZE: Final = 2**18  # bytes a read may take: a train is at most 64 KiB, but trains come in rows


class ProtocolCalls:
    """One transport's protocol, which may be exchanged.

    An error that it raises goes to the loop's exception handler and then to `on_error`, as if it were an
    error of the transport.
    """

    __slots__ = ("_is_buffered", "_on_error", "_transport", "protocol")

    protocol: asyncio.BaseProtocol

    def __init__(
        self,
        transport: asyncio.Transport,
        protocol: asyncio.BaseProtocol,
        on_error: Callable[[BaseException], None],
    ) -> None:
        self._transport = transport
        self._on_error = on_error
        self.exchange(protocol)

    def exchange(self, protocol: asyncio.BaseProtocol) -> None:
        """Call this one from now on; a `BufferedProtocol` or a `Protocol`."""
        self.protocol = protocol
        self._is_buffered = isinstance(protocol, asyncio.BufferedProtocol)

    def call(self, method: Callable[..., object], *arguments: object) -> object:
        """Call a method of the protocol; None if it raises."""
        try:
            return method(*arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._blame(method.__name__, error)
            return None

    def eof_received(self) -> bool:
        """Tell the peer's end. True if the protocol wants to go on writing."""
        return bool(self.call(cast(asyncio.Protocol, self.protocol).eof_received))

    def feed(self, stream: Stream) -> int:
        """Give the protocol what has come: how many bytes, 0 if there is nothing now, -1 at the end.

        Raises what `Stream.read_now` raises.
        """
        if self._is_buffered:
            return self._fill(stream, cast(asyncio.BufferedProtocol, self.protocol))
        data = stream.read_now(READ_SIZE)
        if data is None:
            return -1
        if data:
            self.call(cast(asyncio.Protocol, self.protocol).data_received, data)
        return len(data)

    def _fill(self, stream: Stream, protocol: asyncio.BufferedProtocol) -> int:
        """Let the protocol say where it wants it."""
        buffer = self.call(protocol.get_buffer, -1)
        if self._transport.is_closing():
            return 0
        try:
            size = stream.read_into_now(cast(bytearray, buffer))
            if size == 0 and memoryview(cast(bytearray, buffer)).nbytes == 0:
                raise ValueError("get_buffer() returned an empty buffer")
        except (TypeError, ValueError, BufferError) as error:
            self._blame("get_buffer", error)
            return 0
        if size > 0:
            self.call(protocol.buffer_updated, size)
        return size

    def _blame(self, name: str, error: BaseException) -> None:
        asyncio.get_running_loop().call_exception_handler(
            {
                "message": f"Fatal error: protocol.{name}() call failed.",
                "exception": error,
                "transport": self._transport,
                "protocol": self.protocol,
            }
        )
        self._on_error(error)
