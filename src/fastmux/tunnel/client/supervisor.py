"""The client's connection, kept open: connects, notices loss and sleep, and connects again.

Owns: when to try, how long to wait, and which connection is the current one. May not know: what the
connection carries.

A peer that was restarted does not say so. So the supervisor looks every `HEARTBEAT_INTERVAL` seconds whether
a ping is answered, and tries a second connection beside a silent one: if that opens while the first is still
silent, it takes its place. A network that is away for a while therefore costs nothing: neither answers, and
the first goes on when it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from fastmux.aio.connection import Connection
from fastmux.exceptions import AuthenticationError, ClosedResourceError, ConnectionClosed
from fastmux.tunnel import constants as c
from fastmux.tunnel.control.status import address_text
from fastmux.tunnel.exits import command_error

logger = logging.getLogger("fastmux.tunnel.supervisor")

_TICK: Final = 1.0  # seconds between looks at the clocks, to notice that the machine slept


def suspended_seconds() -> float:
    """How long the machine slept so far, up to a constant: what the monotonic clock does not count."""
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    awake = time.clock_gettime(time.CLOCK_MONOTONIC) if boot_time is not None else time.monotonic()
    return (time.time() if boot_time is None else time.clock_gettime(boot_time)) - awake


class Backoff:
    """Full jitter: each delay is drawn from nothing to a limit that doubles, in seconds."""

    def __init__(self, limit: float, draw: Callable[[], float] = random.random) -> None:
        """`limit` is the longest delay; `draw` gives numbers from 0 to 1."""
        self._limit = limit
        self._draw = draw
        self._count = 0

    def reset(self) -> None:
        """The trouble is over: the next delay is short again."""
        self._count = 0

    def next_delay(self) -> float:
        """How long to wait now."""
        ceiling = min(self._limit, c.RETRY_BASE * 2.0 ** min(self._count, 32))
        self._count += 1
        return ceiling * self._draw()


class Supervisor:
    """Keeps one connection open until it is cancelled. `run` in a task; any number may `get_connection`.

    `connection` is the open one, None while there is none; `state` says "connecting", "open", "waiting" (for
    the next attempt) or "closed"; `reconnects` counts the connections after the first.

    Invariant: `_waiters` are the futures of those who wait for a connection; it is empty while one is open.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        *,
        retry_max: float = c.DEFAULT_RETRY_MAX,
        on_open: Callable[[Connection], None] = lambda _: None,
        draw: Callable[[], float] = random.random,
        suspended: Callable[[], float] = suspended_seconds,
    ) -> None:
        """`connect` makes one attempt with a time limit of its own; `on_open` is told each new connection."""
        self._connect = connect
        self._on_open = on_open
        self._backoff = Backoff(retry_max, draw)
        self._suspended = suspended
        self._waiters: set[asyncio.Future[None]] = set()
        self._woke = asyncio.Event()
        self._opened_count = 0
        self._has_held = False
        self._is_closed = False
        self.state = "connecting"
        self.connection: Connection | None = None
        self.last_error = ""

    @property
    def reconnects(self) -> int:
        """How many connections came after the first."""
        return max(0, self._opened_count - 1)

    async def get_connection(self) -> Connection:
        """The open connection; waits while there is none. Raises ConnectionError once this is closed."""
        while True:
            if self._is_closed:
                raise ConnectionError("the tunnel is closed")
            if self.connection is not None and not self.connection.is_closed:
                return self.connection
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)

    async def run(self) -> None:
        """Keep a connection open until cancelled.

        Raises `AuthenticationError`, or ConnectionClosed if the server refuses this identity, only while no
        connection ever held; ValueError for certificate files that are of no use.
        """
        watching = asyncio.create_task(self._watch_clock(), name="fastmux clock")
        try:
            while not self._is_closed:
                connection = await self._open()
                if connection is not None:
                    await self._hold(connection)
                await self._pause()
        finally:
            self.close()
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    def close(self) -> None:
        """No further connection: those who wait for one get ConnectionError. The open one is left open."""
        self._is_closed = True
        self.state = "closed"
        self._wake_waiters()

    # --- one connection -------------------------------------------------------------------------------

    async def _open(self) -> Connection | None:
        """One attempt; None if it failed."""
        self.state = "connecting"
        try:
            return await self._connect()
        except OSError as error:
            self._failed(error)
            return None

    def _failed(self, error: OSError) -> None:
        """Log a failure. Raises it if nothing will come of trying again."""
        self.last_error = str(command_error(error) or error)
        if isinstance(error, AuthenticationError) or _is_refusal(error):
            if not self._has_held:
                raise error
            logger.error("the server no longer takes us, trying again: %s", self.last_error)
        else:
            logger.warning("no connection: %s", self.last_error)

    async def _hold(self, connection: Connection) -> None:
        """Use a connection until it is over, or another took its place."""
        loop = asyncio.get_running_loop()
        current: Connection | None = connection
        while current is not None:
            opened_at = loop.time()
            self._take(current)
            try:
                successor = await self._watch(current)
            finally:
                self.connection = None
                current.abort()
            if loop.time() - opened_at >= c.STABLE_PERIOD:
                self._backoff.reset()
            current = successor

    def _take(self, connection: Connection) -> None:
        self.connection = connection
        self.state = "open"
        where = address_text(connection.get_extra_info("peername"))
        logger.info("connected to %s%s", where, " again" if self._opened_count else "")
        self._opened_count += 1
        self._on_open(connection)
        self._wake_waiters()

    def _wake_waiters(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def _watch(self, connection: Connection) -> Connection | None:
        """Wait until the connection is over; returns the one that takes its place, if one does."""
        closed = asyncio.create_task(connection.wait_closed(), name="fastmux end of the connection")
        searching = asyncio.create_task(self._find_successor(connection), name="fastmux heartbeat")
        found: Connection | None = None
        try:
            await asyncio.wait((closed, searching), return_when=asyncio.FIRST_COMPLETED)
            if not connection.is_closed:
                found = searching.result()
        finally:
            for task in (closed, searching):
                task.cancel()
            _, late = await asyncio.gather(closed, searching, return_exceptions=True)
            if isinstance(late, Connection) and late is not found:
                late.abort()
        if found is None:
            self._ended(await _reason_of(connection))
        else:
            logger.warning("the server does not know the connection any more: a new one takes its place")
            self._has_held = True
        return found

    def _ended(self, reason: ConnectionError) -> None:
        if _is_refusal(reason):
            self._failed(reason)  # raises if no connection ever held
        else:
            self._has_held = True
            self.last_error = str(command_error(reason) or reason)
            logger.warning("the connection is lost: %s", self.last_error)

    async def _find_successor(self, connection: Connection) -> Connection:
        """Look after a connection; returns another one as soon as only that answers."""
        while True:
            if await _answers(connection):
                # A server that refuses this identity says so before it could answer.
                self._has_held = self._has_held or not connection.is_closed
                await self._sleep(c.HEARTBEAT_INTERVAL)
                continue
            before = connection.stats.packets_received
            try:
                successor = await self._connect()
            except OSError as error:
                logger.info(
                    "the server is silent and cannot be reached anew: %s", command_error(error) or error
                )
                await self._sleep(c.HEARTBEAT_INTERVAL)
                continue
            if connection.stats.packets_received == before:
                return successor
            await successor.aclose()

    # --- time -----------------------------------------------------------------------------------------

    async def _pause(self) -> None:
        """Wait before the next attempt, not longer than until the machine wakes up from sleep."""
        delay = self._backoff.next_delay()
        self.state = "waiting"
        logger.info("the next attempt is in %.1f s", delay)
        await self._sleep(delay)

    async def _sleep(self, seconds: float) -> None:
        """Sleep; waking up from sleep of the machine ends it."""
        self._woke.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woke.wait()

    async def _watch_clock(self) -> None:
        before = self._suspended()
        while True:
            await asyncio.sleep(_TICK)
            now = self._suspended()
            if now - before > c.SUSPEND_THRESHOLD:
                logger.info("this machine slept for %.0f s: looking at the connection at once", now - before)
                self._backoff.reset()
                self._woke.set()
            before = now


async def _answers(connection: Connection) -> bool:
    """Whether anything comes from the peer within the time that a ping and its answer may take."""
    before = connection.stats
    limit = max(c.HEARTBEAT_TIMEOUT, c.HEARTBEAT_RTTS * before.rtt)
    try:
        async with asyncio.timeout(limit):
            await connection.ping()
    except TimeoutError:
        return connection.stats.packets_received != before.packets_received
    except (ConnectionError, ClosedResourceError):
        await connection.wait_closed()
    return True


def _is_refusal(error: Exception) -> bool:
    """Whether the server's access rules are why a connection ended."""
    return isinstance(error, ConnectionClosed) and error.remote and error.code == c.ACCESS_DENIED


async def _reason_of(connection: Connection) -> ConnectionError:
    """Why a connection is over."""
    try:
        await connection.open_stream()
    except ConnectionError as error:
        return error
    except ClosedResourceError as error:
        return ConnectionError(str(error))
    raise AssertionError("a connection that is over took a stream")
