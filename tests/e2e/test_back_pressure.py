"""A peer that does not read stops the sender, and memory stays bounded at both ends."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

import fastmux
from e2e.conversation import (
    CHUNK_SIZE,
    MIB,
    QUARANTINE_SIZE,
    FarEnd,
    ask,
    payload,
    receive_all,
    resident_size,
    send_pieces,
)
from e2e.support import LoopFactory, linux_only, peer, run
from fastmux import constants, core

pytestmark = pytest.mark.slow

TOTAL_SIZE = 64 * MIB
MAX_GROWTH = 24 * MIB + QUARANTINE_SIZE
QUIET_PINGS = 20
SLOW_SIZE = 4 * MIB


class Sender:
    """Sends pieces until it is told to stop; `sent` is how much of them the stream has taken."""

    def __init__(self, stream: fastmux.Stream, total_size: int) -> None:
        self.sent = 0
        self._stream = stream
        self._total_size = total_size

    async def run(self) -> None:
        """Send all of it, a fresh piece each time, then the end."""
        while self.sent < self._total_size:
            await self._stream.send(bytes([self.sent // CHUNK_SIZE % 256]) * CHUNK_SIZE)
            self.sent += CHUNK_SIZE
        await self._stream.send_eof()


async def until_still(conn: fastmux.Connection, sender: Sender) -> None:
    """Return once several round trips saw nothing more taken: the sender is stopped, the peer is not."""
    quiet = 0
    while quiet < QUIET_PINGS:
        before = sender.sent
        await conn.ping()
        quiet = quiet + 1 if sender.sent == before else 0


@linux_only
def test_a_sender_to_a_peer_that_never_reads_is_stopped_and_neither_end_grows(
    credentials: Path, client_tls: fastmux.TLSConfig
) -> None:
    async def main() -> None:
        async with peer(core.IMPLEMENTATION, "serve", credentials) as server:
            port = (await server.told())["port"]
            conn = await fastmux.connect("127.0.0.1", port, tls=client_tls)
            control = await conn.open_stream(label="control")
            far_before = int((await ask(control, b"rss"))["rss"])
            near_before = resident_size()
            stream = await conn.open_stream(label="sleeper")
            sender = Sender(stream, TOTAL_SIZE)
            sending = asyncio.create_task(sender.run())
            await until_still(conn, sender)
            assert not sending.done()
            bound = constants.WRITE_LIMIT + constants.INITIAL_CHANNEL_WINDOW + CHUNK_SIZE
            assert 0 < sender.sent <= bound
            assert int((await ask(control, b"rss"))["rss"]) - far_before < MAX_GROWTH
            assert resident_size() - near_before < MAX_GROWTH
            sending.cancel()
            await asyncio.wait([sending])
            assert sending.cancelled()
            conn.abort()

    run(main())


def test_a_peer_that_reads_in_the_end_gets_everything(
    credentials: Path, client_tls: fastmux.TLSConfig
) -> None:
    async def main() -> None:
        async with peer(core.IMPLEMENTATION, "serve", credentials) as server:
            port = (await server.told())["port"]
            async with fastmux.connect("127.0.0.1", port, tls=client_tls) as conn:
                control = await conn.open_stream(label="control")
                stream = await conn.open_stream(label="sleeper")
                sender = Sender(stream, SLOW_SIZE)
                sending = asyncio.create_task(sender.run())
                await until_still(conn, sender)
                assert not sending.done()
                await ask(control, b"wake")
                await sending
                pieces = (bytes([number % 256]) * CHUNK_SIZE for number in range(SLOW_SIZE // CHUNK_SIZE))
                assert await receive_all(stream) == hashlib.sha256(b"".join(pieces)).digest()
                await control.send_eof()

    run(main())


def test_a_reader_of_small_pieces_gets_everything_and_the_sender_stays_close(
    server_tls: fastmux.TLSConfig, client_tls: fastmux.TLSConfig, loop_factory: LoopFactory
) -> None:
    """The echo is read a little at a time, with a round trip between: both directions are held back."""

    async def main() -> None:
        data = payload(SLOW_SIZE)
        far_end = FarEnd()
        async with (
            fastmux.listen(far_end.handle, "127.0.0.1", 0, tls=server_tls) as server,
            fastmux.connect("127.0.0.1", server.port, tls=client_tls, write_limit=CHUNK_SIZE) as conn,
        ):
            stream = await conn.open_stream(label="echo")
            sending = asyncio.create_task(send_pieces(stream, data, size=4096))
            digest = hashlib.sha256()
            async for chunk in stream:
                digest.update(chunk)
                await conn.ping()
            await sending
            assert digest.digest() == hashlib.sha256(data).digest()

    run(main(), loop_factory)


def test_a_message_channel_that_is_never_read_stops_its_sender(
    server_tls: fastmux.TLSConfig, client_tls: fastmux.TLSConfig
) -> None:
    async def main() -> None:
        sent = 0
        idle = asyncio.Event()

        async def never_read(conn: fastmux.Connection) -> None:
            await idle.wait()

        async def send(channel: fastmux.MessageChannel) -> None:
            nonlocal sent
            while True:
                await channel.send(bytes(CHUNK_SIZE))
                sent += CHUNK_SIZE

        async with fastmux.listen(never_read, "127.0.0.1", 0, tls=server_tls) as server:
            conn = await fastmux.connect("127.0.0.1", server.port, tls=client_tls)
            channel = await conn.open_message_channel()
            sending = asyncio.create_task(send(channel))
            quiet = 0
            while quiet < QUIET_PINGS:
                before = sent
                await conn.ping()
                quiet = quiet + 1 if sent == before else 0
            # the channel's window may be overdrawn by one message
            assert 0 < sent <= constants.WRITE_LIMIT + constants.INITIAL_CHANNEL_WINDOW + 2 * CHUNK_SIZE
            sending.cancel()
            await asyncio.wait([sending])
            channel.reset()
            conn.abort()
            idle.set()

    run(main())
