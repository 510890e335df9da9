"""Rows of datagrams through a non-blocking UDP socket: many system calls, one call of Python.

Owns: the calls, joining what came of one kind, cutting what one call takes. May not know: packets, the event
loop, what an error means to its caller.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import Final, cast, final

from fastmux.constants import MAX_RECEIVE_ERRORS, TRAIN_BUFFER_SIZE

Address = tuple[str, int] | tuple[str, int, int, int]
Row = tuple[int, int, int, Address]

# <linux/udp.h>
_SOL_UDP: Final = 17
_UDP_SEGMENT: Final = 103
_UDP_GRO: Final = 104
_ANCILLARY_SIZE: Final = socket.CMSG_SPACE(4) if hasattr(socket, "CMSG_SPACE") else 0


@final
class DatagramIO:
    """The system calls of one bound, non-blocking UDP socket, which it does not own.

    Invariant: `is_drained` is True if the last `receive` ended because nothing more waited.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._is_drained = True
        self._trains_received = 0
        self._receive_errors = 0

    def receive(self, buffer: bytearray | memoryview, max_trains: int) -> list[Row]:
        """Take at most `max_trains` trains, while `buffer` has TRAIN_BUFFER_SIZE bytes left for one.

        Returns `(start, size, segment_size, address)` of each row of datagrams; all but the last datagram of
        a row have `segment_size` bytes. Trains that go on where the one before ended are one row. Errors that
        the socket reports (ICMP, of earlier sends) are counted, not raised.
        """
        self._check_open()
        view = memoryview(buffer).cast("B")
        if view.readonly:
            raise BufferError("the buffer is not writable")
        rows: list[Row] = []
        at = errors = 0
        self._is_drained = False
        while max_trains > 0 and errors < MAX_RECEIVE_ERRORS and at + TRAIN_BUFFER_SIZE <= len(view):
            try:
                size, segment_size, address = self._receive_train(view[at : at + TRAIN_BUFFER_SIZE])
            except (BlockingIOError, InterruptedError):
                self._is_drained = True
                break
            except OSError:
                self._receive_errors += 1
                errors += 1
                continue
            self._trains_received += 1
            max_trains -= 1
            if size and not _join(rows, size, segment_size, address):
                rows.append((at, size, segment_size, address))
            at += size
        return rows

    def _receive_train(self, room: memoryview) -> tuple[int, int, Address]:
        if not _ANCILLARY_SIZE:  # a system without recvmsg
            size, address = self._socket.recvfrom_into(room)
            return size, size, cast(Address, address)
        size, ancillary, _, address = self._socket.recvmsg_into((room,), _ANCILLARY_SIZE)
        if ancillary:
            level, kind, data = ancillary[0]
            if level == _SOL_UDP and kind == _UDP_GRO:
                return size, struct.unpack_from("=i", data)[0], cast(Address, address)
        return size, size, cast(Address, address)

    def send(
        self, data: bytes | bytearray | memoryview, segment_size: int, train_size: int, address: Address
    ) -> tuple[int, int]:
        """Send `data` as datagrams of `segment_size`, at most `train_size` bytes a system call (GSO).

        With `train_size` up to `segment_size` each call sends one datagram. Returns `(size, errno)`: how
        much went, and why the next call failed, 0 if none did.
        """
        if segment_size < 1 or train_size < segment_size or train_size % segment_size:
            raise ValueError("train_size must be a whole number of segments")
        self._check_open()
        view = memoryview(data).cast("B")
        at = 0
        while at < len(view):
            train = view[at : at + train_size]
            try:
                if len(train) <= segment_size:
                    self._socket.sendto(train, address)
                else:
                    message = (_SOL_UDP, _UDP_SEGMENT, struct.pack("=H", segment_size))
                    self._socket.sendmsg((train,), (message,), 0, address)
            except OSError as error:
                if error.errno == errno.EINTR:
                    continue
                return at, error.errno or errno.EIO
            at += len(train)
        return at, 0

    def _check_open(self) -> None:
        if self._socket.fileno() < 0:
            raise ValueError("the socket is closed")

    @property
    def is_drained(self) -> bool:
        """True if the last `receive` ended because nothing more waited."""
        return self._is_drained

    @property
    def trains_received(self) -> int:
        """How many receiving calls brought something."""
        return self._trains_received

    @property
    def receive_errors(self) -> int:
        """How many receiving calls reported an error."""
        return self._receive_errors


def _join(rows: list[Row], size: int, segment_size: int, address: Address) -> bool:
    """Add a train to the last row if it goes on there; a lone shorter datagram ends a row."""
    if not rows:
        return False
    start, size_before, row_segment, source = rows[-1]
    is_like = segment_size == row_segment or (size == segment_size and size < row_segment)
    if not is_like or size_before % row_segment or source != address:
        return False
    rows[-1] = (start, size_before + size, row_segment, source)
    return True
