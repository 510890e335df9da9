"""The fall-back where the event loop has no `add_reader`: a train transport over asyncio's datagram endpoint.

Owns: the queue between asyncio's pushes and the driver's pulls. May not know: packets and connections.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import cast

from fastmux.aio.buffers import receive_buffer
from fastmux.aio.socket_options import GONE
from fastmux.aio.transport import Row
from fastmux.constants import SOCKET_BUFFER_SIZE, TRAIN_BUFFER_SIZE
from fastmux.protocol.events import Address


class DatagramEndpoint(asyncio.DatagramProtocol):
    """A train transport whose trains are cut into datagrams on the way out and put together on the way in.

    Invariant: `_queued_size` is the sum of the sizes in `_queue`, at most SOCKET_BUFFER_SIZE (more is dropped
    as a socket buffer would drop it); a call of `_run` is scheduled whenever the queue is not empty and
    `start` was called.
    """

    path = "datagram_endpoint"

    def __init__(self, loop: asyncio.AbstractEventLoop, sockname: Address) -> None:
        """For a socket bound to `sockname`."""
        self._loop = loop
        self.sockname = sockname
        self._transport: asyncio.DatagramTransport | None = None
        self.may_fragment = False  # whoever made the socket knows better
        self.buffer = receive_buffer()
        self._queue: deque[tuple[bytes, Address]] = deque()
        self._queued_size = 0
        self._is_scheduled = False
        self._on_readable: Callable[[], None] | None = None
        self._on_writable: Callable[[], None] | None = None
        self._on_lost: Callable[[OSError], None] | None = None
        self.is_blocked = False
        self._datagrams_sent = 0
        self._datagrams_received = 0
        self._datagrams_dropped = 0
        self._errors = 0

    def start(
        self,
        on_readable: Callable[[], None],
        on_writable: Callable[[], None],
        on_lost: Callable[[OSError], None] | None = None,
    ) -> None:
        """Call `on_readable` while datagrams wait, `on_writable` when a full send buffer has emptied."""
        self._on_readable = on_readable
        self._on_writable = on_writable
        self._on_lost = on_lost
        self._schedule()

    def _schedule(self) -> None:
        if self._queue and not self._is_scheduled and self._on_readable is not None:
            self._is_scheduled = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._is_scheduled = False
        if self._on_readable is not None:
            self._on_readable()
            self._schedule()

    @property
    def is_drained(self) -> bool:
        """True if no datagram waits."""
        return not self._queue

    def receive(self) -> list[Row]:
        """Put equal datagrams from one address together in one row."""
        if not self._queue:
            return []
        buffer, queue = self.buffer, self._queue
        first, address = queue.popleft()
        segment_size = size = len(first)
        buffer[:size] = first
        last = segment_size
        while queue and last == segment_size and queue[0][1] == address:
            last = len(queue[0][0])
            if last > segment_size or last == 0 or size + last > TRAIN_BUFFER_SIZE:
                break
            buffer[size : size + last] = queue.popleft()[0]
            size += last
        self._queued_size -= size
        return [(0, size, segment_size, address)]

    def send(self, buffer: memoryview, size: int, segment_size: int, address: Address) -> None:
        """Send the first `size` bytes as datagrams of `segment_size`."""
        for start in range(0, size, segment_size):
            if self._transport is None:  # from the beginning, or lost with the last one
                return
            self._transport.sendto(bytes(buffer[start : min(start + segment_size, size)]), address)
            self._datagrams_sent += 1

    def close(self) -> None:
        """Stop; what waits is dropped."""
        transport = self._transport
        self.forsake()
        if transport is not None:
            transport.abort()

    def forsake(self) -> None:
        """In a child of fork: let asyncio's transport go without a word to its loop."""
        self._on_readable = self._on_writable = self._on_lost = None
        self._queue.clear()
        self._queued_size = 0
        self._transport = None

    def counters(self) -> dict[str, int]:
        """Datagrams sent, received and dropped for lack of room, and errors that the system reported."""
        return {
            "datagrams_sent": self._datagrams_sent,
            "datagrams_received": self._datagrams_received,
            "datagrams_dropped": self._datagrams_dropped,
            "errors": self._errors,
        }

    # asyncio.DatagramProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's transport is there."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """A datagram came; it is dropped and counted when too many wait."""
        if self._queued_size + len(data) > SOCKET_BUFFER_SIZE or not data:
            self._datagrams_dropped += 1
            return
        self._datagrams_received += 1
        self._queued_size += len(data)
        self._queue.append((data, cast(Address, addr)))
        self._schedule()

    def error_received(self, exc: Exception) -> None:
        """The system refused a datagram or reports an ICMP error: a loss, unless the socket is no more."""
        self._errors += 1
        if isinstance(exc, OSError) and exc.errno in GONE:
            transport = self._transport
            self.connection_lost(exc)
            if transport is not None:
                transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The loop gave the socket up, as some do after an error of sending: say so if it was not `close`."""
        self._transport = None
        if self._on_lost is not None:
            error = exc if isinstance(exc, OSError) else OSError(errno.EBADF, os.strerror(errno.EBADF))
            self._loop.call_soon(self._on_lost, error)
        self._on_readable = self._on_writable = self._on_lost = None

    def pause_writing(self) -> None:
        """asyncio's send buffer is full."""
        self.is_blocked = True

    def resume_writing(self) -> None:
        """asyncio's send buffer has room again."""
        self.is_blocked = False
        if self._on_writable is not None:
            self._on_writable()


async def open_datagram_endpoint(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> DatagramEndpoint:
    """Put a datagram endpoint on `sock`, a bound non-blocking UDP socket, which it takes over."""
    _, protocol = await loop.create_datagram_endpoint(
        lambda: DatagramEndpoint(loop, sock.getsockname()), sock=sock
    )
    return protocol
