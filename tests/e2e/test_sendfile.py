"""`loop.sendfile` over a stream, as an HTTP server does it with a file: asyncio reads and writes in turn."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aio.recording_protocol import Recording
from e2e.support import run
from fastmux import PLAINTEXT, Connection, connect, listen


def test_a_file_is_sent_behind_what_was_written(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4000
    path = tmp_path / "file"
    path.write_bytes(content)

    class Sender(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.sending = asyncio.ensure_future(self._send(transport))

        async def _send(self, transport: asyncio.Transport) -> None:
            transport.write(b"head")
            with path.open("rb") as file:
                assert await asyncio.get_running_loop().sendfile(transport, file, 1000) == len(content) - 1000
            assert transport.get_protocol() is self
            assert transport.is_reading()
            transport.write(b"tail")
            transport.close()

    async def handle(connection: Connection) -> None:
        await connection.create_server(Sender, "web", 80)
        await connection.wait_closed()

    async def main() -> None:
        async with (
            listen(handle, "127.0.0.1", 0, tls=PLAINTEXT, write_limit=10_000) as server,
            connect("127.0.0.1", server.port, tls=PLAINTEXT) as connection,
        ):
            _, got = await connection.create_connection(Recording, "web", 80)
            await got.lost.wait()
            assert got.data == b"head" + content[1000:] + b"tail"

    run(main())
