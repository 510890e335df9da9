"""The UDP socket that moves a train of datagrams with one system call.

Owns: the socket, UDP_SEGMENT and UDP_GRO, and falling back from them by itself. May not know: packets and
connections. What the network refuses (an MTU too small, no route, no buffers) is a lost datagram, counted and
never raised: the layer above recovers from loss.
"""

from __future__ import annotations

import errno
import socket
import struct
from asyncio import AbstractEventLoop
from collections.abc import Callable

from fastmux.aio.socket_options import (
    GSO_REFUSALS,
    SOL_UDP,
    UDP_GRO,
    enable_gro,
    has_gso,
    segment_message,
)
from fastmux.aio.transport import BUFFER_SIZE
from fastmux.constants import MAX_PLAIN_DESTINATIONS
from fastmux.protocol.events import Address, max_train_size

_ANCILLARY_SIZE = socket.CMSG_SPACE(4) if hasattr(socket, "CMSG_SPACE") else 0
_Message = list[tuple[int, int, bytes]]


class TrainSocket:
    """A bound, non-blocking UDP socket on an event loop that has `add_reader`.

    Invariant: `_pending` is the rest of the one train that the kernel had no room for; while it is set the
    loop watches for room and nothing else is sent. `_plain` are the destinations for which GSO was refused.
    """

    def __init__(self, loop: AbstractEventLoop, sock: socket.socket) -> None:
        """Takes over `sock`."""
        self._loop = loop
        self._socket = sock
        self._fd = sock.fileno()
        self.sockname: Address = sock.getsockname()
        self.buffer = bytearray(BUFFER_SIZE)
        self._views = [memoryview(self.buffer)]
        self._has_gro = enable_gro(sock)
        self._has_gso = has_gso(sock)
        self._messages: dict[int, _Message] = {}
        self._plain: set[Address] = set()
        self._pending: tuple[memoryview, int, Address] | None = None
        self._on_writable: Callable[[], None] | None = None
        self._is_closed = False
        self._trains_sent = 0
        self._trains_received = 0
        self._send_errors = 0
        self._receive_errors = 0
        self._gso_refusals = 0

    def __del__(self) -> None:
        if not self._is_closed:
            self._socket.close()

    @property
    def is_blocked(self) -> bool:
        """True while a train waits for room in the kernel."""
        return self._pending is not None

    @property
    def path(self) -> str:
        """How trains go out and come in, for example "gso+gro"; "plain" without either."""
        parts = [name for name, has in (("gso", self._has_gso), ("gro", self._has_gro)) if has]
        return "+".join(parts) or "plain"

    @property
    def socket(self) -> socket.socket:
        """The socket itself, to look at."""
        return self._socket

    def start(self, on_readable: Callable[[], None], on_writable: Callable[[], None]) -> None:
        """Watch the socket. Raises NotImplementedError on a loop without `add_reader`."""
        self._loop.add_reader(self._fd, on_readable)
        self._on_writable = on_writable

    def receive(self) -> tuple[int, int, Address] | None:
        """Take the next train: `(size, segment_size, address)`; None if there is none now."""
        while not self._is_closed:
            try:
                size, ancillary, _, address = self._socket.recvmsg_into(self._views, _ANCILLARY_SIZE)
            except (BlockingIOError, InterruptedError):
                return None
            except OSError:  # an ICMP error of an earlier send, on systems that report it here
                self._receive_errors += 1
                if self._receive_errors % 64 == 0:
                    return None
                continue
            self._trains_received += 1
            if ancillary:
                level, kind, data = ancillary[0]
                if level == SOL_UDP and kind == UDP_GRO:
                    return size, struct.unpack_from("=i", data)[0], address
            return size, size, address
        return None

    def send(self, buffer: memoryview, size: int, segment_size: int, address: Address) -> None:
        """Send the first `size` bytes as datagrams of `segment_size`; refused ones are counted as lost."""
        if self._is_closed:
            return
        if size <= segment_size:
            self._send_each(buffer[:size], size, address)
            return
        if not self._has_gso or address in self._plain:
            self._send_each(buffer[:size], segment_size, address)
            return
        message = self._message(segment_size)
        train_size = max_train_size(segment_size)
        for start in range(0, size, train_size):
            train = buffer[start : min(start + train_size, size)]
            try:
                self._socket.sendmsg((train,), message, 0, address)
            except (BlockingIOError, InterruptedError):
                self._block(buffer[start:size], segment_size, address)
                return
            except OSError as error:
                if error.errno in GSO_REFUSALS:
                    self._send_without_gso(buffer[start:size], segment_size, address)
                    return
                self._send_errors += 1
            else:
                self._trains_sent += 1

    def _message(self, segment_size: int) -> _Message:
        message = self._messages.get(segment_size)
        if message is None:
            if len(self._messages) >= 16:  # sizes change only with the path MTU
                self._messages.clear()
            message = self._messages[segment_size] = segment_message(segment_size)
        return message

    def _send_without_gso(self, train: memoryview, segment_size: int, address: Address) -> None:
        """Send a refused train one by one, and remember that unless it was the size that was refused."""
        self._gso_refusals += 1
        if self._send_each(train, segment_size, address):
            self._plain.add(address)
            if len(self._plain) > MAX_PLAIN_DESTINATIONS:
                self._has_gso = False
                self._plain.clear()

    def _send_each(self, train: memoryview, segment_size: int, address: Address) -> bool:
        """Send datagram by datagram. False if one was too large for the path."""
        fits = True
        for start in range(0, len(train), segment_size):
            try:
                self._socket.sendto(train[start : start + segment_size], address)
            except (BlockingIOError, InterruptedError):
                self._block(train[start:], segment_size, address)
                return fits
            except OSError as error:
                self._send_errors += 1
                fits = fits and error.errno != errno.EMSGSIZE
        self._trains_sent += 1
        return fits

    def _block(self, train: memoryview, segment_size: int, address: Address) -> None:
        """Keep a copy of what the kernel has no room for, and watch for room."""
        self._pending = (memoryview(bytes(train)), segment_size, address)
        self._loop.add_writer(self._fd, self._on_room)

    def _on_room(self) -> None:
        if self._pending is None:
            return
        train, segment_size, address = self._pending
        self._pending = None
        self.send(train, len(train), segment_size, address)
        if self._pending is None:
            self._loop.remove_writer(self._fd)
            if self._on_writable is not None:
                self._on_writable()

    def close(self) -> None:
        """Close the socket; a train that still waits is lost."""
        if self._is_closed:
            return
        self._is_closed = True
        if not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
        self._pending = None
        self._on_writable = None
        self._socket.close()

    def counters(self) -> dict[str, int]:
        """Trains sent and received, errors each way, and trains for which GSO was refused."""
        return {
            "trains_sent": self._trains_sent,
            "trains_received": self._trains_received,
            "send_errors": self._send_errors,
            "receive_errors": self._receive_errors,
            "gso_refusals": self._gso_refusals,
        }
