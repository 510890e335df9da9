"""One QUIC connection as the workloads use it, over a library that tells events.

aioquic, qh3 and aiopquic are alike in that: a callback an event, and `send_stream_data`. Neither aioquic nor
qh3 holds a sender back (`drain()` never waits), so `DatagramLink.write` waits while more than BACKLOG_SIZE is
queued and was never sent; what is in flight is bounded by congestion and flow control.

Owns `Link` and what the workloads ask of a `Library`. Knows no workload.
"""

import argparse
import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

BACKLOG_SIZE = 512 * 1024
"""Bytes of a connection that may wait for their first transmission before a writer waits."""


def _do_nothing() -> None:
    return None


def refuse(stream_id: int, data: bytes, end: bool) -> None:
    if data:
        raise ValueError("nothing was expected here")


class Link(ABC):
    """One connection. `received` gets every piece of stream data; what it raises fails the link.

    Invariant: `lost` is done once the connection has ended or an error was seen, with an exception only then.
    """

    def __init__(self, protocol: Any) -> None:
        self.received: Callable[[int, bytes, bool], None] = refuse
        self.connected: Callable[[], None] = _do_nothing
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._protocol = protocol
        self._quic = protocol._quic
        protocol.quic_event_received = self._take_event

    def send(self, stream_id: int, data: bytes, end: bool = False) -> None:
        """Queue without waiting: for small answers, from within `received`."""
        self._quic.send_stream_data(stream_id, data, end)

    def open(self, data: bytes, end: bool = False) -> int:
        """Queue the first bytes of a new stream; its number."""
        stream_id: int = self._quic.get_next_available_stream_id()
        self.send(stream_id, data, end)
        return stream_id

    def when_open(self, begin: Callable[[], object]) -> None:
        """Call `begin`, which opens a stream, as soon as the peer allows one more."""
        begin()

    @abstractmethod
    def flush(self) -> None:
        """Transmit what was queued outside of `received` (after an event the library does it)."""

    @abstractmethod
    async def write(self, stream_id: int, data: bytes, end: bool = False) -> None:
        """Send, and wait where too much is queued."""

    async def outcome(self, future: "asyncio.Future[None]") -> None:
        """Wait for the future; raises what failed the link, ConnectionError if it ended before."""
        await asyncio.wait((future, self.lost), return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            self.lost.result()
            raise ConnectionError("the connection ended before its work")
        future.result()

    def fail(self, error: Exception | None) -> None:
        """The connection is over, with an error or without."""
        if self.lost.done():
            return
        if error is None:
            self.lost.set_result(None)
        else:
            self.lost.set_exception(error)

    def _take_event(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "StreamDataReceived":
            try:
                self.received(event.stream_id, event.data, event.end_stream)
            except Exception as error:  # the libraries swallow what a handler raises, or only log it
                self.fail(error)
        elif kind == "HandshakeCompleted":
            self.connected()
        elif kind == "StreamReset":
            self.fail(ConnectionError("a stream was reset"))
        elif kind == "ConnectionTerminated":
            self.fail(ConnectionError(f"closed: {event}") if event.error_code else None)


class DatagramLink(Link):
    """A link over aioquic or qh3, which run on the loop of the program.

    `backlog` tells how many bytes are unsent, `may_open` whether the library takes one more stream now.
    """

    def __init__(
        self,
        protocol: Any,
        backlog: Callable[["DatagramLink"], int],
        may_open: Callable[["DatagramLink"], bool],
    ) -> None:
        super().__init__(protocol)
        self.queued_size = 0
        self._backlog = backlog
        self._may_open = may_open
        self._writers: deque[asyncio.Future[None]] = deque()
        self._openers: deque[Callable[[], object]] = deque()
        self._transmit = protocol.transmit
        protocol.transmit = self.flush

    @property
    def quic(self) -> Any:
        """The library's connection."""
        return self._quic

    def send(self, stream_id: int, data: bytes, end: bool = False) -> None:
        self.queued_size += len(data)
        self._quic.send_stream_data(stream_id, data, end)

    def when_open(self, begin: Callable[[], object]) -> None:
        if self._openers or not self._may_open(self):
            self._openers.append(begin)
        else:
            begin()

    def flush(self) -> None:
        while self._openers and self._may_open(self):
            self._openers.popleft()()
        self._transmit()
        if self._writers and self._backlog(self) <= BACKLOG_SIZE:
            self._wake()

    async def write(self, stream_id: int, data: bytes, end: bool = False) -> None:
        while self._backlog(self) > BACKLOG_SIZE:
            if self.lost.done():
                raise ConnectionError("the connection ended while its sender waited")
            waiter = asyncio.get_running_loop().create_future()
            self._writers.append(waiter)
            await waiter
        self.send(stream_id, data, end)
        self.flush()  # wakes the next writer, as long as there is room

    def fail(self, error: Exception | None) -> None:
        super().fail(error)
        while self._writers:
            self._wake()

    def _wake(self) -> None:
        waiter = self._writers.popleft()
        if not waiter.done():
            waiter.set_result(None)


class Library(Protocol):
    """How a library listens and connects."""

    name: str

    async def serve(self, options: argparse.Namespace, accept: Callable[[Link], None]) -> tuple[Any, int]:
        """Listen; `accept` gets every new link. The server, which has `close()`, and its port."""
        ...

    def connect(self, options: argparse.Namespace) -> AbstractAsyncContextManager[Link]:
        """A link that is connected."""
        ...

    def detail(self, link: Link) -> dict[str, object]:
        """What the connection says about itself."""
        ...
