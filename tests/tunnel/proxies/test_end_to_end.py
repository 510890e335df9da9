"""Both proxies over real connections with certificates, and an exit with rules."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

import fastmux
from e2e.peer import tls_of
from fastmux.security.certificates import make_credentials
from fastmux.tunnel.access.access import Access
from fastmux.tunnel.access.rules import parse_rule
from fastmux.tunnel.forwarding.counters import ChannelRegistry
from fastmux.tunnel.forwarding.exit import Exit
from fastmux.tunnel.forwarding.outlet import Outlet
from fastmux.tunnel.http_proxy.server import HttpProxy
from fastmux.tunnel.proxies.listener import ProxyListener
from fastmux.tunnel.socks.addresses import SocksAddress, encode_address
from fastmux.tunnel.socks.datagrams import datagram_header
from fastmux.tunnel.socks.server import SocksServer
from tunnel.proxies.world import LOOPBACK, Client

CONNECT = b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("credentials") / "credentials"
    make_credentials(directory, days=1)
    return directory


@dataclass
class Tunnel:
    """What a test needs: `port` is of an echo server that a rule allows, `closed_port` of one without."""

    http: HttpProxy
    socks: SocksServer
    port: int
    udp_port: int
    closed_port: int
    registry: ChannelRegistry


@asynccontextmanager
async def client_of(listener: ProxyListener) -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection(listener.bound.host, listener.bound.port))
    try:
        yield client
    finally:
        client.writer.close()
        with suppress(OSError):
            await client.writer.wait_closed()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


class UdpEcho(asyncio.DatagramProtocol):
    """Sends every datagram back, over a transport that it is given."""

    transport: asyncio.DatagramTransport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data, addr)


@asynccontextmanager
async def tunnel(credentials: Path, *, max_sockets: int = 256) -> AsyncIterator[Tunnel]:
    """A client's and a server's end in this process, over real sockets."""
    loop = asyncio.get_running_loop()
    allowed = await asyncio.start_server(echo, "127.0.0.1", 0)
    forbidden = await asyncio.start_server(echo, "127.0.0.1", 0)
    udp, protocol = await loop.create_datagram_endpoint(UdpEcho, local_addr=("127.0.0.1", 0))
    protocol.transport = udp
    port, closed_port = (server.sockets[0].getsockname()[1] for server in (allowed, forbidden))
    udp_port = udp.get_extra_info("sockname")[1]
    access = Access([parse_rule(f"*=127.0.0.1:{port}"), parse_rule(f"*=127.0.0.1:{udp_port}/udp")])
    at_exit = ChannelRegistry()

    async def serve(connection: fastmux.Connection) -> None:
        await Exit(connection, access, at_exit, max_sockets=max_sockets).run()

    listening = fastmux.listen(serve, "127.0.0.1", 0, tls=tls_of(credentials, "server"), close_timeout=1)
    async with allowed, forbidden, listening as server:
        connecting = fastmux.connect("127.0.0.1", server.port, tls=tls_of(credentials, "client"))
        async with connecting as connection:

            async def current() -> fastmux.Connection:
                return connection

            registry = ChannelRegistry()
            outlet = Outlet(current, registry)
            http = HttpProxy(LOOPBACK, outlet, registry)
            socks = SocksServer(LOOPBACK, outlet, registry)
            await http.start()
            await socks.start()
            try:
                yield Tunnel(http, socks, port, udp_port, closed_port, registry)
            finally:
                for proxy in (http, socks):
                    proxy.close()
                    await proxy.wait_closed()
                udp.close()
            assert registry.records() == []


def test_what_a_rule_allows_is_reached_and_nothing_else(credentials: Path) -> None:
    async def main() -> None:
        async with tunnel(credentials) as t:
            async with client_of(t.http) as client:
                await client.send(CONNECT % t.port + b"hello")
                assert await client.receive(len(ESTABLISHED) + 5) == ESTABLISHED + b"hello"
            async with client_of(t.http) as client:
                await client.send(CONNECT % t.closed_port)
                assert (await client.rest()).startswith(b"HTTP/1.1 403 ")
            async with client_of(t.http) as client:
                await client.send(b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: a\r\n\r\n" % t.closed_port)
                assert (await client.until(b"\r\n")).startswith(b"HTTP/1.1 403 ")
            for port, code in ((t.port, 0), (t.closed_port, 2)):
                async with client_of(t.socks) as client:
                    address = encode_address(SocksAddress("127.0.0.1", port))
                    await client.send(b"\5\1\0" + b"\5\1\0" + address)
                    assert await client.receive(12) == b"\5\0" + bytes((5, code, 0, 1)) + bytes(6)

    asyncio.run(main())


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "[::1]", "169.254.169.254", "127.0.0.2"])
def test_other_spellings_and_special_addresses_are_refused(credentials: Path, host: str) -> None:
    async def main() -> None:
        async with tunnel(credentials) as t, client_of(t.http) as client:
            await client.send(f"CONNECT {host}:{t.port} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert (await client.rest()).startswith(b"HTTP/1.1 403 ")

    asyncio.run(main())


def test_a_client_beyond_the_limit_of_the_exit_is_told_that_it_is_busy(credentials: Path) -> None:
    async def main() -> None:
        async with tunnel(credentials, max_sockets=1) as t, client_of(t.http) as first:
            await first.send(CONNECT % t.port)
            await first.receive(len(ESTABLISHED))
            async with client_of(t.http) as second:
                await second.send(CONNECT % t.port)
                assert (await second.rest()).startswith(b"HTTP/1.1 503 ")

    asyncio.run(main())


def test_datagrams_of_an_association_reach_a_real_server_by_rule(credentials: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with tunnel(credentials) as t, client_of(t.socks) as client:
            await client.send(b"\5\1\0" + b"\5\3\0\1" + bytes(6))
            reply = await client.receive(12)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.connect((socket.inet_ntoa(reply[6:10]), int.from_bytes(reply[10:])))
                allowed = datagram_header(SocksAddress("127.0.0.1", t.udp_port))
                sock.send(datagram_header(SocksAddress("127.0.0.1", t.closed_port)) + b"forbidden")
                for size in (1, 1000, 20_000):
                    sock.send(allowed + bytes(size))
                    assert await loop.sock_recv(sock, 65_535) == allowed + bytes(size)

    asyncio.run(main())


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def _by_connect(t: Tunnel) -> None:
    async with client_of(t.http) as client:
        await client.send(CONNECT % t.port + b"hello")
        assert (await client.receive(len(ESTABLISHED) + 5)).endswith(b"hello")


async def _by_socks(t: Tunnel) -> None:
    async with client_of(t.socks) as client:
        address = encode_address(SocksAddress("127.0.0.1", t.port))
        await client.send(b"\5\1\0" + b"\5\1\0" + address + b"hello")
        assert (await client.receive(17)).endswith(b"hello")


async def _refused(t: Tunnel) -> None:
    async with client_of(t.http) as client:
        await client.send(b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: a\r\n\r\n" % t.closed_port)
        await client.until(b"\r\n\r\n")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors in /proc")
@pytest.mark.parametrize("visit", [_by_connect, _by_socks, _refused])
def test_hundreds_of_clients_at_once_again_and_again_leave_nothing_behind(
    credentials: Path, visit: Callable[[Tunnel], Coroutine[object, object, None]]
) -> None:
    async def main() -> None:
        async with tunnel(credentials) as t:
            await _visit_many(t, 10)
            await asyncio.sleep(0.2)
            descriptors, tasks = _descriptors(), len(asyncio.all_tasks())
            for _ in range(3):
                await _visit_many(t, 200)
            async with asyncio.timeout(10):
                while _descriptors() > descriptors or len(asyncio.all_tasks()) > tasks:
                    await asyncio.sleep(0.01)
            assert t.registry.records() == []

    async def _visit_many(t: Tunnel, count: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(visit(t))

    asyncio.run(main())
