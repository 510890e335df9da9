"""One side of one workload over aiopquic, which needs Python 3.12 or newer.

    python -m bench.peers.aiopquic server|client --workload W --certificates DIR [--port N] [--loop uvloop] …

Chosen from its documentation: AES-128-GCM, windows of 16 MiB (its default), far more streams than its default
of 512 and more connections than 256, and `send_stream_data_drained`, which holds the sender back by the
library's own rings. A ring has 4 MiB by default; with 100 streams that would be seconds of backlog, so the
streams share 24 MiB. Congestion control stays "bbr1": its documentation says why the others suffer on a
loopback. Its datagram size cannot be chosen: it probes the path itself and ends at 1,440 bytes. Its network
thread runs beside Python, so one end can use more than one CPU.

Its servers never ask for a client's certificate, so only the server is authenticated. It listens on every
address whatever `--host` says, and cannot tell its port, so a free one is chosen before.

Owns what is particular to aiopquic. Knows no workload.
"""

import argparse
import importlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bench import worker
from bench.peers import quic
from bench.peers.quic_link import Link

ALPN = "bench"
WINDOW = 16 * 1024 * 1024
MAX_STREAMS = 65536
MAX_CONNECTIONS = 4096
MAX_BACKLOG_SIZE = 24 * 1024 * 1024
MAX_RING_SIZE = 4 * 1024 * 1024
CIPHER, CIPHER_NUMBER = "AES_128_GCM_SHA256", 0x1301

_asyncio = importlib.import_module("aiopquic.asyncio")
_configuration = importlib.import_module("aiopquic.quic.configuration")


class _RingLink(Link):
    """A link whose network thread sends by itself; a writer waits for the library's own rings."""

    def flush(self) -> None:
        return None

    async def write(self, stream_id: int, data: bytes, end: bool = False) -> None:
        await self._quic.send_stream_data_drained(stream_id, data, end)


class Aiopquic:
    """aiopquic as the workloads use it."""

    name = "aiopquic"

    async def serve(self, options: argparse.Namespace, accept: Callable[[Link], None]) -> tuple[Any, int]:
        """Listen; `accept` gets every new link. The server and its port."""

        def create(connection: Any, stream_handler: object = None) -> Any:
            protocol = _asyncio.QuicConnectionProtocol(connection, stream_handler=stream_handler)
            accept(_RingLink(protocol))
            return protocol

        port = options.port or _free_port(options.host)
        server = await _asyncio.serve(
            options.host, port, configuration=_configure(options), create_protocol=create
        )
        return server, port

    @asynccontextmanager
    async def connect(self, options: argparse.Namespace) -> AsyncIterator[Link]:
        """A link that is connected."""
        links: list[Link] = []

        def create(connection: Any, stream_handler: object = None) -> Any:
            protocol = _asyncio.QuicConnectionProtocol(connection, stream_handler=stream_handler)
            links.append(_RingLink(protocol))
            return protocol

        connecting = _asyncio.connect(
            options.host, options.port, configuration=_configure(options), create_protocol=create
        )
        async with connecting:
            yield links[0]

    def detail(self, link: Link) -> dict[str, object]:
        """The only cipher suite on offer, and who proves who it is."""
        return {"cipher": CIPHER, "authenticated": "the server only"}


def _configure(options: argparse.Namespace) -> Any:
    folder, role = options.certificates, options.role
    configuration = _configuration.QuicConfiguration(
        alpn_protocols=[ALPN],
        is_client=role == "client",
        max_data=WINDOW,
        max_stream_data=WINDOW,
        max_streams_bidi=MAX_STREAMS,
        cipher_suite=CIPHER_NUMBER,
        max_connections=MAX_CONNECTIONS,
        stream_ring_cap=min(MAX_BACKLOG_SIZE // worker.count_of(options), MAX_RING_SIZE),
    )
    configuration.load_cert_chain(str(folder / f"{role}.pem"), str(folder / f"{role}.key"))
    configuration.load_verify_locations(str(folder / "ca.pem"))
    return configuration


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])


if __name__ == "__main__":
    quic.main(Aiopquic())
