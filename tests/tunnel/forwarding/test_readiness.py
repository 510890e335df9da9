"""Waiting for sockets."""

from __future__ import annotations

import asyncio
import socket

from aio.virtual_loop import settle
from e2e.support import LoopFactory, run
from fastmux.tunnel.forwarding.readiness import Readiness
from tunnel.ends import on_loops


@on_loops
def test_a_reader_is_woken_by_data_and_again_by_the_next(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            readiness = Readiness(ours)
            for _ in range(3):
                waiting = asyncio.ensure_future(readiness.readable())
                await settle()
                assert not waiting.done()
                theirs.send(b"x")
                await waiting
                assert ours.recv(10) == b"x"
            readiness.forget()

    run(main(), loop_factory)


@on_loops
def test_data_that_nobody_waits_for_does_not_keep_the_loop_turning(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            readiness = Readiness(ours)
            waiting = asyncio.ensure_future(readiness.readable())
            await settle()
            waiting.cancel()
            await asyncio.wait({waiting})
            theirs.send(b"x")
            await asyncio.sleep(0.01)
            assert not asyncio.get_running_loop().remove_reader(ours)  # it was taken back by itself
            await readiness.readable()
            readiness.forget()
            readiness.forget()

    run(main(), loop_factory)


@on_loops
def test_a_writer_is_woken_by_room_and_leaves_no_registration(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            readiness = Readiness(ours)
            try:
                while True:
                    ours.send(bytes(65536))
            except BlockingIOError:
                pass
            waiting = asyncio.ensure_future(readiness.writable())
            await settle()
            assert not waiting.done()
            theirs.recv(2**20)
            await waiting
            assert not asyncio.get_running_loop().remove_writer(ours)

    run(main(), loop_factory)
