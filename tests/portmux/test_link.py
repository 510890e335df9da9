"""One port's life: who may use it, when it ends by itself, and that one port's end is nobody else's."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from e2e.support import run
from fastmux import constants as c
from fastmux.exceptions import ConnectionClosed
from fastmux.portmux import messages as m
from fastmux.protocol.keyed import KeyedConnection
from portmux.ends import HOST, port_ends, until
from portmux.half import half_client


def test_a_strangers_packets_to_a_port_change_nothing() -> None:
    async def main() -> None:
        async with port_ends() as both:
            mine, theirs = await both.streams()
            with socket.socket(type=socket.SOCK_DGRAM) as stranger:
                stranger.bind((HOST, 0))
                local_id = theirs._link.connection.ids.local
                for datagram in (b"", b"garbage", b"\x40" + local_id + bytes(100), b"\xc0" + bytes(1300)):
                    stranger.sendto(datagram, (HOST, theirs.port))
                await mine.send(b"still here")
                assert await theirs.receive() == b"still here"
                await until(lambda: theirs.stats.undecryptable_packets == 1)
                stranger.setblocking(False)
                with pytest.raises(BlockingIOError):
                    stranger.recv(2000)
            assert theirs.get_extra_info("peername") == (HOST, mine.local_port)
            await mine.aclose()
            await theirs.aclose()

    run(main())


def test_a_stranger_cannot_take_a_port_that_waits_for_its_client() -> None:
    async def main() -> None:
        async with half_client() as half:
            port = await half.open(0)
            with socket.socket(type=socket.SOCK_DGRAM) as stranger:
                stranger.bind((HOST, 0))
                for size in (1, 30, 100, 1300):
                    stranger.sendto(b"\x40" * size, (HOST, port))
                await asyncio.sleep(0.02)
                stranger.setblocking(False)
                with pytest.raises(BlockingIOError):
                    stranger.recv(2000)
            (link,) = half.server._exchange.links
            assert not link.connection.is_reached

    run(main())


def test_a_port_that_its_client_never_reaches_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(c, "PORT_TIMEOUT", 0.1)
        async with half_client() as half:
            await half.open(0)
            assert half.listener.ports_in_use == 1
            assert await half.hear() == m.Refuse(0, c.NO_VIABLE_PATH)
            await until(lambda: half.listener.ports_in_use == 0)
            await half.open(4)  # its place is free again

    run(main())


def test_a_server_hears_that_its_own_channel_was_never_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(c, "PORT_TIMEOUT", 0.1)
        async with half_client() as half:
            stream = await half.server.open_stream("nobody comes")
            assert isinstance(await half.hear(), m.Offer)
            with pytest.raises(ConnectionClosed, match="a firewall may be closed for it") as caught:
                await stream.receive()
            assert caught.value.code == c.NO_VIABLE_PATH

    run(main())


def test_a_client_whose_packets_do_not_come_through_hears_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(c, "PORT_TIMEOUT", 0.1)
        async with port_ends() as both:
            whole = await both.streams("before")
            monkeypatch.setattr(KeyedConnection, "receive", drop)
            stream = await both.client.open_stream("after")
            with pytest.raises(ConnectionClosed, match=rf"to UDP port {stream.port} within") as caught:
                await stream.receive()
            assert (caught.value.code, caught.value.remote) == (c.NO_VIABLE_PATH, True)
            monkeypatch.undo()
            await whole[0].send(b"x")
            assert await whole[1].receive() == b"x"
            for channel in whole:
                await channel.aclose()
            await until(lambda: both.client.ports == ())

    run(main())


def drop(self: object, buffer: object, start: int, stop: int, *others: Any) -> int:
    return stop - start


def test_a_port_that_falls_silent_ends_its_channel_and_no_other() -> None:
    async def main() -> None:
        async with port_ends(idle_timeout=0.3, keep_alive=0.1) as both:
            (dead, gone), (mine, theirs) = await both.streams("a"), await both.streams("b")
            gone._link._driver.transport.close()
            for channel in (dead, gone):
                with pytest.raises(ConnectionClosed) as caught:
                    await channel.receive()
                assert caught.value.code in (c.IDLE_TIMEOUT, c.CANCELLED)
            await mine.send(b"still here")
            assert await theirs.receive() == b"still here"
            await until(lambda: both.listener.ports_in_use == 1)
            for channel in (mine, theirs):
                await channel.aclose()

    run(main())


def test_a_second_channel_on_a_port_breaks_a_rule_and_ends_that_port() -> None:
    async def main() -> None:
        async with port_ends() as both:
            mine, theirs = await both.streams()
            connection = mine._link.connection
            connection.data_path.open(c.KIND_MESSAGE)
            mine._link.schedule()
            with pytest.raises(ConnectionClosed) as caught:
                await theirs.receive()
            assert caught.value.code == c.CHANNEL_LIMIT_ERROR
            with pytest.raises(ConnectionClosed) as caught:
                await mine.receive()
            assert caught.value.remote
            await until(lambda: both.listener.ports_in_use == 0)
            other, another = await both.streams("the connection goes on")
            await other.aclose()
            await another.aclose()

    run(main())


def test_keys_of_a_port_can_be_updated() -> None:
    async def main() -> None:
        async with port_ends(key_update_interval=50) as both:
            mine, theirs = await both.streams()

            async def send() -> None:
                for _ in range(40):
                    await mine.send(bytes(50_000))
                await mine.send_eof()

            sender = asyncio.create_task(send())
            assert sum([len(chunk) async for chunk in theirs]) == 2_000_000
            await sender
            await mine.aclose()
            await theirs.aclose()

    run(main())
