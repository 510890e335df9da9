"""Everything that carries trains does it the same way."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from aio.link import Link
from fastmux.aio.datagram_endpoint import open_datagram_endpoint
from fastmux.aio.train_socket import TrainSocket
from fastmux.aio.transport import BUFFER_SIZE, TrainTransport

Maker = Callable[[], Awaitable[tuple[TrainTransport, TrainTransport]]]


def bound_socket() -> socket.socket:
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", 0))
    return sock


async def train_sockets() -> tuple[TrainTransport, TrainTransport]:
    loop = asyncio.get_running_loop()
    return TrainSocket(loop, bound_socket()), TrainSocket(loop, bound_socket())


async def datagram_endpoints() -> tuple[TrainTransport, TrainTransport]:
    loop = asyncio.get_running_loop()
    return (
        await open_datagram_endpoint(loop, bound_socket()),
        await open_datagram_endpoint(loop, bound_socket()),
    )


async def links() -> tuple[TrainTransport, TrainTransport]:
    link = Link(delay=0)
    return link.attach("a"), link.attach("b")


@pytest.mark.parametrize("make", [train_sockets, datagram_endpoints, links])
def test_a_train_arrives_with_its_size_and_sender_and_closing_is_final(make: Maker) -> None:
    async def main() -> None:
        sender, receiver = await make()
        train = b"".join(bytes([number]) * 1000 for number in range(5)) + b"end"
        received: list[tuple[bytes, object]] = []
        complete = asyncio.Event()

        def on_readable() -> None:
            for start, size, segment_size, address in receiver.receive():
                assert segment_size in (1000, 3)
                received.append((bytes(receiver.buffer[start : start + size]), address))
            if sum(len(data) for data, _ in received) == len(train):
                complete.set()

        receiver.start(on_readable, lambda: None)
        sender.start(lambda: None, lambda: None)
        assert len(sender.buffer) == BUFFER_SIZE
        assert sender.path
        assert not sender.is_blocked
        sender.send(memoryview(train), len(train), 1000, receiver.sockname)
        async with asyncio.timeout(10):
            await complete.wait()
        assert b"".join(data for data, _ in received) == train
        assert {address for _, address in received} == {sender.sockname}
        assert all(count >= 0 for count in sender.counters().values())
        for transport in (sender, receiver):
            transport.close()
            transport.close()
            assert transport.receive() == []
        await asyncio.sleep(0)

    with asyncio.Runner() as runner:
        runner.run(main())
