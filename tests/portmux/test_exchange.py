"""The agreement on ports: its rules, its limits, and what a hostile peer gets for breaking them."""

from __future__ import annotations

import asyncio

import pytest

from e2e.support import run
from fastmux import constants as c
from fastmux.exceptions import ChannelReset, ConnectionClosed
from fastmux.portmux import PortStream
from fastmux.portmux import messages as m
from fastmux.portmux.exchange import refusal, refused_opening
from portmux.ends import port_ends, until
from portmux.half import Half, half_client


async def fate(half: Half) -> ConnectionClosed:
    """How the server ends the control connection."""
    async with asyncio.timeout(5):
        while True:
            try:
                await half.channel.receive()
            except ConnectionClosed as error:
                return error


def test_a_peer_that_asks_for_more_ports_than_it_was_told_is_closed() -> None:
    async def main() -> None:
        async with half_client(max_ports=4) as half:
            for index in range(4):
                await half.open(index << 2)
            assert half.listener.ports_in_use == 4
            await half.say(m.Open(4 << 2))
            error = await fate(half)
            assert (error.code, error.remote) == (c.CHANNEL_LIMIT_ERROR, True)
            await until(lambda: half.listener.ports_in_use == 0)

    run(main())


@pytest.mark.parametrize(
    "message",
    [
        m.Open(4),  # not the next one
        m.Open(1),  # of the server
        m.Port(0, 5000),  # a server's word
        m.Offer(0, 5000),
        m.Release(0),  # of a channel that there never was
        m.Refuse(8, 0),
        m.Hello(c.PORTMUX_VERSION, 1, b""),  # a second one
    ],
    ids=str,
)
def test_what_a_client_may_not_say_closes_the_connection(message: m.Message) -> None:
    async def main() -> None:
        async with half_client() as half:
            await half.say(message)
            error = await fate(half)
            assert error.code in (c.CHANNEL_STATE_ERROR, c.PROTOCOL_VIOLATION)
            with pytest.raises(ConnectionClosed) as caught:
                await half.server.accept()
            assert caught.value.code == error.code

    run(main())


def test_a_control_channel_that_ends_closes_the_connection() -> None:
    async def main() -> None:
        async with half_client() as half:
            await half.channel.send_eof()
            assert (await fate(half)).code == c.PROTOCOL_VIOLATION

    run(main())


def test_a_control_channel_that_is_stopped_closes_the_connection() -> None:
    async def main() -> None:
        async with half_client() as half:
            half.control._channels.data_path.stop(half.channel.id, 5)
            half.control._channels.schedule()
            await half.say(m.Open(0))
            await half.control.wait_closed()
            with pytest.raises(ConnectionClosed, match="ended the control channel"):
                await half.server.accept()
            await until(lambda: half.listener.ports_in_use == 0)

    run(main())


def test_openings_that_cross_a_close_hold_nothing_up() -> None:
    async def main() -> None:
        for turns in range(12):
            async with port_ends() as both:
                openers = [
                    asyncio.create_task(end.open_stream())
                    for end in (both.client, both.server)
                    for _ in range(2)
                ]
                for _ in range(turns):
                    await asyncio.sleep(0)
                async with asyncio.timeout(5):
                    await (both.client if turns % 2 else both.server).aclose(timeout=None)
                for result in await asyncio.gather(*openers, return_exceptions=True):
                    assert not isinstance(result, AssertionError)
                    if isinstance(result, PortStream):
                        await result.aclose()
                await until(lambda: not both.listener.ports_in_use)

    run(main())


def test_when_the_listener_has_no_port_left_an_opening_is_refused_and_the_rest_goes_on() -> None:
    async def main() -> None:
        async with port_ends(max_total_ports=2) as both:
            kept = [await both.streams() for _ in range(2)]
            with pytest.raises(OSError, match="no UDP port left"):
                await both.client.open_stream()
            with pytest.raises(OSError, match="all 2 ports are in use"):
                await both.server.open_stream()
            for channel in kept.pop():
                await channel.aclose()
            await until(lambda: both.listener.ports_in_use == 1)
            kept.append(await both.streams())
            for pair in kept:
                for channel in pair:
                    await channel.aclose()

    run(main())


def test_good_traffic_at_ten_times_the_limit_never_meets_it() -> None:
    async def main() -> None:
        async with port_ends(max_ports=4) as both:

            async def use() -> None:
                stream = await both.client.open_stream()
                await stream.send(b"ping")
                assert await stream.receive() == b"ping"
                await stream.aclose()

            async def answer() -> None:
                async for channel in both.server:
                    await channel.send(await channel.receive())
                    await channel.aclose()

            answering = asyncio.create_task(answer())
            await asyncio.gather(*[use() for _ in range(40)])
            answering.cancel()
            await asyncio.wait([answering])
            await until(lambda: both.listener.ports_in_use == 0)

    run(main())


def test_a_peer_that_kills_unaccepted_channels_fills_no_queue() -> None:
    async def main() -> None:
        async with port_ends(max_ports=4) as both:
            for code in (c.NO_ERROR, c.INTERNAL):
                for _ in range(12):
                    stream = await both.client.open_stream()
                    await stream.wait_delivered()
                    connection, link = stream._link.connection, stream._link
                    connection.close(code, "", link.now())
                    link.schedule()
                    await until(lambda: not both.client.ports)
            await until(lambda: not both.server.ports)
            assert len(both.server._incoming) <= 8

    run(main())


def test_release_of_one_end_alone_frees_nothing() -> None:
    async def main() -> None:
        async with half_client() as half:
            await half.open(0)
            await half.say(m.Release(0))
            await half.open(4)
            assert half.listener.ports_in_use == 2
            await half.say(m.Refuse(0, c.CANCELLED))
            await half.say(m.Refuse(0, c.CANCELLED))  # of what is over already: ignored
            await half.say(m.Release(0))
            await half.open(8)
            assert half.listener.ports_in_use == 2

    run(main())


def test_a_client_that_opens_and_never_reads_the_answers_is_given_up() -> None:
    async def main() -> None:
        async with half_client(max_ports=4) as half:
            try:
                for index in range(200_000):
                    await half.say(m.Open(index << 2))
                    await half.say(m.Refuse(index << 2, c.CANCELLED))
                    if index % 64 == 0:
                        await asyncio.sleep(0)
            except ConnectionClosed as error:
                assert error.code == c.RESOURCE_LIMIT
            else:
                raise AssertionError("answers pile up without an end")
            assert half.listener.ports_in_use <= 8

    run(main())


def test_refusals_say_what_was_the_matter() -> None:
    assert isinstance(refused_opening(c.RESOURCE_LIMIT), OSError)
    reset = refused_opening(c.REFUSED)
    assert isinstance(reset, ChannelReset) and reset.code == c.REFUSED
    assert "UDP port 7" in str(refusal(c.NO_VIABLE_PATH, 7))
    assert refusal(c.NO_ERROR, 7).reason == ""
    assert refusal(c.CANCELLED, 7).remote
