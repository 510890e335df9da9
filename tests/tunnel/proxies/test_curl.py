"""Real curl through both proxies, a tunnel in memory, and an exit that takes every name for its own host."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from aio.pair import pair
from fastmux.aio.answers import AnswerCode, OpenRefused
from fastmux.aio.connection import Connection
from fastmux.aio.stream import Stream
from fastmux.tunnel.forwarding.counters import ChannelRegistry
from fastmux.tunnel.forwarding.splice import splice
from fastmux.tunnel.http_proxy.server import HttpProxy
from fastmux.tunnel.socks.server import SocksServer
from tunnel.proxies.world import LOOPBACK, FakeOutlet

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

BODY = bytes(range(256)) * 8192  # 2 MiB
NAME = "only-the-exit-knows.invalid"


class Origin:
    """An HTTP/1.1 server of few words: `/` is BODY, `/stream` that without a length, PUT says its hash."""

    def __init__(self) -> None:
        self.connections = 0
        self.heads: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                await self._answer(head, reader, writer)
                if b"connection: close" in head.lower() or b"/stream " in head:
                    break
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _answer(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        method, path, _ = head.split(b" ", 2)
        if b"Expect: 100-continue" in head:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if method == b"PUT":
            body = hashlib.sha256(await self._body(head, reader)).hexdigest().encode()
        else:
            body = BODY
        writer.write(b"HTTP/1.1 200 OK\r\n")
        writer.write(b"\r\n" if path == b"/stream" else b"Content-Length: %d\r\n\r\n" % len(body))
        if method != b"HEAD":
            writer.write(body)
        await writer.drain()

    async def _body(self, head: bytes, reader: asyncio.StreamReader) -> bytes:
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        if b"content-length" in fields:
            return await reader.readexactly(int(fields[b"content-length"]))
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
        return body


@dataclass
class Site:
    """Everything between curl and the origin."""

    origin: Origin
    port: int
    outlet: FakeOutlet
    http: HttpProxy
    socks: SocksServer
    registry: ChannelRegistry

    def url(self, path: str = "/", host: str = NAME) -> str:
        return f"http://{host}:{self.port}{path}"

    async def curl(self, *arguments: str, sent: bytes = b"") -> tuple[int, bytes]:
        """Run curl; returns its exit status and what it printed."""
        process = await asyncio.create_subprocess_exec(
            "curl", "--silent", "--show-error", "--max-time", "30", "--noproxy", "", *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate(sent)
        assert process.returncode is not None
        return process.returncode, output

    @property
    def http_url(self) -> str:
        return f"http://{self.http.bound}"

    @property
    def socks_address(self) -> str:
        return str(self.socks.bound)


async def dial(registry: ChannelRegistry, stream: Stream) -> None:
    """The exit: whatever the name, its own host."""
    port = int(stream.label.split(" ")[1])
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setblocking(False)
    record = registry.open("near", "tcp", stream.label, "in")
    registry.close(record, await splice(stream, sock, record))


async def run_exit(connection: Connection) -> None:
    registry = ChannelRegistry()
    async with asyncio.TaskGroup() as dialing:
        async for channel in connection:
            assert isinstance(channel, Stream)
            dialing.create_task(dial(registry, channel))


@asynccontextmanager
async def site(users: Mapping[str, str] | None = None) -> AsyncIterator[Site]:
    """Both proxies before one origin."""
    origin = Origin()
    server = await asyncio.start_server(origin.serve, "127.0.0.1", 0)
    async with server, pair() as ends:
        registry = ChannelRegistry()
        outlet = FakeOutlet(ends.client, registry)
        http = HttpProxy(LOOPBACK, outlet, registry, users=users)
        socks = SocksServer(LOOPBACK, outlet, registry, users=users)
        await http.start()
        await socks.start()
        exiting = asyncio.create_task(run_exit(ends.server))
        try:
            yield Site(origin, server.sockets[0].getsockname()[1], outlet, http, socks, registry)
        finally:
            for proxy in (http, socks):
                proxy.close()
                await proxy.wait_closed()
            exiting.cancel()
            await asyncio.gather(exiting, return_exceptions=True)
        assert registry.records() == []


@pytest.mark.parametrize("path", ["/", "/stream"])
def test_curl_downloads_through_the_http_proxy(path: str) -> None:
    async def main() -> None:
        async with site() as s:
            assert await s.curl("--proxy", s.http_url, s.url(path)) == (0, BODY)
            assert s.outlet.asked == [f"{NAME} {s.port}"]
            assert s.origin.heads[0].startswith(f"GET {path} HTTP/1.1\r\nHost: {NAME}:{s.port}\r\n".encode())
            assert b"roxy" not in s.origin.heads[0]

    asyncio.run(main())


def test_curl_makes_several_requests_over_one_connection_to_the_http_proxy() -> None:
    async def main() -> None:
        async with site() as s:
            code, output = await s.curl(
                "--proxy", s.http_url, s.url(), s.url("/stream"), s.url(), "-w", "%{num_connects}\n"
            )
            assert code == 0
            assert output == (BODY + b"1\n") + (BODY + b"0\n") * 2
            assert s.origin.connections == 3

    asyncio.run(main())


@pytest.mark.parametrize("how", [[], ["-H", "Expect:"]])
def test_curl_uploads_through_the_http_proxy_in_chunks_and_by_length(how: list[str], tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes(BODY)

    async def main() -> None:
        async with site() as s:
            for source in ("-", str(file)):
                code, output = await s.curl(
                    "--proxy", s.http_url, *how, "-T", source, s.url("/x"), sent=BODY
                )
                assert (code, output) == (0, hashlib.sha256(BODY).hexdigest().encode())
            assert b"Transfer-Encoding: chunked\r\n" in s.origin.heads[0]
            assert b"Content-Length: %d\r\n" % len(BODY) in s.origin.heads[1]

    asyncio.run(main())


def test_curl_asks_for_a_head_through_the_http_proxy() -> None:
    async def main() -> None:
        async with site() as s:
            code, output = await s.curl("--proxy", s.http_url, "-I", s.url())
            assert code == 0
            assert b"Content-Length: %d" % len(BODY) in output

    asyncio.run(main())


def test_curl_tunnels_through_the_http_proxy() -> None:
    async def main() -> None:
        async with site() as s:
            assert await s.curl("-p", "--proxy", s.http_url, s.url()) == (0, BODY)
            code, output = await s.curl("-p", "--proxy", s.http_url, "-T", "-", s.url("/x"), sent=BODY)
            assert (code, output) == (0, hashlib.sha256(BODY).hexdigest().encode())

    asyncio.run(main())


@pytest.mark.parametrize("tunnel", [[], ["-p"]])
def test_curl_logs_in_to_the_http_proxy_or_is_refused(tunnel: list[str]) -> None:
    async def main() -> None:
        async with site({"ann": "se:cret"}) as s:
            proxy = ["--proxy", s.http_url, *tunnel]
            assert await s.curl(*proxy, "-U", "ann:se:cret", s.url()) == (0, BODY)
            assert await s.curl(*proxy, "--proxy-anyauth", "-U", "ann:se:cret", s.url()) == (0, BODY)
            assert b"Proxy-Authorization" not in b"".join(s.origin.heads)
            asked = len(s.outlet.asked)
            for login in ([], ["-U", "ann:guess"]):
                _, output = await s.curl(*proxy, *login, s.url(), "-w", "%{http_code} %{http_connect}")
                assert b"407" in output
            assert len(s.outlet.asked) == asked

    asyncio.run(main())


@pytest.mark.parametrize("tunnel", [[], ["-p"]])
def test_curl_is_told_by_the_http_proxy_what_the_exit_does_not_allow(tunnel: list[str]) -> None:
    async def main() -> None:
        async with site() as s:
            s.outlet.error = OpenRefused(AnswerCode.NOT_ALLOWED, "no rule allows it")
            _, output = await s.curl(
                "--proxy", s.http_url, *tunnel, s.url(), "-w", "%{http_code} %{http_connect}"
            )
            assert b"403" in output
            if not tunnel:
                assert b"no rule allows it" in output

    asyncio.run(main())


def test_curl_downloads_and_uploads_through_socks_and_the_name_goes_to_the_exit() -> None:
    async def main() -> None:
        async with site() as s:
            assert await s.curl("--socks5-hostname", s.socks_address, s.url()) == (0, BODY)
            assert s.outlet.asked == [f"{NAME} {s.port}"]
            code, output = await s.curl(
                "--proxy", f"socks5h://{s.socks_address}", "-T", "-", s.url("/x"), sent=BODY
            )
            assert (code, output) == (0, hashlib.sha256(BODY).hexdigest().encode())

    asyncio.run(main())


def test_curl_that_resolves_by_itself_sends_the_address_through_socks() -> None:
    async def main() -> None:
        async with site() as s:
            assert await s.curl("--socks5", s.socks_address, s.url(host="127.0.0.1")) == (0, BODY)
            assert s.outlet.asked == [f"127.0.0.1 {s.port}"]

    asyncio.run(main())


def test_curl_logs_in_to_socks_or_is_refused() -> None:
    async def main() -> None:
        async with site({"ann": "secret"}) as s:
            proxy = ["--socks5-hostname", s.socks_address]
            assert await s.curl(*proxy, "-U", "ann:secret", s.url()) == (0, BODY)
            asked = len(s.outlet.asked)
            for login in ([], ["-U", "ann:guess"]):
                code, output = await s.curl(*proxy, *login, s.url())
                assert code == 97  # CURLE_PROXY
                assert output == b""
            assert len(s.outlet.asked) == asked

    asyncio.run(main())


def test_curl_is_told_by_socks_what_the_exit_does_not_allow() -> None:
    async def main() -> None:
        async with site() as s:
            s.outlet.error = OpenRefused(AnswerCode.NOT_ALLOWED)
            code, _ = await s.curl("--socks5-hostname", s.socks_address, s.url(), "-w", "%{proxy_code}")
            assert code == 97

    asyncio.run(main())
