"""Clients of a small local service: each is closed when it is done, and all are at the end."""

from __future__ import annotations

import asyncio

from e2e.support import run
from fastmux.tunnel.control.stream_clients import Handler, StreamClients


async def start(handler: Handler) -> tuple[StreamClients, asyncio.Server]:
    clients = StreamClients(handler)
    return clients, await asyncio.start_server(clients.serve, "127.0.0.1", 0)


async def connect(server: asyncio.Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*server.sockets[0].getsockname()[:2])


async def stop(server: asyncio.Server, *writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.close()
        await writer.wait_closed()
    server.close()
    await server.wait_closed()


def test_a_client_is_closed_when_its_handler_returns() -> None:
    async def main() -> None:
        async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"bye")

        clients, server = await start(handler)
        reader, writer = await connect(server)
        assert await reader.read() == b"bye"
        await stop(server, writer)
        await clients.close()
        assert len(clients) == 0

    run(main())


def test_a_client_that_is_reset_is_no_error() -> None:
    async def main() -> None:
        async def handler(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            raise ConnectionResetError

        clients, server = await start(handler)
        reader, writer = await connect(server)
        assert await reader.read() == b""
        await stop(server, writer)
        await clients.close()

    run(main())


def test_at_the_end_every_client_is_cut_off() -> None:
    async def main() -> None:
        async def handler(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read()

        clients, server = await start(handler)
        ends = [await connect(server) for _ in range(5)]
        while len(clients) < 5:
            await asyncio.sleep(0)
        await clients.close()
        assert len(clients) == 0
        assert [await reader.read() for reader, _ in ends] == [b""] * 5
        await stop(server, *(writer for _, writer in ends))

    run(main())
