"""A UDP relay on loopback that keeps what it carries, and can attack in the name of its client.

Owns: the sockets between one client and the server. May not know: what the datagrams mean.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Iterable

from fastmux.aio.socket_options import SOL_UDP, UDP_SEGMENT

MAX_RECORDED = 2000  # datagrams kept in each direction, the first ones
_Address = tuple[str, int]


def make_socket(host: str = "127.0.0.1") -> socket.socket:
    """A UDP socket on loopback that does not block."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.setblocking(False)
    return sock


class RecordingRelay:
    """Carries datagrams between one client and the server at `port`.

    `to_server` and `to_client` are the first datagrams of each direction. While `disguise` is set, each of
    the client's datagrams goes to the server in the middle of a train: `disguise(size)` makes the others.
    `lost_to_server` and `lost_to_client` are the numbers of the datagrams that get lost, counted from 0.
    """

    def __init__(self, server_port: int) -> None:
        self._server = ("127.0.0.1", server_port)
        self._client: _Address | None = None
        self._front = make_socket()
        self._back = make_socket()
        self.to_server: list[bytes] = []
        self.to_client: list[bytes] = []
        self.lost_to_server: frozenset[int] = frozenset()
        self.lost_to_client: frozenset[int] = frozenset()
        self._counts = [0, 0]
        self.disguise: Callable[[int], bytes] | None = None

    @property
    def port(self) -> int:
        """Where the client connects to."""
        return int(self._front.getsockname()[1])

    def __enter__(self) -> RecordingRelay:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._front, self._from_client)
        loop.add_reader(self._back, self._from_server)
        return self

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for sock in (self._front, self._back):
            loop.remove_reader(sock)
            sock.close()

    def attack(self, datagrams: Iterable[bytes], source: socket.socket | None = None) -> None:
        """Send datagrams to the server, from `source` or from where the client's come from."""
        for datagram in datagrams:
            _send(source or self._back, datagram, self._server)

    def _from_client(self) -> None:
        for datagram, address in _received(self._front):
            self._client = address
            if len(self.to_server) < MAX_RECORDED:
                self.to_server.append(datagram)
            if self._is_lost(0, self.lost_to_server):
                continue
            if self.disguise is None:
                _send(self._back, datagram, self._server)
            else:
                size = len(datagram)
                train = self.disguise(size) + datagram + self.disguise(size)
                _send_train(self._back, train, size, self._server)

    def _from_server(self) -> None:
        for datagram, _ in _received(self._back):
            if len(self.to_client) < MAX_RECORDED:
                self.to_client.append(datagram)
            if self._client is not None and not self._is_lost(1, self.lost_to_client):
                _send(self._front, datagram, self._client)

    def _is_lost(self, direction: int, lost: frozenset[int]) -> bool:
        number = self._counts[direction]
        self._counts[direction] = number + 1
        return number in lost


def _received(sock: socket.socket) -> Iterable[tuple[bytes, _Address]]:
    for _ in range(64):
        try:
            datagram, address = sock.recvfrom(65536)
        except (BlockingIOError, ConnectionRefusedError):
            return
        yield datagram, address


def _send(sock: socket.socket, datagram: bytes, address: _Address) -> None:
    with contextlib.suppress(BlockingIOError, ConnectionRefusedError):  # one more lost datagram
        sock.sendto(datagram, address)


def _send_train(sock: socket.socket, train: bytes, segment_size: int, address: _Address) -> None:
    try:
        sock.sendmsg([train], [(SOL_UDP, UDP_SEGMENT, struct.pack("=H", segment_size))], 0, address)
    except OSError:  # no GSO here
        for start in range(0, len(train), segment_size):
            _send(sock, train[start : start + segment_size], address)
