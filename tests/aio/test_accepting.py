"""One task at a time takes what a peer opened, and each way of taking ends as the connection does."""

from __future__ import annotations

import asyncio

import pytest

from aio.pair import Pair, pair
from aio.virtual_loop import settle, virtual
from fastmux.aio.accepting import Accepting
from fastmux.aio.logs import ConnectionLog
from fastmux.aio.stream import Stream
from fastmux.exceptions import BusyResourceError, ClosedResourceError, ConnectionClosed


class Queue(Accepting[Stream]):
    """Streams that were put there, then an error."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self.waiting: list[Stream] = []
        self.error: Exception | None = None

    def _take(self) -> Stream | None:
        if not self.waiting and self.error is not None:
            raise self.error
        return self.waiting.pop(0) if self.waiting else None

    async def put(self, ends: Pair) -> Stream:
        """One more stream; its other end."""
        mine, theirs = await ends.stream()
        self.waiting.append(theirs)
        self.wake()
        return mine

    def end(self, error: Exception) -> None:
        self.error = error
        self.wake()


@virtual
async def test_who_waits_gets_what_comes_and_nobody_waits_beside_him() -> None:
    async with pair() as ends:
        queue = Queue()
        assert not queue.accepts
        waiting = asyncio.create_task(queue.accept())
        await settle()
        assert queue.accepts
        for other in (queue.accept(), queue.next(), queue.serve(Stream.aclose, ConnectionLog("x"))):
            with pytest.raises(BusyResourceError):
                await other
        mine = await queue.put(ends)
        theirs = await waiting
        assert theirs.id == mine.id
        for stream in (mine, theirs):
            await stream.aclose()


@virtual
async def test_a_cancelled_accept_loses_nothing() -> None:
    async with pair() as ends:
        queue = Queue()
        waiting = asyncio.create_task(queue.accept())
        await settle()
        mine = await queue.put(ends)
        waiting.cancel()
        await asyncio.wait([waiting])
        theirs = await queue.accept()
        assert theirs.id == mine.id
        for stream in (mine, theirs):
            await stream.aclose()


@pytest.mark.parametrize("error", [ClosedResourceError("here"), ConnectionClosed(0), ConnectionClosed(9)])
def test_an_end_without_an_error_ends_the_iteration_and_the_serving(error: Exception) -> None:
    is_clean = not isinstance(error, ConnectionClosed) or error.code == 0

    @virtual
    async def main() -> None:
        queue = Queue()
        queue.end(error)
        with pytest.raises(StopAsyncIteration if is_clean else ConnectionClosed):
            await queue.next()
        with pytest.raises(type(error)):
            await queue.accept()
        serving = queue.serve(Stream.aclose, ConnectionLog("x"))
        if is_clean:
            await serving
        else:
            with pytest.raises(ConnectionClosed):
                await serving

    main()
