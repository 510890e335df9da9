"""`Connection.migrate`: a client goes on by another socket."""

from __future__ import annotations

import asyncio
import logging

import pytest

from aio.link import Link, LinkTransport
from aio.pair import Pair, pair
from aio.virtual_loop import virtual
from fastmux import PLAINTEXT, connect, listen
from fastmux.aio import driver
from fastmux.aio.connection import Connection
from fastmux.exceptions import ClosedResourceError, ConnectionClosed


class Sockets:
    """Makes ends of a link in place of sockets."""

    def __init__(self, link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
        self.link = link
        self.made: list[LinkTransport] = []
        monkeypatch.setattr(driver, "open_transport", self.open)

    async def open(self, family: int, local: tuple[object, ...] | None) -> LinkTransport:
        if local is not None:
            raise OSError("cannot assign requested address")
        transport = self.link.attach(f"new-{len(self.made)}")
        self.made.append(transport)
        return transport


async def exchange(ends: Pair, size: int = 100_000) -> None:
    mine, theirs = await ends.stream()

    async def send() -> None:
        await mine.send(bytes(size))
        await mine.send_eof()

    sending = asyncio.ensure_future(send())
    received = 0
    async for data in theirs:
        received += len(data)
    await sending
    assert received == size
    await mine.aclose()
    await theirs.aclose()


def test_a_client_moves_and_the_old_socket_is_closed_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "fastmux.connection")

    @virtual
    async def main() -> None:
        link = Link()
        sockets = Sockets(link, monkeypatch)
        async with pair(link=link) as ends:
            old, _ = ends.client._driver.transport.sockname[:2]
            transport = ends.client._driver.transport
            await ends.client.migrate()
            assert ends.client.get_extra_info("sockname") == ("new-0", 4433)
            assert isinstance(transport, LinkTransport)
            assert not transport.is_closed
            await exchange(ends)
            assert ends.server.get_extra_info("peername") == ("new-0", 4433)
            await asyncio.sleep(1.0)
            assert transport.is_closed
            assert (ends.client.stats.migrations, ends.server.stats.migrations) == (1, 1)
            assert (ends.client.stats.paths_validated, ends.server.stats.paths_validated) == (1, 1)
            assert f"moved from {old}:4433 to new-0:4433" in caplog.text
            assert f"the peer moved from {old}:4433 to new-0:4433" in caplog.text
            for _ in range(5):
                await ends.client.migrate()
            await exchange(ends)
        await asyncio.sleep(30)
        assert all(made.is_closed for made in sockets.made)

    main()


def test_where_nobody_answers_the_connection_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    @virtual
    async def main() -> None:
        link = Link()
        sockets = Sockets(link, monkeypatch)
        async with pair(link=link) as ends:
            before = ends.client.get_extra_info("sockname")
            moving = asyncio.ensure_future(ends.client.migrate())
            while not sockets.made:
                await asyncio.sleep(0)
            link.detach(("new-0", 4433))
            await exchange(ends)
            with pytest.raises(TimeoutError, match="no answer"):
                await moving
            assert ends.client.get_extra_info("sockname") == before
            assert sockets.made[0].is_closed
            await exchange(ends)
            assert ends.client.stats.migrations == 0

    main()


def test_without_a_socket_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    @virtual
    async def main() -> None:
        link = Link()
        Sockets(link, monkeypatch)
        async with pair(link=link) as ends:
            with pytest.raises(OSError, match="cannot assign"):
                await ends.client.migrate(("192.0.2.1", 0))
            await exchange(ends)

    main()


def test_cancelled_the_connection_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    @virtual
    async def main() -> None:
        link = Link()
        sockets = Sockets(link, monkeypatch)
        async with pair(link=link) as ends:
            moving = asyncio.ensure_future(ends.client.migrate())
            await asyncio.sleep(0.003)
            moving.cancel()
            await asyncio.wait([moving])
            assert sockets.made[0].is_closed
            await asyncio.sleep(5)
            await exchange(ends)
            assert ends.client.stats.migrations == 0
            await ends.client.migrate()
            await exchange(ends)

    main()


@pytest.mark.parametrize("remote", [False, True])
def test_when_the_connection_ends_meanwhile_that_is_raised(
    monkeypatch: pytest.MonkeyPatch, remote: bool
) -> None:
    @virtual
    async def main() -> None:
        link = Link()
        sockets = Sockets(link, monkeypatch)
        async with pair(link=link) as ends:
            moving = asyncio.ensure_future(ends.client.migrate())
            await asyncio.sleep(0.001)
            (ends.server if remote else ends.client).abort()
            with pytest.raises(ConnectionClosed):
                await moving
            assert sockets.made[0].is_closed
            with pytest.raises((ConnectionClosed, ClosedResourceError)):
                await ends.client.migrate()
        assert len(sockets.made) == 1

    main()


@virtual
async def test_a_server_does_not_move() -> None:
    async with pair() as ends:
        with pytest.raises(RuntimeError):
            await ends.server.migrate()


def test_real_sockets_change_in_the_middle_of_a_transfer() -> None:
    async def main() -> None:
        async def echo(connection: Connection) -> None:
            async for channel in connection:
                async for data in channel:
                    await channel.send(data)
                await channel.aclose()

        async with (
            listen(echo, "127.0.0.1", 0, tls=PLAINTEXT) as server,
            connect("127.0.0.1", server.port, tls=PLAINTEXT) as connection,
        ):
            ports = {connection.get_extra_info("sockname")}
            stream = await connection.open_stream()

            async def send() -> None:
                for _ in range(100):
                    await stream.send(bytes(40_000))
                await stream.send_eof()

            sending = asyncio.ensure_future(send())
            received = 0
            async for data in stream:
                received += len(data)
                if received > 1_000_000 * len(ports):
                    await connection.migrate(("127.0.0.1", 0))
                    ports.add(connection.get_extra_info("sockname"))
            await sending
            assert received == 4_000_000
            assert len(ports) >= 4
            await connection.ping()  # the server has heard of the last move
            assert [each.get_extra_info("peername") for each in server.connections] == [
                connection.get_extra_info("sockname")
            ]

    asyncio.run(main())
