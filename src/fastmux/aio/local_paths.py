"""The sockets of one driver: one is in use, and a client that moves has others beside it for a while.

Owns: which transport is which local path. May not know: what is read from them, why a client moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fastmux.aio.transport import TrainTransport


class LocalPaths:
    """Transports by local path, a number that is never used a second time.

    `transport` is that of local path `via`, where nearly everything goes; `start(transport, via)` is called
    with each one that is taken over, the first one too.
    """

    __slots__ = ("_made", "_others", "_start", "transport", "via")

    def __init__(self, transport: TrainTransport, start: Callable[[TrainTransport, int], None]) -> None:
        self.transport = transport
        self.via = 0
        self._others: dict[int, TrainTransport] = {}
        self._made = 1
        self._start = start
        start(transport, 0)

    def __iter__(self) -> Iterator[TrainTransport]:
        """All of them, the one in use first."""
        return iter((self.transport, *self._others.values()))

    def add(self, transport: TrainTransport) -> int:
        """Take over one more transport; returns its local path."""
        via = self._made
        self._made += 1
        self._others[via] = transport
        self._start(transport, via)
        return via

    def get(self, via: int) -> TrainTransport | None:
        """The transport of a local path, None if it is gone."""
        return self.transport if via == self.via else self._others.get(via)

    def use(self, via: int) -> None:
        """Let this local path be the one for nearly everything; nothing happens if it is gone."""
        transport = self._others.pop(via, None)
        if transport is not None:
            self._others[self.via] = self.transport
            self.transport, self.via = transport, via

    def drop(self, via: int) -> None:
        """Close the transport of a local path that is not in use; nothing happens if it is gone."""
        transport = self._others.pop(via, None)
        if transport is not None:
            transport.close()

    def lose(self, transport: TrainTransport) -> bool:
        """A transport was closed by somebody else: forget it. True if it is the one in use, which stays."""
        for via in [via for via, other in self._others.items() if other is transport]:
            self.drop(via)
        return transport is self.transport

    def close(self) -> None:
        """Close all of them."""
        self.transport.close()
        for via in list(self._others):
            self.drop(via)

    def forsake(self) -> None:
        """In a child of fork: let go of all without touching the selector, which the parent shares."""
        for transport in self:
            transport.forsake()
