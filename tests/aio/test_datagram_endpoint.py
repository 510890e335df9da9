"""The fall-back over asyncio's datagram endpoint carries trains too."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from aio.conftest import LoopFactory
from fastmux.aio.datagram_endpoint import DatagramEndpoint, open_datagram_endpoint
from fastmux.aio.transport import Row
from fastmux.constants import SOCKET_BUFFER_SIZE


async def open_endpoint() -> DatagramEndpoint:
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", 0))
    return await open_datagram_endpoint(asyncio.get_running_loop(), sock)


def play(loop_factory: LoopFactory, scene: Callable[[DatagramEndpoint], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        endpoint = await open_endpoint()
        try:
            await scene(endpoint)
        finally:
            endpoint.close()
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_a_train_is_cut_on_the_way_out_and_arrives(loop_factory: LoopFactory) -> None:
    async def scene(endpoint: DatagramEndpoint) -> None:
        other = await open_endpoint()
        train = b"a" * 1000 + b"b" * 1000 + b"c"
        received = bytearray()
        arrived = asyncio.Event()

        def on_readable() -> None:
            ((start, size, _, _),) = other.receive()
            received.extend(other.buffer[start : start + size])
            if len(received) == len(train):
                arrived.set()

        other.start(on_readable, lambda: None)
        endpoint.send(memoryview(train), len(train), 1000, other.sockname)
        async with asyncio.timeout(10):
            await arrived.wait()
        assert received == train
        assert other.counters()["datagrams_received"] == 3
        other.close()

    play(loop_factory, scene)


def test_equal_datagrams_of_one_peer_are_put_together(loop_factory: LoopFactory) -> None:
    async def scene(endpoint: DatagramEndpoint) -> None:
        here, there = ("10.0.0.1", 1), ("10.0.0.2", 2)
        for data in (b"aaaa", b"bbbb", b"c", b"dddd"):
            endpoint.datagram_received(data, here)
        endpoint.datagram_received(b"eeee", there)
        endpoint.datagram_received(b"ffffff", there)
        trains = []
        while rows := endpoint.receive():
            ((start, size, segment_size, address),) = rows
            trains.append((bytes(endpoint.buffer[start : start + size]), segment_size, address))
        assert endpoint.is_drained
        assert trains == [
            (b"aaaabbbbc", 4, here),
            (b"dddd", 4, here),
            (b"eeee", 4, there),
            (b"ffffff", 6, there),
        ]

    play(loop_factory, scene)


def test_the_queue_is_bounded_as_a_socket_buffer_is(loop_factory: LoopFactory) -> None:
    async def scene(endpoint: DatagramEndpoint) -> None:
        for _ in range(SOCKET_BUFFER_SIZE // 60000 + 3):
            endpoint.datagram_received(bytes(60000), ("10.0.0.1", 1))
        endpoint.datagram_received(b"", ("10.0.0.1", 1))
        assert endpoint.counters()["datagrams_dropped"] == 4
        size = 0
        while rows := endpoint.receive():
            assert len(rows) == 1
            size += rows[0][1]
        assert size == SOCKET_BUFFER_SIZE // 60000 * 60000
        endpoint.datagram_received(bytes(60000), ("10.0.0.1", 1))
        assert not endpoint.is_drained
        assert len(endpoint.receive()) == 1

    play(loop_factory, scene)


def test_what_came_before_the_start_is_read_after_it(loop_factory: LoopFactory) -> None:
    async def scene(endpoint: DatagramEndpoint) -> None:
        endpoint.datagram_received(b"early", ("10.0.0.1", 1))
        calls: list[list[Row]] = []
        endpoint.start(lambda: calls.append(endpoint.receive()), lambda: None)
        await asyncio.sleep(0)
        assert calls == [[(0, 5, 5, ("10.0.0.1", 1))]]

    play(loop_factory, scene)


def test_reading_goes_on_in_further_turns_until_nothing_is_left(loop_factory: LoopFactory) -> None:
    async def scene(endpoint: DatagramEndpoint) -> None:
        calls: list[list[Row]] = []
        endpoint.start(lambda: calls.append(endpoint.receive()), lambda: None)
        for size in (3, 2, 4):
            endpoint.datagram_received(bytes(size), ("10.0.0.1", size))
        for _ in range(6):
            await asyncio.sleep(0)
        assert [rows[0][1] for rows in calls] == [3, 2, 4]

    play(loop_factory, scene)


def test_a_full_send_buffer_blocks_until_there_is_room(loop_factory: LoopFactory) -> None:
    async def scene(endpoint: DatagramEndpoint) -> None:
        writable: list[bool] = []
        endpoint.start(lambda: None, lambda: writable.append(True))
        endpoint.pause_writing()
        assert endpoint.is_blocked
        endpoint.resume_writing()
        assert not endpoint.is_blocked
        assert writable == [True]

    play(loop_factory, scene)


def test_reported_errors_are_counted_and_closing_may_be_repeated(loop_factory: LoopFactory) -> None:
    async def scene(endpoint: DatagramEndpoint) -> None:
        endpoint.error_received(ConnectionRefusedError())
        assert endpoint.counters()["errors"] == 1
        endpoint.close()
        endpoint.close()
        endpoint.send(memoryview(b"x"), 1, 1, ("127.0.0.1", 9))
        assert endpoint.receive() == []

    play(loop_factory, scene)


@pytest.mark.parametrize("error", [None, OSError(errno.ENETUNREACH, "no route")])
def test_a_transport_that_the_loop_gives_up_is_told_once(
    loop_factory: LoopFactory, error: Exception | None
) -> None:
    async def scene(endpoint: DatagramEndpoint) -> None:
        told: list[OSError] = []
        endpoint.start(lambda: None, lambda: None, told.append)
        transport = endpoint._transport
        assert transport is not None
        for _ in range(2):
            endpoint.connection_lost(error)
        await asyncio.sleep(0)
        assert [reason.errno for reason in told] == [errno.EBADF if error is None else errno.ENETUNREACH]
        endpoint.send(memoryview(b"x"), 1, 1, ("127.0.0.1", 9))
        transport.abort()

    play(loop_factory, scene)


def test_an_error_that_says_the_socket_is_no_more_ends_the_transport(loop_factory: LoopFactory) -> None:
    async def scene(endpoint: DatagramEndpoint) -> None:
        told: list[OSError] = []
        endpoint.start(lambda: None, lambda: None, told.append)
        endpoint.error_received(OSError(errno.ENOBUFS, "lost"))
        endpoint.error_received(OSError(errno.EBADF, "gone"))
        endpoint.error_received(OSError(errno.EBADF, "gone"))
        await asyncio.sleep(0)
        assert [reason.errno for reason in told] == [errno.EBADF]

    play(loop_factory, scene)


def test_a_close_of_our_own_is_no_loss(loop_factory: LoopFactory) -> None:
    async def scene(endpoint: DatagramEndpoint) -> None:
        told: list[OSError] = []
        endpoint.start(lambda: None, lambda: None, told.append)
        endpoint.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert told == []

    play(loop_factory, scene)
