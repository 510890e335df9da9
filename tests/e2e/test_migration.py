"""Connections whose addresses change in the middle of a transfer: by a NAT that forgets, and on purpose."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

import fastmux
from e2e.copying_relay import CopyingRelay
from e2e.moving_relay import MovingRelay
from e2e.support import linux_only, run

pytestmark = pytest.mark.slow

PIECE = bytes(range(256)) * 256
SIZE = 16 * 2**20


async def send_hashed(stream: fastmux.Stream) -> str:
    """Send SIZE bytes; gives their hash."""
    digest = hashlib.sha256()
    for number in range(SIZE // len(PIECE)):
        data = number.to_bytes(4, "big") + PIECE[4:]
        digest.update(data)
        await stream.send(data)
    await stream.send_eof()
    return digest.hexdigest()


class Counting:
    """Takes a stream to its end, hashed; `reached` waits for so many bytes."""

    def __init__(self) -> None:
        self.size = 0
        self._news = asyncio.Event()

    async def take(self, stream: fastmux.Stream) -> str:
        digest = hashlib.sha256()
        async for data in stream:
            digest.update(data)
            self.size += len(data)
            self._news.set()
        return digest.hexdigest()

    async def reached(self, size: int) -> None:
        while self.size < size:
            self._news.clear()
            await self._news.wait()


class Transfer:
    """A server that sends on one stream and takes on the other, and the client's ends of them."""

    def __init__(self) -> None:
        self.accepted: list[fastmux.Connection] = []
        self.up = Counting()
        self.down = Counting()
        self.hashes: dict[str, str] = {}
        self._is_received = asyncio.Event()

    async def serve(self, conn: fastmux.Connection) -> None:
        self.accepted.append(conn)
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                stream = await conn.accept()
                assert isinstance(stream, fastmux.Stream)
                group.create_task(self._serve(stream))
        await conn.wait_closed()

    async def _serve(self, stream: fastmux.Stream) -> None:
        async with stream:
            if stream.label == "up":
                self.hashes["up received"] = await self.up.take(stream)
                self._is_received.set()
            else:
                self.hashes["down sent"] = await send_hashed(stream)

    async def run(self, conn: fastmux.Connection) -> None:
        up, down = await conn.open_stream("up"), await conn.open_stream("down")

        async def send() -> None:
            self.hashes["up sent"] = await send_hashed(up)
            await up.wait_delivered()

        async def receive() -> None:
            self.hashes["down received"] = await self.down.take(down)

        async with asyncio.TaskGroup() as group:
            group.create_task(send())
            group.create_task(receive())
        await self._is_received.wait()
        await up.aclose()
        await down.aclose()

    def check(self) -> None:
        assert self.hashes["up sent"] == self.hashes["up received"]
        assert self.hashes["down sent"] == self.hashes["down received"]
        assert len(self.accepted) == 1


@linux_only
@pytest.mark.parametrize("forgets", [False, True])
def test_a_nat_changes_the_port_and_then_the_address(
    credentials: Path, client_tls: fastmux.TLSConfig, server_tls: fastmux.TLSConfig, forgets: bool
) -> None:
    async def main() -> None:
        transfer = Transfer()
        async with fastmux.listen(transfer.serve, "127.0.0.1", 0, tls=server_tls) as server:
            with MovingRelay(server.port) as relay:
                async with fastmux.connect("127.0.0.1", relay.port, tls=client_tls) as conn:
                    running = asyncio.create_task(transfer.run(conn))
                    hosts = ("127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.3")
                    for number, host in enumerate(hosts, 1):
                        await transfer.down.reached(number * SIZE // 6)
                        relay.move(host, forgets=forgets)
                    await running
                    transfer.check()
                    await conn.ping()  # the server has heard of the last move
                    statistics = transfer.accepted[0].stats
                    assert statistics.migrations >= 4
                    assert statistics.paths_validated >= 4
                    assert transfer.accepted[0].get_extra_info("peername") == relay.address
                    assert conn.stats.migrations == 0
                    assert server.counters()["accepted"] == 1
                await transfer.accepted[0].wait_closed()  # while the relay still carries the close

    run(main())


def test_a_client_takes_new_sockets_on_its_own(
    client_tls: fastmux.TLSConfig, server_tls: fastmux.TLSConfig
) -> None:
    async def main() -> None:
        transfer = Transfer()
        async with (
            fastmux.listen(transfer.serve, "127.0.0.1", 0, tls=server_tls) as server,
            fastmux.connect("127.0.0.1", server.port, tls=client_tls) as conn,
        ):
            running = asyncio.create_task(transfer.run(conn))
            names = {conn.get_extra_info("sockname")}
            for number in range(1, 5):
                await transfer.down.reached(number * SIZE // 6)
                await conn.migrate(("127.0.0.1", 0))
                names.add(conn.get_extra_info("sockname"))
            await running
            transfer.check()
            assert len(names) == 5
            await conn.ping()  # the server has heard of the last move
            assert transfer.accepted[0].get_extra_info("peername") == conn.get_extra_info("sockname")
            assert conn.stats.migrations == transfer.accepted[0].stats.migrations == 4

    run(main())


def test_who_copies_every_datagram_and_is_always_the_first_gains_little(
    client_tls: fastmux.TLSConfig, server_tls: fastmux.TLSConfig
) -> None:
    """He holds the server for the three seconds that it takes to give his address up, once."""

    async def main() -> None:
        transfer = Transfer()
        async with fastmux.listen(transfer.serve, "127.0.0.1", 0, tls=server_tls) as server:
            with CopyingRelay(server.port) as relay:
                async with fastmux.connect("127.0.0.1", relay.port, tls=client_tls) as conn:
                    running = asyncio.create_task(transfer.run(conn))
                    await transfer.down.reached(SIZE // 6)
                    relay.is_copying = True
                    await running
                    transfer.check()
                    assert 0 < relay.answered_size <= 3 * relay.copied_size
                    statistics = transfer.accepted[0].stats
                    assert statistics.migrations == 2  # there and back
                    assert transfer.accepted[0].get_extra_info("peername") == relay.address
                await transfer.accepted[0].wait_closed()

    run(main())
