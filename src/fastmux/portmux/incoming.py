"""The channels that the peer opened, each over its port, and nobody has taken yet.

Owns: their queue and its bound. May not know: who takes them; how ports are agreed on.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from fastmux import constants as c
from fastmux.aio.accepting import Accepting
from fastmux.aio.loop import Waiters
from fastmux.exceptions import ClosedResourceError, ConnectionClosed
from fastmux.portmux.channel import PortMessageChannel, PortStream, channel_over
from fastmux.portmux.link import PortLink


class Usable(Protocol):
    """The connection as who accepts sees it."""

    @property
    def is_closing(self) -> bool:
        """True once this end has begun to close it."""
        ...

    def check_usable(self) -> None:
        """Raise what it ended with."""
        ...


class Incoming(Accepting[PortStream | PortMessageChannel]):
    """Invariant: `_links` wait for `accept`, at most `max_waiting` of them with a port that still works."""

    __slots__ = ("_connection", "_links", "_max_waiting")

    def __init__(self, maker: Waiters, connection: Usable, max_waiting: int) -> None:
        super().__init__(maker)
        self._connection = connection
        self._max_waiting = max_waiting
        self._links: deque[PortLink] = deque()

    def __len__(self) -> int:
        return len(self._links)

    def _take(self) -> PortStream | PortMessageChannel | None:
        if self._connection.is_closing:
            raise ClosedResourceError("this connection was closed here")
        if self._links:
            link = self._links.popleft()
            link.is_waiting = False
            return channel_over(link)
        self._connection.check_usable()
        return None

    def offer(self, link: PortLink) -> None:
        """A channel of the peer's is here."""
        link.is_waiting = True
        self._links.append(link)
        self.wake()

    def on_link_gone(self, link: PortLink) -> None:
        """A link has gone. One that nobody accepted is kept only if its peer closed it in good order."""
        if link.is_waiting:
            error = link.closed_error
            is_clean = isinstance(error, ConnectionClosed) and error.code == c.NO_ERROR
            if not is_clean or len(self._links) > self._max_waiting:
                self._links.remove(link)

    def discard(self) -> None:
        """Nobody wants them any more."""
        self._links.clear()
