"""A UDP socket of a virtual host: the calls that fastmux makes of one, without a kernel.

Owns: the queue of what arrived, GSO and GRO, and the errors that the host's schedule asks for. May not know:
packets; how a datagram travels.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from fastmux.aio.socket_options import SOL_UDP, UDP_GRO, UDP_SEGMENT
from fastmux.constants import MAX_UDP_PAYLOAD
from fastmux.protocol.events import Address
from virtual.faults import Call, Schedule

MAX_SEGMENTS: Final = 64
_NO_ROOM: Final = (errno.EAGAIN, errno.EWOULDBLOCK)
Send = Callable[["VirtualSocket", bytes, Address], None]


class Machine(Protocol):
    """What a socket asks of its host."""

    schedule: Schedule

    @property
    def now(self) -> float:
        """The time of the world, in seconds."""
        ...

    def release(self, sock: VirtualSocket) -> None:
        """The socket is closed."""
        ...


class VirtualSocket:
    """Invariant: `_queued_size` is the sum of the sizes in `_queue`, at most `receive_limit`: what does not
    fit is dropped and counted in `overflowed`, as a kernel does.
    """

    family = socket.AF_INET
    type = socket.SOCK_DGRAM

    def __init__(
        self, machine: Machine, fd: int, address: Address, send: Send, *, has_gso: bool, has_gro: bool
    ) -> None:
        self._machine = machine
        self._fd = fd
        self._address = address
        self._send = send
        self._has_gso = has_gso
        self._has_gro = has_gro
        self._gro = False
        self._options: dict[tuple[int, int], int] = {}
        self._queue: deque[tuple[bytes, Address]] = deque()
        self._queued_size = 0
        self.receive_limit = 1 << 22
        self.room_at = 0.0  # when there is room to send again
        self.overflowed = 0
        self.sent = 0
        self.is_broken = False  # the descriptor was closed, the object does not know

    # --- the world's side --------------------------------------------------------------------------

    def arrive(self, data: bytes, source: Address) -> None:
        """A datagram comes."""
        if self._queued_size + len(data) > self.receive_limit:
            self.overflowed += 1
            return
        self._queue.append((data, source))
        self._queued_size += len(data)

    @property
    def can_be_read(self) -> bool:
        """Whether a selector would say so."""
        return bool(self._queue) and not self.is_broken

    # --- the calls ---------------------------------------------------------------------------------

    def fileno(self) -> int:
        """A number that no real descriptor has; -1 once closed."""
        return self._fd

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""
        assert not flag

    def getsockname(self) -> Address:
        """Where it is bound to."""
        return self._address

    def getpeername(self) -> Address:
        """It is not connected."""
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """Any option is taken, GRO if this machine has it."""
        if (level, option) == (SOL_UDP, UDP_GRO):
            if not self._has_gro:
                raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))
            self._gro = bool(value)
        self._options[level, option] = value

    def getsockopt(self, level: int, option: int) -> int:
        """What was set."""
        if (level, option) == (SOL_UDP, UDP_SEGMENT) and not self._has_gso:
            raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))
        return self._options.get((level, option), 0)

    def sendto(self, data: bytes | memoryview, address: Address) -> int:
        """Send one datagram."""
        self._check("send", len(data), False)
        self._transmit(bytes(data), address)
        return len(data)

    def sendmsg(
        self,
        buffers: Sequence[memoryview],
        ancillary: Iterable[tuple[int, int, bytes]],
        flags: int,
        address: Address,
    ) -> int:
        """Send a train: as many datagrams as UDP_SEGMENT says."""
        (message,) = ancillary
        assert message[:2] == (SOL_UDP, UDP_SEGMENT)
        (segment_size,) = struct.unpack("=H", message[2])
        data = b"".join(buffers)
        if len(data) > MAX_UDP_PAYLOAD or -(-len(data) // segment_size) > MAX_SEGMENTS:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        self._check("send", segment_size, True)
        for start in range(0, len(data), segment_size):
            self._transmit(data[start : start + segment_size], address)
        return len(data)

    def recvmsg_into(
        self, buffers: Sequence[memoryview], ancillary_size: int
    ) -> tuple[int, list[tuple[int, int, bytes]], int, Address]:
        """Take one datagram, or a row of equal ones with GRO."""
        self._check("receive", 0, False)
        if not self._queue:
            raise BlockingIOError(errno.EAGAIN, "nothing here")
        (room,) = buffers
        first, source = self._queue.popleft()
        room[: len(first)] = first
        size = last = len(first)
        count = 1
        while self._gro and first and self._goes_on(last, len(first), size, source, len(room), count):
            data, _ = self._queue.popleft()
            last = len(data)
            room[size : size + last] = data
            size += last
            count += 1
        self._queued_size -= size
        rows = [(SOL_UDP, UDP_GRO, struct.pack("=i", len(first)))] if count > 1 else []
        return size, rows, 0, source

    def recvfrom(self, size: int) -> tuple[bytes, Address]:
        """Take one datagram."""
        room = memoryview(bytearray(size))
        size, _, _, source = self.recvmsg_into((room,), 0)
        return bytes(room[:size]), source

    def _goes_on(self, last: int, segment: int, size: int, source: Address, room: int, count: int) -> bool:
        if not self._queue or last != segment or count == MAX_SEGMENTS:
            return False
        data, who = self._queue[0]
        return who == source and 0 < len(data) <= segment and size + len(data) <= min(room, 65535)

    def close(self) -> None:
        """Close it; may be repeated."""
        if self._fd >= 0:
            self._machine.release(self)
            self._fd = -1
            self._queue.clear()

    def detach(self) -> int:
        """Let the number go; what it stands for is the host's business, and here it is gone."""
        fd = self._fd
        self.close()
        return fd

    def _transmit(self, data: bytes, address: Address) -> None:
        self.sent += 1
        self._send(self, data, address)

    def _check(self, call: Call, size: int, is_train: bool) -> None:
        """Raise what this call meets."""
        if self._fd < 0 or self.is_broken:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        now = self._machine.now
        if call == "send" and now < self.room_at:
            raise BlockingIOError(errno.EAGAIN, "no room yet")
        fault = self._machine.schedule.next(call, now, size, is_train)
        if fault is None:
            return
        if fault.code in _NO_ROOM:
            self.room_at = now + fault.pause if call == "send" else self.room_at
        raise OSError(fault.code, os.strerror(fault.code))
