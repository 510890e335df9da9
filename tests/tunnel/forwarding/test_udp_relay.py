"""A message channel and a UDP socket, joined."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from aio.link import Link
from aio.pair import Pair, pair
from e2e.support import LoopFactory, run
from fastmux import EndOfStream, MessageChannel
from fastmux.tunnel.forwarding.counters import ChannelRecord, ChannelRegistry
from fastmux.tunnel.forwarding.udp_relay import relay_datagrams
from tunnel.ends import on_all_loops


@dataclass
class Relay:
    far: MessageChannel
    target: socket.socket
    sock: socket.socket
    record: ChannelRecord
    outcome: asyncio.Task[str]
    ends: Pair


@asynccontextmanager
async def relay_of(*, idle_timeout: float = 60) -> AsyncIterator[Relay]:
    async with pair(link=Link(delay=0)) as ends:
        far, near = await ends.message_channel()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target:
            target.bind(("127.0.0.1", 0))
            target.setblocking(False)
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setblocking(False)
            sock.connect(target.getsockname())
            record = ChannelRegistry().open("x", "udp", "y", "in")
            task = asyncio.create_task(relay_datagrams(near, sock, record, idle_timeout=idle_timeout))
            try:
                yield Relay(far, target, sock, record, task, ends)
            finally:
                await far.aclose()
                task.cancel()
                await asyncio.wait({task})
                assert sock.fileno() == -1


@on_all_loops
def test_datagrams_pass_both_ways(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with relay_of() as r:
            loop = asyncio.get_running_loop()
            ready = asyncio.Event()
            await r.far.send(b"there")
            while True:
                try:
                    data, address = r.target.recvfrom(100)
                    break
                except BlockingIOError:
                    await asyncio.sleep(0)
            assert data == b"there"
            for size in (0, 1, 30_000):
                r.target.sendto(bytes(size), address)
                assert await r.far.receive() == bytes(size)
            assert (r.record.received_size, r.record.sent_size) == (5, 30_001)
            await r.far.send_eof()
            assert await r.outcome == "closed"
            loop.call_soon(ready.set)
            await ready.wait()

    run(main(), loop_factory)


def test_it_ends_when_nothing_comes_and_the_far_end_hears_of_it() -> None:
    async def main() -> None:
        async with relay_of(idle_timeout=0.02) as r:
            assert await r.outcome == "idle"
            with pytest.raises(EndOfStream):
                await r.far.receive()

    run(main())


def test_a_lost_connection_ends_it() -> None:
    async def main() -> None:
        async with relay_of() as r:
            r.ends.client.abort()
            assert (await r.outcome).startswith("connection lost")

    run(main())


def test_a_reset_by_the_far_end_ends_it() -> None:
    async def main() -> None:
        async with relay_of() as r:
            r.far.reset()
            assert await r.outcome == "reset by the far end"

    run(main())
