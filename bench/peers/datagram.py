"""What aioquic and qh3 have in common: qh3 is a fork of aioquic, and its asyncio API is still the same.

Owns how their configuration, server and connections are made. What differs comes as arguments.
"""

import argparse
import importlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from bench import worker
from bench.peers.quic_link import DatagramLink, Link

ALPN = "bench"
DATAGRAM_SIZE = 1452
WINDOW = 16 * 1024 * 1024
SOCKET_BUFFER_SIZE = 4 * 1024 * 1024


class DatagramLibrary:
    """aioquic or qh3, by its name. `settings` go to QuicConfiguration beside those that both have.

    `backlog` tells how many bytes of a link are unsent, `may_open` whether one more stream may begin now,
    `cipher` the name of the cipher suite.
    """

    def __init__(
        self,
        name: str,
        max_streams: int,
        backlog: Callable[[DatagramLink], int],
        may_open: Callable[[DatagramLink], bool],
        cipher: Callable[[DatagramLink], str],
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self.name = name
        self._max_streams = max_streams
        self._backlog = backlog
        self._may_open = may_open
        self._cipher = cipher
        self._settings = settings or {}
        self._asyncio = importlib.import_module(f"{name}.asyncio")
        self._protocol = importlib.import_module(f"{name}.asyncio.protocol").QuicConnectionProtocol
        self._configuration = importlib.import_module(f"{name}.quic.configuration").QuicConfiguration
        self._suite = importlib.import_module(f"{name}.tls").CipherSuite.AES_128_GCM_SHA256

    async def serve(self, options: argparse.Namespace, accept: Callable[[Link], None]) -> tuple[Any, int]:
        """Listen; `accept` gets every new link. The server and its port."""

        def create(quic: Any, stream_handler: object = None) -> Any:
            protocol = self._protocol(quic, stream_handler=stream_handler)
            accept(DatagramLink(protocol, self._backlog, self._may_open))
            return protocol

        server = await self._asyncio.serve(
            options.host, options.port, configuration=self._configure(options), create_protocol=create
        )
        _enlarge_buffers(server._transport)
        return server, server._transport.get_extra_info("sockname")[1]

    @asynccontextmanager
    async def connect(self, options: argparse.Namespace) -> AsyncIterator[Link]:
        """A link that is connected."""
        links: list[Link] = []

        def create(quic: Any, stream_handler: object = None) -> Any:
            protocol = self._protocol(quic, stream_handler=stream_handler)
            links.append(DatagramLink(protocol, self._backlog, self._may_open))
            return protocol

        connecting = self._asyncio.connect(
            options.host, options.port, configuration=self._configure(options), create_protocol=create
        )
        async with connecting as protocol:
            _enlarge_buffers(protocol._transport)
            yield links[0]

    def detail(self, link: Link) -> dict[str, object]:
        """The cipher suite, and who proves who it is."""
        assert isinstance(link, DatagramLink)
        return {"cipher": self._cipher(link), "authenticated": "the server only"}

    def _configure(self, options: argparse.Namespace) -> Any:
        if worker.count_of(options) > self._max_streams:
            raise ValueError(f"{self.name} has {self._max_streams} streams at most")
        configuration = self._configuration(
            alpn_protocols=[ALPN],
            is_client=options.role == "client",
            max_data=WINDOW,
            max_stream_data=WINDOW,
            max_datagram_size=DATAGRAM_SIZE,
            cipher_suites=[self._suite],
            **self._settings,
        )
        folder, role = options.certificates, options.role
        configuration.load_cert_chain(folder / f"{role}.pem", folder / f"{role}.key")
        configuration.load_verify_locations(str(folder / "ca.pem"))
        return configuration


def _enlarge_buffers(transport: Any) -> None:
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_SIZE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_SIZE)
