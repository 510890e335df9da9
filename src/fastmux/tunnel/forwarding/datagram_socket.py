"""A UDP socket: datagrams in bursts, and never a wait to send one.

Owns: reading and writing such a socket. May not know: whose datagrams they are.
"""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from fastmux.aio.open_transport import has_add_reader
from fastmux.protocol.events import Address
from fastmux.tunnel.constants import MAX_UDP_BURST, UDP_RECEIVE_SIZE
from fastmux.tunnel.forwarding.readiness import Readiness


class DatagramSocket:
    """A non-blocking UDP socket, connected or not; one task may receive."""

    def __init__(self, sock: socket.socket) -> None:
        """Take the socket over."""
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._readiness = Readiness(sock)
        self._is_watchable = has_add_reader(self._loop, sock)
        self._buffer = bytearray(UDP_RECEIVE_SIZE)

    async def receive(self) -> list[tuple[bytes, Address]]:
        """Receive the datagrams that are there, at least one and at most a burst, each with its sender.

        What a network says about datagrams that were sent (ECONNREFUSED and the like) is not for anybody.
        Raises OSError if the socket is of no use any more.
        """
        if not self._is_watchable:
            return [await self._receive_one()]
        while True:
            burst = self._burst()
            if burst:
                return burst
            await self._readiness.readable()

    def send(self, data: bytes, address: Address | None = None) -> bool:
        """Send a datagram, to `address` unless the socket is connected; False if it was dropped.

        A socket without room drops, as a network does, and so does a datagram that is too large for it or
        that the system has no way for.
        """
        try:
            if address is None:
                self._sock.send(data)
            else:
                self._sock.sendto(data, address)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close it; may be repeated."""
        self._readiness.forget()
        self._sock.close()

    def _burst(self) -> list[tuple[bytes, Address]]:
        """What is there now."""
        view = memoryview(self._buffer)
        burst: list[tuple[bytes, Address]] = []
        for _ in range(MAX_UDP_BURST):
            try:
                size, address = self._sock.recvfrom_into(self._buffer)
            except BlockingIOError:
                break
            except ConnectionError:
                continue
            burst.append((bytes(view[:size]), cast(Address, address)))
        return burst

    async def _receive_one(self) -> tuple[bytes, Address]:
        """For loops that read by themselves."""
        while True:
            try:
                return await self._loop.sock_recvfrom(self._sock, UDP_RECEIVE_SIZE)
            except ConnectionError:
                continue
