"""Train transports joined by a link in memory, on the clock of their event loop.

Owns: delay and seeded loss. Loss is per datagram; order is kept.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable

from fastmux.aio.buffers import receive_buffer
from fastmux.aio.loop import Loop
from fastmux.aio.transport import TRAINS_PER_CALL, Row
from fastmux.constants import TRAIN_BUFFER_SIZE
from fastmux.protocol.events import Address


class Link:
    """Carries trains between the transports made by `attach`, each at an address of its own.

    `delay` is one way, in seconds; `loss` the probability that a datagram is lost.
    """

    def __init__(
        self, *, delay: float = 0.005, loss: float = 0.0, seed: int = 1, loop: Loop | None = None
    ) -> None:
        self._loop = loop  # None: the one that is running
        self.delay = delay
        self.loss = loss
        self.datagrams = 0
        self._random = random.Random(seed)
        # a queue of its own, because timers of the same moment fire in any order
        self._under_way: deque[tuple[Address, Address, bytes, int]] = deque()
        self._transports: dict[Address, LinkTransport] = {}

    @property
    def loop(self) -> Loop:
        """Whose clock the link goes by."""
        return asyncio.get_running_loop() if self._loop is None else self._loop

    def attach(self, host: str) -> LinkTransport:
        """A new end of the link with an address of its own."""
        transport = LinkTransport(self, (host, 4433))
        self._transports[transport.sockname] = transport
        return transport

    def detach(self, address: Address) -> None:
        """Nothing reaches this address any more."""
        self._transports.pop(address, None)

    def carry(self, source: Address, target: Address, data: bytes, segment_size: int) -> None:
        """Take a train on its way."""
        pieces = [data[start : start + segment_size] for start in range(0, len(data), segment_size)]
        self.datagrams += len(pieces)
        kept = [piece for piece in pieces if self._random.random() >= self.loss]
        for train, size in _trains(kept):
            self._under_way.append((source, target, train, size))
            self.loop.call_later(self.delay, self._deliver)

    def _deliver(self) -> None:
        source, target, train, segment_size = self._under_way.popleft()
        transport = self._transports.get(target)
        if transport is not None:
            transport.take(train, segment_size, source)


def _trains(pieces: list[bytes]) -> list[tuple[bytes, int]]:
    """Neighbours of equal size in one train, as GRO does; the last may be shorter."""
    trains: list[tuple[bytes, int]] = []
    for piece in pieces:
        if trains:
            train, size = trains[-1]
            if len(train) % size == 0 and len(piece) <= size:
                trains[-1] = (train + piece, size)
                continue
        trains.append((piece, len(piece)))
    return trains


class LinkTransport:
    """One end of a link."""

    path = "link"
    may_fragment = False

    def __init__(self, link: Link, address: Address) -> None:
        self._loop = link.loop
        self._link = link
        self._queue: deque[tuple[bytes, int, Address]] = deque()
        self._on_readable: Callable[[], None] | None = None
        self._on_writable: Callable[[], None] | None = None
        self._is_scheduled = False
        self.sockname = address
        self.buffer = receive_buffer()
        self.is_blocked = False
        self.is_closed = False

    def start(
        self,
        on_readable: Callable[[], None],
        on_writable: Callable[[], None],
        on_lost: Callable[[OSError], None] | None = None,
    ) -> None:
        self._on_readable = on_readable
        self._on_writable = on_writable

    def take(self, train: bytes, segment_size: int, source: Address) -> None:
        """A train arrives."""
        self._queue.append((train, segment_size, source))
        self._schedule()

    def _schedule(self) -> None:
        if self._queue and not self._is_scheduled and not self.is_closed:
            self._is_scheduled = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._is_scheduled = False
        if self._on_readable is not None and not self.is_closed:
            self._on_readable()
            self._schedule()

    @property
    def is_drained(self) -> bool:
        return not self._queue

    def receive(self) -> list[Row]:
        rows: list[Row] = []
        while self._queue and len(rows) < TRAINS_PER_CALL:
            train, segment_size, source = self._queue.popleft()
            start = len(rows) * TRAIN_BUFFER_SIZE
            self.buffer[start : start + len(train)] = train
            rows.append((start, len(train), segment_size, source))
        return rows

    def send(self, buffer: memoryview, size: int, segment_size: int, address: Address) -> None:
        assert not self.is_blocked
        assert not self.is_closed
        self._link.carry(self.sockname, address, bytes(buffer[:size]), segment_size)

    def block(self) -> None:
        """From now on the kernel has no room."""
        self.is_blocked = True

    def unblock(self) -> None:
        """It has room again."""
        self.is_blocked = False
        if self._on_writable is not None:
            self._on_writable()

    def close(self) -> None:
        self.is_closed = True
        self._link.detach(self.sockname)

    def forsake(self) -> None:
        self.close()

    def counters(self) -> dict[str, int]:
        return {}
