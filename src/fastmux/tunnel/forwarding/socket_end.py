"""A stream socket as one end of a splice: TCP or Unix.

Owns: reading, writing and the ways to end such a socket. May not know: what stands at the other side of the
splice. A socket that is `reset` shows its peer a broken connection (RST), never a clean end. So does one
whose process is killed, on Linux: only `SocketEnd.close` ends one in order.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from contextlib import suppress
from typing import Final

from fastmux.aio.open_transport import has_add_reader
from fastmux.tunnel.forwarding.readiness import Readiness

# struct linger: two ints, on Windows two unsigned shorts. On, and no time: close sends RST.
_LINGER_FORM: Final = "HH" if sys.platform == "win32" else "ii"
_NO_LINGER: Final = struct.pack(_LINGER_FORM, 1, 0)
_IN_ORDER: Final = struct.pack(_LINGER_FORM, 0, 0)
# Elsewhere a socket that has ended both ways may take no options any more, and could not be closed in order.
_RESETS_WHEN_KILLED: Final = sys.platform == "linux"
_IP_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)


def prepare(sock: socket.socket) -> None:
    """Make a socket non-blocking, and a TCP one send small pieces at once and be reset if this process dies.

    The system closes what a dead process had: without that the peer would see a clean end.
    """
    sock.setblocking(False)
    if sock.family in _IP_FAMILIES:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if _RESETS_WHEN_KILLED:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)


def reset_socket(sock: socket.socket) -> None:
    """Close a socket so that a TCP peer gets RST and loses what it has not been sent; may be repeated.

    A Unix socket has no such signal: its peer sees an end, or ECONNRESET if we left something unread.
    """
    if sock.fileno() >= 0:
        with suppress(OSError):  # it is broken already, and closing says so
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        sock.close()


class SocketEnd:
    """A connected, non-blocking stream socket; one task may receive and one may send."""

    __slots__ = ("_readiness", "_sock")

    def __init__(self, sock: socket.socket) -> None:
        """Take the socket over."""
        self._sock = sock
        self._readiness = Readiness(sock)

    async def receive(self, max_bytes: int) -> bytes:
        """Receive 1 to `max_bytes` bytes, b"" at the peer's end. Raises OSError if the peer is gone."""
        while True:
            try:
                return self._sock.recv(max_bytes)
            except BlockingIOError:
                await self._readiness.readable()

    async def send(self, data: bytes) -> None:
        """Give all of `data` to the system, waiting for room. Raises OSError if the peer is gone."""
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        if sent == len(data):
            return
        rest = memoryview(data)[sent:]
        while rest:
            await self._readiness.writable()
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                continue

    async def send_eof(self) -> None:
        """End the sending direction (FIN). Raises OSError if the peer is gone."""
        self._sock.shutdown(socket.SHUT_WR)

    def check(self) -> None:
        """Raise OSError if the peer reset the connection while nobody read or wrote."""
        number = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, os.strerror(number))

    def close(self) -> None:
        """Close it; what was sent is still delivered. May be repeated."""
        self._readiness.forget()
        if _RESETS_WHEN_KILLED and self._sock.fileno() >= 0 and self._sock.family in _IP_FAMILIES:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _IN_ORDER)
        self._sock.close()

    def reset(self) -> None:
        """Close it so that its peer cannot take this for a clean end. May be repeated."""
        self._readiness.forget()
        reset_socket(self._sock)


class ProactorSocketEnd(SocketEnd):
    """The same on a loop that reads and writes by itself and cannot tell when a socket is ready."""

    __slots__ = ()

    async def receive(self, max_bytes: int) -> bytes:
        """Receive as `SocketEnd` does."""
        return await asyncio.get_running_loop().sock_recv(self._sock, max_bytes)

    async def send(self, data: bytes) -> None:
        """Send as `SocketEnd` does."""
        await asyncio.get_running_loop().sock_sendall(self._sock, data)


def socket_end(sock: socket.socket) -> SocketEnd:
    """The end that suits the running loop. Takes the socket over and prepares it."""
    prepare(sock)
    kind = SocketEnd if has_add_reader(asyncio.get_running_loop(), sock) else ProactorSocketEnd
    return kind(sock)
