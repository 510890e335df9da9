"""How whoever listens here asks the far end to dial.

Owns: the opening of channels over whatever connection there is, and its time limit. May not know: how a
connection comes to be, who asked, what is carried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from fastmux.aio.answers import read_answer
from fastmux.exceptions import ClosedResourceError, ConnectionClosed
from fastmux.security.peer_names import name_of
from fastmux.tunnel.constants import FORWARD_OPEN_TIMEOUT, PRIORITY_BULK
from fastmux.tunnel.forwarding.counters import ChannelRegistry
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.forwarding.wire import label_of
from fastmux.tunnel.notation.targets import Target

if TYPE_CHECKING:
    from fastmux.aio.connection import Connection
    from fastmux.aio.message_channel import MessageChannel
    from fastmux.aio.stream import Stream

T = TypeVar("T")

UNKNOWN: str = "not connected"  # the far end's name before the first connection


class Outlet:
    """Opens channels to targets behind the far end, for any number of listeners.

    `get_connection` gives the connection of now, and waits while there is none. `registry` and `limits` are
    what every channel through here is counted in and held back by; whoever opens one sees to that (`carry`).
    A channel that could not be opened because the connection ended is tried once more on each new one.
    """

    def __init__(
        self,
        get_connection: Callable[[], Awaitable[Connection]],
        registry: ChannelRegistry,
        limits: Sequence[RateLimit] = (),
        *,
        open_timeout: float = FORWARD_OPEN_TIMEOUT,
    ) -> None:
        """`open_timeout` (seconds) covers waiting for a connection and for the far end's answer."""
        self.registry = registry
        self.limits = limits
        self._get_connection = get_connection
        self._open_timeout = open_timeout
        self._identity = UNKNOWN

    @property
    def identity(self) -> str:
        """The name of the far end, of the newest connection that was used."""
        return self._identity

    async def open_tcp(self, host: str, port: int) -> Stream:
        """A stream to a TCP target, connected. Raises as `open_stream`."""
        return await self.open_stream(Target("tcp", host, port))

    async def open_unix(self, path: str) -> Stream:
        """A stream to a Unix socket, connected. Raises as `open_stream`."""
        return await self.open_stream(Target("unix", path=path))

    async def open_stream(self, target: Target) -> Stream:
        """A stream to a TCP or Unix target, connected.

        Raises `OpenRefused` if the far end will not or cannot, ConnectionError if the connection ended,
        TimeoutError, ValueError for a target that fits no label.
        """
        label = label_of(target)

        async def attempt(connection: Connection) -> Stream:
            stream = await connection.open_stream(label, priority=PRIORITY_BULK)
            try:
                await read_answer(stream)
            except BaseException:
                stream.reset()
                raise
            return stream

        return await self._open(attempt)

    async def open_udp(self, host: str, port: int) -> MessageChannel:
        """A channel whose messages are datagrams to and from a UDP target.

        It is not answered: a refusal is a `ChannelReset` with code REFUSED when something is received.
        Raises ConnectionError, TimeoutError, ValueError as `open_stream`.
        """
        label = label_of(Target("udp", host, port))

        async def attempt(connection: Connection) -> MessageChannel:
            return await connection.open_message_channel(
                label, priority=PRIORITY_BULK, ordered=False, reliable=False
            )

        return await self._open(attempt)

    async def _open(self, attempt: Callable[[Connection], Awaitable[T]]) -> T:
        tried: Connection | None = None
        failure: Exception | None = None
        try:
            async with asyncio.timeout(self._open_timeout):
                while True:
                    connection = await self._get_connection()
                    if connection is tried:
                        raise ConnectionError(f"the connection is over: {failure}")
                    self._identity = name_of(connection.peer)
                    try:
                        return await attempt(connection)
                    except (ConnectionClosed, ClosedResourceError) as error:
                        tried, failure = connection, error
        except TimeoutError:
            raise TimeoutError(f"no answer of the far end within {self._open_timeout:g} s") from failure
