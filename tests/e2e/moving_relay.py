"""A UDP relay whose address towards the server changes, as a NAT's does that forgot its binding.

Owns: the sockets between one client and the server. May not know: what the datagrams mean.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from e2e.recording_relay import make_socket


class MovingRelay:
    """Carries datagrams between one client and the server at `port` of 127.0.0.1. A context manager.

    Answers are carried from every address that it ever had: a server may go on using the old one.
    """

    def __init__(self, server_port: int) -> None:
        self._server = ("127.0.0.1", server_port)
        self._client: Any = None
        self._front = make_socket()
        self._backs = [make_socket()]

    @property
    def port(self) -> int:
        """Where the client connects to."""
        return int(self._front.getsockname()[1])

    @property
    def address(self) -> tuple[str, int]:
        """Where the server sees the client now."""
        host, port = self._backs[-1].getsockname()
        return host, port

    def __enter__(self) -> MovingRelay:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._front, self._to_server)
        loop.add_reader(self._backs[0], self._to_client, self._backs[0])
        return self

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for sock in (self._front, *self._backs):
            loop.remove_reader(sock)
            sock.close()

    def move(self, host: str = "127.0.0.1", *, forgets: bool = False) -> None:
        """From now on the client's datagrams come from another port, or address.

        If it `forgets`, what is still sent to the old one is lost.
        """
        if forgets:
            loop = asyncio.get_running_loop()
            for back in self._backs:
                loop.remove_reader(back)
                back.close()
            self._backs.clear()
        self._backs.append(make_socket(host))
        asyncio.get_running_loop().add_reader(self._backs[-1], self._to_client, self._backs[-1])

    def _to_server(self) -> None:
        datagram, self._client = self._front.recvfrom(65536)
        self.carry(datagram, self._server)

    def carry(self, datagram: bytes, server: Any) -> None:
        """Send a datagram on to the server."""
        self._backs[-1].sendto(datagram, server)

    def _to_client(self, back: socket.socket) -> None:
        self._front.sendto(back.recv(65536), self._client)
