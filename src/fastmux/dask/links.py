"""Links: one authenticated connection each, shared by all comms between two processes.

Owns: which connection leads to which address, how many comms use it, and when it is closed. May not know:
Dask's messages and handshake.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

import dask
from dask.utils import parse_timedelta

import fastmux
from fastmux import ClosedResourceError, Connection, ConnectionClosed, Stream
from fastmux import constants as c
from fastmux.aio.settings import Settings
from fastmux.dask.constants import IDLE_TIMEOUT, KEEP_ALIVE_DIVISOR, LINGER, MAX_STREAMS
from fastmux.dask.introduction import Address, is_comm
from fastmux.dask.security import AnyTLS

logger = logging.getLogger("fastmux.dask")

Taker = Callable[["Link", Stream], None]


def settings() -> Settings:
    """The settings of every connection, from `distributed.comm.fastmux.idle-timeout`."""
    idle_timeout = _seconds("idle-timeout", IDLE_TIMEOUT)
    return {
        "idle_timeout": idle_timeout,
        "keep_alive": idle_timeout / KEEP_ALIVE_DIVISOR,
        "max_streams": MAX_STREAMS,
        "max_message_channels": 0,
    }


def _seconds(name: str, default: float) -> float:
    return float(parse_timedelta(dask.config.get(f"distributed.comm.fastmux.{name}", default), "s"))


class Link:
    """One connection and its users.

    Invariant: `leases` is the number of comms, of either side's opening, that use the connection here.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.leases = 0
        self._loop = asyncio.get_running_loop()
        self._unused = asyncio.Event()
        self._on_unused: Callable[[Link], None] | None = None

    def __repr__(self) -> str:
        return f"<Link {self.connection!r}, {self.leases} comms>"

    def watch(self, on_unused: Callable[[Link], None]) -> None:
        """Have `on_unused` called whenever the last comm gives its lease back."""
        self._on_unused = on_unused

    def lease(self) -> Lease:
        """One more user."""
        self.leases += 1
        self._unused.clear()
        return Lease(self)

    def give_back(self) -> None:
        """One user less. Called by its lease."""
        self.leases -= 1
        if self.leases == 0:
            self._unused.set()
            if self._on_unused is not None:
                self._on_unused(self)

    def give_back_later(self) -> None:
        """As `give_back`, from any thread."""
        with suppress(RuntimeError):  # the loop is closed, and the connection with it
            self._loop.call_soon_threadsafe(self.give_back)

    async def serve(self, take: Taker) -> None:
        """Give each stream that the peer opens as a comm to `take`, until the connection ends."""
        with suppress(ConnectionClosed, ClosedResourceError):
            while True:
                channel = await self.connection.accept()
                if isinstance(channel, Stream) and is_comm(channel.label):
                    take(self, channel)
                else:
                    channel.reset(c.REFUSED)

    async def wait_unused(self) -> None:
        """Wait until no comm uses it, or the connection is over."""
        if self.leases == 0:
            return
        over = asyncio.ensure_future(self.connection.wait_closed())
        unused = asyncio.ensure_future(self._unused.wait())
        try:
            await asyncio.wait({over, unused}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            unused.cancel()


class Lease:
    """The right of one comm to its connection; given back once, however the comm ends."""

    __slots__ = ("_is_given_back", "_link")

    def __init__(self, link: Link) -> None:
        self._link = link
        self._is_given_back = False

    def __del__(self) -> None:
        if not self._is_given_back:  # a comm that was dropped unclosed
            self._link.give_back_later()

    @property
    def connection(self) -> Connection:
        """The connection."""
        return self._link.connection

    @property
    def link(self) -> Link:
        """The link that this is a part of."""
        return self._link

    def release(self) -> None:
        """Give it back; may be repeated."""
        if not self._is_given_back:
            self._is_given_back = True
            self._link.give_back()


@dataclass(frozen=True)
class Key:
    """What a connection leads to: an address, proved by a certificate and with one."""

    host: str
    port: int
    tls: AnyTLS


class _Dial:
    """A connection that is being made, for all who wait for it; cancelled when nobody does any more."""

    def __init__(self, task: asyncio.Task[Link]) -> None:
        self._task = task
        self._waiting = 0
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # somebody has looked

    async def join(self) -> Link:
        """Wait for the link. Raises what kept it from opening."""
        self._waiting += 1
        try:
            return await asyncio.shield(self._task)
        finally:
            self._waiting -= 1
            if self._waiting == 0:
                self._task.cancel()


class Pool:
    """The links of one event loop by where they lead.

    A link that this process opened is closed once it was unused for LINGER; one that the peer opened is the
    peer's to close. At the pool's end, and that of the loop, what is left is aborted.

    Invariant: every link in `_links` was usable when it came in, and leaves when its connection is over or
    somebody had no answer over it; `_dials` are connections being made, for keys that have no usable link.
    """

    def __init__(self) -> None:
        self._links: dict[Key, Link] = {}
        self._dials: dict[Key, _Dial] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[Link, asyncio.TimerHandle] = {}
        self.takers: dict[Address, tuple[AnyTLS, Taker]] = {}  # of the listeners, by their contact address

    @classmethod
    def current(cls) -> Self:
        """The pool of the running loop. Those of closed loops are dropped meanwhile."""
        for other in [loop for loop in _pools if loop.is_closed()]:
            del _pools[other]
        loop = asyncio.get_running_loop()
        if loop not in _pools:
            _pools[loop] = cls()
        pool = _pools[loop]
        assert isinstance(pool, cls)
        return pool

    @property
    def links(self) -> tuple[Link, ...]:
        """The links that lead somewhere."""
        return tuple(self._links.values())

    @property
    def keys(self) -> tuple[Key, ...]:
        """Where they lead, in the same order."""
        return tuple(self._links)

    async def acquire(self, key: Key) -> Lease:
        """A lease of the connection to an address, which is opened if there is none.

        Raises as `fastmux.connect`. Cancelled, the connection goes on if somebody else waits for it.
        """
        link = self._links.get(key)
        if link is None or link.connection.is_closed:
            dial = self._dials.get(key)
            if dial is None:
                task = asyncio.create_task(self._open(key), name="fastmux dask dial")
                dial = self._dials[key] = _Dial(task)
            link = await dial.join()
        timer = self._timers.pop(link, None)
        if timer is not None:
            timer.cancel()
        return link.lease()

    def add(self, key: Key, link: Link) -> None:
        """The peer's own connection leads to an address, too: for whoever wants to go there next."""
        known = self._links.get(key)
        if known is None or known.connection.is_closed:
            self._links[key] = link

    def forget(self, link: Link) -> None:
        """Open nothing more over this link: whoever asked had no answer. Its comms go on."""
        for key in [key for key, known in self._links.items() if known is link]:
            del self._links[key]

    def announced(self, tls: AnyTLS) -> tuple[Address | None, Taker | None]:
        """Where this process is reached by a connection with these certificates, and who takes what comes.

        Nowhere if it has more than one listener: which of them the opener speaks for, nobody says.
        """
        if len(self.takers) == 1:
            ((address, (its_tls, taker)),) = self.takers.items()
            if its_tls == tls:
                return address, taker
        return None, None

    @property
    def tls(self) -> AnyTLS | None:
        """What a listener of this loop uses; None if there is none, or they differ."""
        known = {tls for tls, _ in self.takers.values()}
        return known.pop() if len(known) == 1 else None

    async def _open(self, key: Key) -> Link:
        try:
            connection = await fastmux.connect(
                key.host, key.port, tls=key.tls, open_timeout=None, **settings()
            )
        finally:
            del self._dials[key]
        link = Link(connection)
        link.watch(self._on_unused)
        self._links[key] = link
        task = asyncio.create_task(self._serve(link, key.tls), name="fastmux dask link")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._close_in(LINGER, link)  # whoever waits for it takes a lease before
        return link

    async def _serve(self, link: Link, tls: AnyTLS) -> None:
        """Until its connection ends, or the loop does: then it is aborted, so that the peer need not wait."""

        connection = link.connection

        def take(link: Link, stream: Stream) -> None:
            taker = self.announced(tls)[1]
            if taker is None:
                stream.reset(c.REFUSED)
            else:
                taker(link, stream)

        try:
            await link.serve(take)
            await connection.wait_closed()
        except asyncio.CancelledError:
            connection.abort()
            raise
        finally:
            self.forget(link)
            timer = self._timers.pop(link, None)
            if timer is not None:
                timer.cancel()

    def close_unused(self) -> None:
        """Close what nobody uses, without waiting."""
        for link in set(self._links.values()) & self._timers.keys():
            self._timers[link].cancel()
            self._close_unused(link)

    def _on_unused(self, link: Link) -> None:
        """Close it in a while; at once, if nothing here is in use: the program may be about to end."""
        is_busy = self.takers or self._dials or any(other.leases for other in self._links.values())
        self._close_in(_seconds("linger", LINGER) if is_busy else 0.0, link)

    def _close_in(self, delay: float, link: Link) -> None:
        if not link.connection.is_closed and link not in self._timers:
            self._timers[link] = asyncio.get_running_loop().call_later(delay, self._close_unused, link)

    def _close_unused(self, link: Link) -> None:
        del self._timers[link]
        if link.leases == 0:
            logger.debug("closing %r: nobody uses it", link)
            self.forget(link)
            link.connection.close()


_pools: Final[dict[asyncio.AbstractEventLoop, Pool]] = {}
