"""The public connection by ports: what is not the same as by header, and what an end leaves behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from e2e.support import run
from fastmux import constants as c
from fastmux.exceptions import ClosedResourceError, ConnectionClosed
from portmux.ends import port_ends, until


def test_datagrams_pings_and_figures_are_those_of_the_control_connection() -> None:
    async def main() -> None:
        async with port_ends() as both:
            assert both.client.send_datagram(b"hello")
            assert await both.server.receive_datagram() == b"hello"
            assert 0 < await both.client.ping() < 5
            assert both.client.stats.packets_sent > 0
            assert "0 ports open" in repr(both.client)

    run(main())


def test_an_abort_frees_every_port_of_both_ends() -> None:
    async def main() -> None:
        async with port_ends() as both:
            kept = [await both.streams() for _ in range(5)]
            assert len(both.client.ports) == len(both.server.ports) == both.listener.ports_in_use == 5
            both.server.abort(9, "over")
            assert both.server.is_closed
            with pytest.raises(ConnectionClosed) as caught:
                await both.client.accept()
            assert (caught.value.code, caught.value.reason) == (9, "over")
            await until(lambda: both.listener.ports_in_use == 0)
            await until(lambda: not both.client.ports and not both.server.ports)
            for pair in kept:
                for channel in pair:
                    await channel.aclose()

    run(main())


def test_close_returns_at_once_and_delivers_all_the_same() -> None:
    async def main() -> None:
        async with port_ends() as both:
            mine, theirs = await both.streams()
            await mine.send(bytes(200_000))
            both.client.close(3, "done")
            with pytest.raises(ClosedResourceError):
                await mine.send(b"more")
            with pytest.raises(ClosedResourceError):
                await both.client.open_stream()
            size = 0
            with pytest.raises(ConnectionClosed):
                while True:
                    size += len(await theirs.receive())
            assert size == 200_000
            await both.client.aclose()
            await both.server.wait_closed()
            with pytest.raises(ConnectionClosed) as caught:
                await both.server.accept()
            assert (caught.value.code, caught.value.reason) == (3, "done")

    run(main())


def test_a_close_that_takes_too_long_becomes_an_abort() -> None:
    async def main() -> None:
        async with port_ends(channel_window=1024, max_channel_window=1024) as both:
            mine, theirs = await both.streams()
            await mine.send(bytes(100_000))
            await both.client.aclose(timeout=0.1)
            assert both.client.is_closed
            with pytest.raises(ConnectionClosed) as caught:
                while True:
                    await theirs.receive()
            assert caught.value.code == c.CANCELLED

    run(main())


def test_openers_that_wait_hear_of_the_end() -> None:
    async def main() -> None:
        async with port_ends(max_ports=1) as both:
            kept = await both.streams()
            openers = [asyncio.create_task(both.client.open_stream()) for _ in range(3)]
            await asyncio.sleep(0.01)
            both.client.abort()
            for opener in openers:
                with pytest.raises(ConnectionClosed):
                    await opener
            for channel in kept:
                await channel.aclose()

    run(main())


def test_a_lost_control_connection_ends_every_channel() -> None:
    async def main() -> None:
        async with port_ends(idle_timeout=0.3, keep_alive=0.1) as both:
            mine, theirs = await both.streams()
            await mine.send(b"came before")
            await mine.wait_delivered()
            both.server._control._driver.transport.close()
            both.client._control._driver.transport.close()
            with pytest.raises(ConnectionClosed) as caught:
                await mine.receive()
            assert caught.value.code == c.IDLE_TIMEOUT
            assert await theirs.receive() == b"came before"
            with pytest.raises(ConnectionClosed):
                await theirs.receive()
            assert both.client.is_closed
            await mine.aclose()
            await theirs.aclose()
            with pytest.raises(ConnectionClosed):
                await both.client.open_stream()

    run(main())


def test_aclose_behind_close_keeps_its_own_timeout() -> None:
    async def main() -> None:
        for is_cancelled in (False, True):
            async with port_ends(channel_window=1024, max_channel_window=1024) as both:
                mine, _ = await both.streams()
                await mine.send(bytes(100_000))
                both.client.close(3)
                closing = asyncio.create_task(both.client.aclose(timeout=60 if is_cancelled else 0.05))
                if is_cancelled:
                    await asyncio.sleep(0)
                    closing.cancel()
                await asyncio.wait([closing], timeout=5)
                assert closing.done()
                assert closing.cancelled() == is_cancelled
                assert both.client.is_closed

    run(main())


def test_what_cannot_be_sent_closes_nothing() -> None:
    async def main() -> None:
        async with port_ends() as both:
            wrong: Any = "done"
            for end in (both.client.close, both.client.abort):
                with pytest.raises(TypeError):
                    end(wrong)
            assert not both.client.is_closing
            assert await both.client.ping() > 0

    run(main())
