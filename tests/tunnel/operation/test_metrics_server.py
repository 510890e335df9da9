"""The HTTP end of the metrics: one path, one method, strict bounds."""

from __future__ import annotations

import asyncio

import pytest

from e2e.support import LogWatch, run
from fastmux.tunnel.constants import MAX_METRICS_CLIENTS, MAX_METRICS_REQUEST_SIZE
from fastmux.tunnel.operation.metrics_server import MetricsServer


async def collect() -> str:
    return "fastmux_connections 1\n"


async def ask(server: MetricsServer, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(request)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def test_a_scrape_gets_the_text_and_the_connection_ends() -> None:
    async def main() -> None:
        async with MetricsServer("127.0.0.1", 0, collect) as server:
            answer = await ask(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n")
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"Content-Type: text/plain; version=0.0.4; charset=utf-8" in head
            assert b"Content-Length: 22" in head
            assert b"Connection: close" in head
            assert body == b"fastmux_connections 1\n"
            assert b" 200 " in await ask(server, b"GET /metrics?name[]=a HTTP/1.1\r\n\r\n")

    run(main())


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /metrics/../secret HTTP/1.1\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\n\r\n", 405),
        (b"GET /metrics\r\n\r\n", 400),
        (b"GET /metrics SPDY/1\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n", 400),
        (b"", 400),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * MAX_METRICS_REQUEST_SIZE + b"\r\n\r\n", 431),
    ],
)
def test_anything_else_is_refused(request_bytes: bytes, status: int) -> None:
    async def main() -> None:
        async with MetricsServer("127.0.0.1", 0, collect) as server:
            assert f"HTTP/1.1 {status} ".encode() in await ask(server, request_bytes)

    run(main())


def test_more_clients_than_there_is_room_for_are_sent_away_and_the_others_served() -> None:
    async def main() -> None:
        async with MetricsServer("127.0.0.1", 0, collect) as server:
            idle = [await asyncio.open_connection(*server.address) for _ in range(MAX_METRICS_CLIENTS)]
            while len(server.clients) < MAX_METRICS_CLIENTS:
                await asyncio.sleep(0)
            assert await ask(server, b"") == b""
            reader, writer = idle.pop()
            writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
            assert b" 200 " in await reader.read()
            for each in (writer, *(other for _, other in idle)):
                each.close()
                await each.wait_closed()

    run(main())


def test_a_collector_that_fails_is_a_500_and_a_line_in_the_log() -> None:
    async def fail() -> str:
        raise RuntimeError("oops")

    async def main() -> None:
        async with MetricsServer("127.0.0.1", 0, fail) as server:
            with LogWatch() as log:
                answer = await ask(server, b"GET /metrics HTTP/1.1\r\n\r\n")
                assert b" 500 " in answer
                assert b"oops" not in answer
                await log.line("oops")

    run(main())
