"""Taking what a peer opened, one task at a time: by `accept`, by `async for`, by a handler for each.

Owns: whose turn it is, and which end of the connection is an end without an error. May not know: where
channels come from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from fastmux import constants as c
from fastmux.aio.logs import ConnectionLog
from fastmux.aio.loop import Waiters
from fastmux.aio.serving import AnyChannel, ChannelHandler, ChannelTasks
from fastmux.aio.waiters import WaiterSlot
from fastmux.exceptions import ClosedResourceError, ConnectionClosed

A = TypeVar("A", bound=AnyChannel)


class Accepting(ABC, Generic[A]):
    """A connection's accepting side. Invariant: `accepts` says whether anybody ever accepted or served."""

    __slots__ = ("_slot", "accepts")

    def __init__(self, maker: Waiters) -> None:
        self._slot = WaiterSlot(maker, "accepting channels of this connection")
        self.accepts = False

    @abstractmethod
    def _take(self) -> A | None:
        """The next channel, None if none waits. Raises when there will be none any more."""

    async def accept(self) -> A:
        """Take the next one. Raises `BusyResourceError` if another task accepts or serves."""
        self._slot.check()
        self.accepts = True
        return await self._next()

    async def next(self) -> A:
        """As `accept`; StopAsyncIteration when the connection ended without an error."""
        try:
            return await self.accept()
        except ClosedResourceError:
            raise StopAsyncIteration from None
        except ConnectionClosed as error:
            if error.code == c.NO_ERROR:
                raise StopAsyncIteration from None
            raise

    async def serve(self, handler: ChannelHandler, log: ConnectionLog) -> None:
        """Run the handler in a task for each, until the connection ends; `Connection.serve` says the rest."""
        self._slot.claim()
        self.accepts = True
        tasks = ChannelTasks(handler, log)
        try:
            while True:
                channel = self._take()  # as `_next` does, without a coroutine for each
                if channel is not None:
                    tasks.start(channel)
                else:
                    await self._slot.wait()
        except ClosedResourceError:
            await tasks.join()
        except ConnectionClosed as error:
            await tasks.join()
            if error.code != c.NO_ERROR:
                raise
        finally:
            self._slot.unclaim()
            await tasks.cancel()

    async def _next(self) -> A:
        while True:
            channel = self._take()
            if channel is not None:
                return channel
            await self._slot.wait()

    def wake(self) -> None:
        """Let who waits look at the state."""
        self._slot.wake()
