"""The loops of asyncio and uvloop can do what the rooms of `aio` ask of a loop."""

from __future__ import annotations

import asyncio
import socket

from aio.conftest import LoopFactory
from fastmux.aio.loop import WatchingLoop


def test_a_loop_calls_back_soon_later_and_when_something_can_be_read(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        running = asyncio.get_running_loop()
        loop: WatchingLoop = running
        calls: list[str] = []
        loop.call_soon(lambda: calls.append("soon"))
        loop.call_soon_threadsafe(lambda: calls.append("threadsafe"))
        loop.call_later(3600, lambda: calls.append("never")).cancel()
        later = loop.create_future()
        loop.call_later(0.001, lambda: later.set_result("later"))
        assert await later == "later"
        assert later.done()
        near, far = socket.socketpair()
        with near, far:
            readable, writable = loop.create_future(), loop.create_future()

            def on_readable() -> None:
                loop.remove_reader(near.fileno())
                readable.set_result(None)

            def on_writable() -> None:
                loop.remove_writer(near.fileno())
                writable.set_result(None)

            loop.add_reader(near.fileno(), on_readable)
            loop.add_writer(near.fileno(), on_writable)
            await writable
            assert not readable.done()
            far.send(b"x")
            await readable
        assert calls == ["soon", "threadsafe"]
        assert not loop.is_closed()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
