"""The UDP socket that moves trains of datagrams, many with one call.

Owns: the socket, UDP_SEGMENT and UDP_GRO, and falling back from them by itself. May not know: packets and
connections. What the network refuses (an MTU too small, no route, no buffers) is a lost datagram, counted and
never raised: the layer above recovers from loss.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from functools import partial

from fastmux import core
from fastmux.aio.buffers import receive_buffer
from fastmux.aio.loop import WatchingLoop
from fastmux.aio.socket_options import GONE, GSO_REFUSALS, enable_gro, has_gso
from fastmux.aio.transport import TRAINS_PER_CALL, Row
from fastmux.constants import MAX_PLAIN_DESTINATIONS
from fastmux.protocol.events import Address, max_train_size

_NO_ROOM = (errno.EAGAIN, errno.EWOULDBLOCK)


class TrainSocket:
    """A bound, non-blocking UDP socket on an event loop that has `add_reader`.

    Invariant: `_pending` is the rest of the trains that the kernel had no room for; while it is set the
    loop watches for room, nothing else is sent and `is_blocked` is True, which says that a train waits for
    the kernel. `_plain` are the destinations for which GSO was refused.
    `_is_lost` is True once the socket was found closed by somebody else: no call is made of it any more.
    """

    def __init__(self, loop: WatchingLoop, sock: socket.socket) -> None:
        """Takes over `sock`."""
        self._loop = loop
        self._socket = sock
        self._fd = sock.fileno()
        self._io = core.make_datagram_io(sock)
        self.sockname: Address = sock.getsockname()
        self.may_fragment = False  # whoever made the socket knows better
        self.buffer = receive_buffer()
        self._has_gro = enable_gro(sock)
        self._has_gso = has_gso(sock)
        self._plain: set[Address] = set()
        self._pending: tuple[memoryview, int, Address] | None = None
        self.is_blocked = False
        self._on_writable: Callable[[], None] | None = None
        self._on_lost: Callable[[OSError], None] | None = None
        self._is_closed = False
        self._is_lost = False
        self._trains_sent = 0
        self._send_errors = 0
        self._gso_refusals = 0

    def __del__(self) -> None:
        if not self._is_closed:
            self._socket.close()

    @property
    def is_drained(self) -> bool:
        """True if nothing more waited at the last `receive`."""
        return self._io.is_drained

    @property
    def path(self) -> str:
        """How trains go out and come in, for example "gso+gro"; "plain" without either."""
        parts = [name for name, has in (("gso", self._has_gso), ("gro", self._has_gro)) if has]
        return "+".join(parts) or "plain"

    @property
    def socket(self) -> socket.socket:
        """The socket itself, to look at."""
        return self._socket

    def start(
        self,
        on_readable: Callable[[], None],
        on_writable: Callable[[], None],
        on_lost: Callable[[OSError], None] | None = None,
    ) -> None:
        """Watch the socket. Raises NotImplementedError on a loop without `add_reader`."""
        self._loop.add_reader(self._fd, on_readable)
        self._on_writable = on_writable
        self._on_lost = on_lost

    def receive(self) -> list[Row]:
        """Take what waits, at most TRAINS_PER_CALL trains, into `buffer`; empty if there is nothing now."""
        if self._is_closed or self._is_lost:
            return []
        try:
            return self._io.receive(self.buffer, TRAINS_PER_CALL)
        except ValueError:
            if self._socket.fileno() >= 0:
                raise
            self._lose(errno.EBADF)
            return []

    def send(self, buffer: memoryview, size: int, segment_size: int, address: Address) -> None:
        """Send the first `size` bytes as datagrams of `segment_size`; refused ones are counted as lost."""
        if self._is_closed or self._is_lost:
            return
        uses_gso = size > segment_size and self._has_gso and address not in self._plain
        train_size = max_train_size(segment_size) if uses_gso else segment_size
        start = 0
        while True:
            try:
                sent, code = self._io.send(buffer[start:size], segment_size, train_size, address)
            except ValueError as error:
                sent, code = self._explain(error)
            self._trains_sent += -(-sent // train_size) if uses_gso else sent > 0
            start += sent
            if code == 0:
                return
            if code in _NO_ROOM:
                self._block(buffer[start:size], segment_size, address)
                return
            if uses_gso and size - start > segment_size and code in GSO_REFUSALS:
                self._send_without_gso(buffer[start:size], segment_size, address)
                return
            if code in GONE:
                self._lose(code)
                return
            self._send_errors += 1  # this train, or this datagram, is lost; the next may go
            start += train_size
            if start >= size:
                return

    def _explain(self, error: ValueError) -> tuple[int, int]:
        """What `DatagramIO.send` would say of a closed socket object. Any other error is one of ours."""
        if self._socket.fileno() >= 0:
            raise error
        return 0, errno.EBADF

    def _lose(self, code: int) -> None:
        """Somebody else closed the socket: say so once, and touch that number no more."""
        self._is_lost = True
        self._pending = None
        self.is_blocked = False
        if self._on_lost is not None:
            self._loop.call_soon(partial(self._on_lost, OSError(code, os.strerror(code))))

    def _send_without_gso(self, train: memoryview, segment_size: int, address: Address) -> None:
        """Send refused trains one by one, and remember that unless it was the size that was refused."""
        self._gso_refusals += 1
        if self._send_each(train, segment_size, address):
            self._plain.add(address)
            if len(self._plain) > MAX_PLAIN_DESTINATIONS:
                self._has_gso = False
                self._plain.clear()

    def _send_each(self, train: memoryview, segment_size: int, address: Address) -> bool:
        """Send datagram by datagram. False if one was too large for the path."""
        fits = True
        start = 0
        while start < len(train):
            try:
                sent, code = self._io.send(train[start:], segment_size, segment_size, address)
            except ValueError as error:
                sent, code = self._explain(error)
            start += sent
            if code in _NO_ROOM:
                self._block(train[start:], segment_size, address)
                return fits
            if code in GONE:
                self._lose(code)
                return False
            if code:
                self._send_errors += 1
                fits = fits and code != errno.EMSGSIZE
                start += segment_size
        self._trains_sent += 1
        return fits

    def _block(self, train: memoryview, segment_size: int, address: Address) -> None:
        """Keep a copy of what the kernel has no room for, and watch for room."""
        self._pending = (memoryview(bytes(train)), segment_size, address)
        self.is_blocked = True
        self._loop.add_writer(self._fd, self._on_room)

    def _on_room(self) -> None:
        if self._pending is None:
            return
        train, segment_size, address = self._pending
        self._pending = None
        self.is_blocked = False
        self.send(train, len(train), segment_size, address)
        if not self.is_blocked:
            self._loop.remove_writer(self._fd)
            if self._on_writable is not None:
                self._on_writable()

    def close(self) -> None:
        """Close the socket; a train that still waits is lost."""
        if self._is_closed:
            return
        if not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
        self.forsake()

    def forsake(self) -> None:
        """In a child of fork: close this copy of the descriptor. The parent's epoll knows nothing of it."""
        self._is_closed = True
        self._pending = None
        self.is_blocked = False
        self._on_writable = self._on_lost = None
        if self._is_lost:
            self._socket.detach()  # its number may be somebody else's by now
        else:
            self._socket.close()

    def counters(self) -> dict[str, int]:
        """Trains sent and received, errors each way, and trains for which GSO was refused."""
        return {
            "trains_sent": self._trains_sent,
            "trains_received": self._io.trains_received,
            "send_errors": self._send_errors,
            "receive_errors": self._io.receive_errors,
            "gso_refusals": self._gso_refusals,
        }
