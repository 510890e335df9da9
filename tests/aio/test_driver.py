"""The driver moves trains, time and events, and gives the loop its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from aio.counting_transport import CountingTransport, make_driver
from aio.link import Link, LinkTransport
from aio.pair import Pair, pair, world
from aio.virtual_loop import VirtualLoop, settle, virtual
from fastmux import PLAINTEXT, ConnectionClosed
from fastmux.aio.connection import Connection
from fastmux.aio.driver import Driver
from fastmux.aio.stream import Stream
from fastmux.aio.transport import TRAINS_PER_CALL
from fastmux.constants import MAX_QUICK_TIME, MAX_TRAINS_PER_WAKEUP, WRITES_PER_FLUSH
from fastmux.protocol.configuration import Configuration


@virtual
async def test_each_socket_has_a_reset_key_of_its_own_that_is_the_same_again() -> None:
    """Else a server on two addresses would tell at one what ends the connections of the other."""
    loop = asyncio.get_running_loop()
    configuration = Configuration(reset_key=b"sixteen bytes or more")
    tokens = []
    for address in (("here", 1), ("here", 1), ("here", 2), ("there", 1)):
        driver = Driver(CountingTransport(Link(), address), configuration, clock=loop.time)
        tokens.append(driver.endpoint.reset_token(b"some id!"))
        driver.close()
    assert tokens[0] == tokens[1]
    assert len(set(tokens)) == 3


@virtual
async def test_at_most_so_many_trains_are_read_before_the_loop_gets_its_turn() -> None:
    driver, transport = make_driver()
    for _ in range(3 * MAX_TRAINS_PER_WAKEUP):
        transport.take(b"\x40" + bytes(40), 41, ("there", 1))
    await asyncio.sleep(0)
    assert driver.endpoint.counters()["stray"] == MAX_TRAINS_PER_WAKEUP
    await asyncio.sleep(0)
    assert driver.endpoint.counters()["stray"] == 2 * MAX_TRAINS_PER_WAKEUP
    await settle()
    assert driver.endpoint.counters()["stray"] == 3 * MAX_TRAINS_PER_WAKEUP
    driver.close()


@virtual
async def test_at_most_two_milliseconds_are_read_before_the_loop_gets_its_turn() -> None:
    transport = CountingTransport(Link(), ("here", 1))
    ticks = iter(range(10**6))
    driver = Driver(transport, Configuration(), clock=lambda: next(ticks) * 0.0015)
    for _ in range(MAX_TRAINS_PER_WAKEUP):
        transport.take(b"\x40" + bytes(40), 41, ("there", 1))
    await asyncio.sleep(0)
    assert 1 <= transport.receives <= MAX_TRAINS_PER_WAKEUP // TRAINS_PER_CALL // 2
    await settle()
    assert driver.endpoint.counters()["stray"] == MAX_TRAINS_PER_WAKEUP
    driver.close()


@virtual
async def test_a_little_that_is_written_in_one_turn_leaves_in_one_flush() -> None:
    async with pair(link=Link(delay=0.01)) as ends:
        channel, theirs = await ends.message_channel()
        await asyncio.sleep(1)
        before = ends.client.stats.packets_sent
        for number in range(WRITES_PER_FLUSH - 1):
            channel.send_nowait(bytes([number]) * 10)
        await asyncio.sleep(0.005)
        assert ends.client.stats.packets_sent - before == 1
        await asyncio.sleep(1)
        assert len(await theirs.receive_many(100)) == WRITES_PER_FLUSH - 1
        await channel.aclose()
        await theirs.aclose()


@virtual
async def test_much_that_is_written_in_one_turn_begins_to_leave_before_it_is_over() -> None:
    async with pair(link=Link(delay=0.01)) as ends:
        mine, theirs = zip(*[await ends.stream() for _ in range(2 * WRITES_PER_FLUSH + 1)], strict=True)
        await asyncio.sleep(1)
        before = ends.client.stats.packets_sent
        left = []
        for stream in mine:
            await stream.send(b"a request")  # does not wait: all of this is one turn
            left.append(ends.client.stats.packets_sent - before)
        full = WRITES_PER_FLUSH
        assert left == [0] * (full - 1) + [1] * full + [2] * 2
        await asyncio.sleep(0.005)
        assert ends.client.stats.packets_sent - before == 3
        for stream in theirs:
            assert await stream.receive() == b"a request"
        for stream in (*mine, *theirs):
            await stream.aclose()


async def packets_for_a_reading(ends: Pair, mine: Stream, theirs: Stream) -> int:
    """How many packets the server sends for a little that comes and is read, once all is quiet."""
    await asyncio.sleep(1)
    before = ends.server.stats.packets_sent
    await mine.send(bytes(10_000))
    assert len(await theirs.receive(10_000)) == 10_000
    await settle()
    return ends.server.stats.packets_sent - before


@virtual
async def test_an_ack_leaves_with_the_credit_but_for_tasks_that_were_slow_the_last_time() -> None:
    async with pair(link=Link(delay=0.01), channel_window=16384, max_channel_window=16384) as ends:
        mine, theirs = await ends.stream()
        assert await packets_for_a_reading(ends, mine, theirs) == 1
        driver = ends.server._driver
        clock, slowness = driver.clock, 0.0
        driver.clock = lambda: clock() + slowness
        await mine.send(bytes(10_000))
        await theirs.receive(10_000)
        slowness = 2 * MAX_QUICK_TIME  # of this task, which the data woke
        assert await packets_for_a_reading(ends, mine, theirs) == 2
        assert await packets_for_a_reading(ends, mine, theirs) == 1
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_an_idle_driver_leaves_the_loop_alone() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with pair(idle_timeout=None, keep_alive=None) as ends:
        await asyncio.sleep(700)
        before = loop.turns
        await asyncio.sleep(500)
        assert loop.turns - before < 20
        assert not ends.client.is_closed


@virtual
async def test_the_timer_is_armed_seldom_for_many_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    call_later = loop.call_later
    armed = 0

    def counting(delay: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        nonlocal armed
        armed += getattr(callback, "__name__", "") == "_on_timer"
        return call_later(delay, callback, *args)

    async with pair(link=Link(delay=0.0005), max_datagram_size=1452) as ends:
        mine, theirs = await ends.stream()
        monkeypatch.setattr(loop, "call_later", counting)
        sender = asyncio.create_task(mine.send(bytes(2_000_000)))
        received = 0
        while received < 2_000_000:
            received += len(await theirs.receive(2**20))
        await sender
        packets = ends.client.stats.packets_sent
        assert packets > 1300
        assert 0 < armed < packets / 10
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_while_the_transport_is_blocked_nothing_is_sent_and_nothing_is_lost() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        transport = ends.world.server_transport
        transport.block()
        await theirs.send(b"x" * 5000)
        await mine.send(b"y" * 5000)  # its acknowledgement has to wait too
        await asyncio.sleep(0.02)
        transport.unblock()
        received = b""
        while len(received) < 5000:
            received += await mine.receive()
        assert received == b"x" * 5000
        assert ends.server.stats.packets_lost == 0
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_unknown_versions_are_answered_by_the_endpoint_itself() -> None:
    async def handler(connection: Connection) -> None:
        await connection.wait_closed()

    async with world(handler) as w:
        await w.connect()
        stranger = w.link.attach("stranger")
        version = bytes.fromhex("1a2a3a4a")
        packet = b"\xc0" + version + b"\x08destiny!" + b"\x08source!!" + b"\0" + bytes(4)
        w.link.carry(stranger.sockname, w.server_transport.sockname, packet.ljust(1200, b"\0"), 1200)
        await asyncio.sleep(1)
        assert len(stranger.receive()) == 1
        assert stranger.buffer[1:5] == bytes(4)
        for connection in w.server.connections:
            connection.abort()


@virtual
async def test_a_driver_for_one_connection_closes_when_stragglers_are_answered() -> None:
    async with pair() as ends:
        driver = ends.client._driver
        await ends.client.aclose()
        assert not driver.is_closed
        await asyncio.sleep(5)
        assert driver.is_closed


@virtual
async def test_closing_a_driver_sends_what_was_due_and_may_be_repeated() -> None:
    async with pair() as ends:
        driver = ends.client._driver
        ends.client.abort(4, "told before the socket went")
        driver.close()
        driver.close()
        driver.schedule(ends.client._connection)
        await ends.server.wait_closed()
        with pytest.raises(ConnectionError, match="told before"):
            await ends.server.accept()


@virtual
async def test_a_driver_without_connections_closes_at_once_when_asked_to() -> None:
    driver, transport = make_driver()
    driver.close_when_idle()
    await settle()
    assert driver.is_closed
    assert transport.is_closed


@virtual
async def test_a_connection_that_fails_before_it_opens_is_reported() -> None:
    refused: list[ConnectionError] = []
    link = Link()
    transport = link.attach("server")
    loop = asyncio.get_running_loop()
    server = Driver(
        transport,
        Configuration(handshake_timeout=2),
        accept=lambda: PLAINTEXT.create_handshake(False),
        on_refused=lambda address, error: refused.append(error),
        clock=loop.time,
    )
    client = Driver(link.attach("client"), Configuration(), clock=loop.time)
    client.connect(transport.sockname, PLAINTEXT.create_handshake(True))
    await asyncio.sleep(0)
    client.close()  # after its first flight
    await asyncio.sleep(5)
    assert len(refused) == 1
    server.close()


@virtual
async def test_where_datagrams_may_be_cut_no_jumbo_is_tried() -> None:
    link = Link()
    transport = link.attach("cutting")
    transport.may_fragment = True
    assert Driver(transport, Configuration()).configuration.max_datagram_size == 1452
    small = Configuration(max_datagram_size=1300)
    assert Driver(link.attach("small"), small).configuration is small


@virtual
async def test_while_the_transport_is_blocked_time_is_looked_at_seldom() -> None:
    """Guards against a timer that fires every millisecond because what is due cannot be sent."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with pair() as ends:
        mine, theirs = await ends.stream()
        transport = ends.client._driver.transport
        assert isinstance(transport, LinkTransport)
        transport.block()
        await mine.send(b"x" * 50_000)
        await asyncio.sleep(1)
        before = loop.turns
        await asyncio.sleep(20)
        assert loop.turns - before < 5 * 20
        transport.unblock()
        began_at = loop.time()
        received = 0
        while received < 50_000:
            received += len(await theirs.receive())
        assert loop.time() - began_at < 1
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_a_driver_whose_socket_is_lost_ends_its_connections_with_one_error() -> None:
    async with pair() as ends:
        driver = ends.client._driver
        waiting = asyncio.create_task(ends.client.accept())
        await settle()
        driver._on_lost(driver.transport, OSError(9, "Bad file descriptor"))
        await settle()
        with pytest.raises(ConnectionClosed, match="is gone: Bad file descriptor"):
            await waiting
        assert driver.is_closed
        assert not ends.server.is_closed


@virtual
async def test_a_forsaken_driver_sends_nothing_and_says_so() -> None:
    async with pair() as ends:
        driver = ends.client._driver
        link = ends.world.link
        before = link.datagrams
        driver.forsake()
        driver.forsake()
        driver.close()
        with pytest.raises(ConnectionClosed, match="this process was forked off"):
            await ends.client.ping()
        await settle()
        assert link.datagrams == before


@virtual
async def test_a_fault_in_one_connection_ends_that_one_and_no_other() -> None:
    """Guards against a fault that is met again in each turn, before what the others have to send."""
    loop = asyncio.get_running_loop()
    errors: list[BaseException] = []
    loop.set_exception_handler(lambda _, report: errors.append(report["exception"]))
    connections: list[Connection] = []

    async def keep(connection: Connection) -> None:
        connections.append(connection)
        await connection.wait_closed()

    async with world(keep) as here:
        clients = [await here.connect() for _ in range(3)]
        await settle()
        faulty = connections[1]._connection
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(faulty), "transmit", fault_of(faulty, type(faulty).transmit))
            pings = [asyncio.create_task(client.ping()) for client in clients]
            await asyncio.sleep(5)
        assert [str(error) for error in errors] == ["a fault"]
        assert [connection.is_closed for connection in connections] == [False, True, False]
        assert [ping.done() and ping.exception() is None for ping in pings] == [True, False, True]
        with pytest.raises(ConnectionClosed):
            await pings[1]
        for client in clients:
            client.abort()


@virtual
async def test_a_fault_that_is_met_while_closing_leaves_no_socket_open() -> None:
    async with pair() as ends:
        driver, faulty = ends.client._driver, ends.client._connection
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(faulty), "transmit", fault_of(faulty, type(faulty).transmit))
            driver.schedule(faulty)
            with pytest.raises(ZeroDivisionError):
                driver.close()
        assert driver.is_closed
        assert ends.client.is_closed
        assert isinstance(driver.transport, LinkTransport)
        assert driver.transport.is_closed
        ends.server.abort()


def fault_of(faulty: Any, transmit: Callable[..., Any]) -> Callable[..., Any]:
    """What raises for one connection."""

    def checked(connection: Any, *words: Any) -> Any:
        if connection is faulty and not connection.is_closed:
            raise ZeroDivisionError("a fault")
        return transmit(connection, *words)

    return checked
