"""Moves trains between a transport and a sans-IO endpoint, and time and events to whom they concern.

Owns: the loop's turn: what is read, in which order connections are driven, the one timer, and the flush for
what the application wrote: one a turn, and one more behind every WRITES_PER_FLUSH writes. May not know: what
is in a packet, what a channel is.

Per turn: at most 256 trains or 2 ms, then the tasks that these woke, then the event loop gets its turn. After
each call that received (TRAINS_PER_CALL trains at most) the connections touched are driven, so that their one
ACK leaves early. Where little came, and the tasks are quick, it leaves behind them instead, in one packet
with what they wrote and the credit for what they read: half as many packets, and turns of the peer.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol, cast

from fastmux import constants as c
from fastmux.aio import forks
from fastmux.aio.buffers import send_buffer
from fastmux.aio.busy_polling import busy_polling
from fastmux.aio.clock import clock_of
from fastmux.aio.local_paths import LocalPaths
from fastmux.aio.loop import Handle, Loop
from fastmux.aio.loop_end import LoopEnd
from fastmux.aio.open_transport import open_transport
from fastmux.aio.transport import TRAINS_PER_CALL, TrainTransport
from fastmux.aio.wakeups import wakeups_of
from fastmux.constants import (
    BLOCKED_INTERVAL,
    K_GRANULARITY,
    MAX_PLPMTU,
    MAX_QUICK_TIME,
    MAX_TRAINS_PER_WAKEUP,
    MAX_WAKEUP_TIME,
    SMALL_READING,
    WRITES_PER_FLUSH,
)
from fastmux.exceptions import ConnectionClosed
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection as ProtocolConnection
from fastmux.protocol.connection_ids import reset_key_of
from fastmux.protocol.endpoint import Endpoint
from fastmux.protocol.events import Address, Closed, Event
from fastmux.protocol.handshake import Handshake

logger = logging.getLogger("fastmux.socket")

_NEVER: Final = float("inf")


class EventSink(Protocol):
    """Who takes a connection's events: its `user_data`."""

    def handle_event(self, event: Event) -> None:
        """Take one event; must not run user code."""
        ...


class Driver:
    """One transport with its endpoint on one event loop.

    `accept` makes the server's side of a handshake (None: it only connects); `on_accepted` gets each accepted
    connection once it is open and must give it a `user_data`; `on_refused` those that failed before that.
    `clock` is by default that of the loop (`aio/clock.py`).

    Invariant: `_is_scheduled` is True while a flush waits in the loop, or follows the tasks that are being
    resumed; every connection that still has something to send, because time was up, the transport blocked
    or tasks go first, is in `_unsent`. `_timer` fires at `_timer_at`, never later than the endpoint's
    deadline (but for the granularity), perhaps earlier. `_writes` counts those since the last flush.
    """

    def __init__(
        self,
        transport: TrainTransport,
        configuration: Configuration,
        *,
        accept: Callable[[], Handshake] | None = None,
        on_accepted: Callable[[ProtocolConnection], None] | None = None,
        on_refused: Callable[[Address, ConnectionError], None] | None = None,
        clock: Callable[[], float] | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
        loop: Loop | None = None,
    ) -> None:
        self.loop: Loop = asyncio.get_running_loop() if loop is None else loop
        if transport.may_fragment:
            limit = min(configuration.max_datagram_size, MAX_PLPMTU)
            configuration = replace(configuration, max_datagram_size=limit)
        if configuration.reset_key is not None:  # two sockets must not give each other's connections away
            key = reset_key_of(configuration.reset_key, transport.sockname)
            configuration = replace(configuration, reset_key=key)
        self.wakeups = wakeups_of(self.loop)
        self.clock = clock_of(self.loop) if clock is None else clock
        self.configuration = configuration
        self.endpoint = Endpoint(configuration, random_bytes=random_bytes, accept=accept)
        self._on_accepted = on_accepted
        self._on_refused = on_refused
        self._buffer = send_buffer()
        self._unsent: dict[ProtocolConnection, None] = {}
        self._is_scheduled = False
        self._writes = 0
        self._is_followed = False
        self._are_tasks_quick = False  # before any has run nobody knows
        self._timer: Handle | None = None
        self._timer_at = _NEVER
        self._looked_at = -_NEVER
        self._closes_when_idle = False
        self.is_closed = False
        self.is_forsaken = False
        self.paths = LocalPaths(transport, self._start)
        self._loop_end = self._at_loop_end(self._on_loop_end)
        forks.watch(self)

    def _start(self, transport: TrainTransport, via: int) -> None:
        read = functools.partial(self._on_readable, transport, via)
        on_readable = busy_polling(self.loop, self.configuration.busy_poll_time, read)
        transport.start(on_readable, self._schedule_flush, functools.partial(self._on_lost, transport))

    @staticmethod
    def _at_loop_end(callback: Callable[[], object]) -> Handle:
        return LoopEnd(callback)

    @property
    def transport(self) -> TrainTransport:
        """The one that is in use."""
        return self.paths.transport

    async def open_transport(self, family: int, local: tuple[object, ...] | None) -> TrainTransport:
        """One more socket, for a client that moves. Raises OSError if the address cannot be bound."""
        return await open_transport(family, local)

    def connect(self, address: Address, handshake: Handshake) -> ProtocolConnection:
        """Begin a connection. Raises `HandshakeError` if the handshake cannot begin."""
        connection = self.endpoint.connect(address, handshake, self.clock())
        self._schedule_flush()
        return connection

    # --- the application's side -------------------------------------------------------------------------

    def schedule(self, connection: ProtocolConnection) -> None:
        """The application did something with a connection: drive it in the loop's next turn."""
        if connection not in self.endpoint.touched:
            self.endpoint.touch(connection)
        if not self._is_scheduled:
            self._schedule_flush()

    def wrote(self, connection: ProtocolConnection) -> None:
        """As `schedule`, for data. Many leave at once: the peer works on them while tasks here write."""
        self.schedule(connection)
        self._writes += 1
        if self._writes >= WRITES_PER_FLUSH and not self.is_closed:
            self._writes = 0
            now = self.clock()
            self._drive(now, now + MAX_WAKEUP_TIME)

    def follow(self) -> None:
        """Tasks are being made that will write: flush behind their first step, too."""
        self._is_followed = True
        self._schedule_flush()

    def _schedule_flush(self) -> None:
        if not self._is_scheduled and not self.is_closed:
            self._is_scheduled = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_scheduled = False
        self._writes = 0
        if self.is_closed:
            return
        if self._unsent:
            unsent, self._unsent = self._unsent, {}
            for connection in unsent:
                self.endpoint.touch(connection)
        now = self.clock()
        self._drive(now, now + MAX_WAKEUP_TIME)
        self._arm_timer(now)

    # --- the network's side -----------------------------------------------------------------------------

    def _on_readable(self, transport: TrainTransport, via: int) -> None:
        wakeups = self.wakeups
        wakeups.begin()
        try:
            now = self._read(transport, via)
        finally:
            goes_on = wakeups.end() or bool(self._unsent)
            if goes_on:
                self._resume()
        if not goes_on and not self.is_closed:
            self._arm_timer(now)

    def _read(self, transport: TrainTransport, via: int) -> float:
        """Take what waits and see to the connections that it concerns. Returns the time."""
        endpoint = self.endpoint
        buffer = transport.buffer
        now = self.clock()
        until = now + MAX_WAKEUP_TIME
        for _ in range(MAX_TRAINS_PER_WAKEUP // TRAINS_PER_CALL):
            rows = transport.receive()
            for start, size, segment_size, address in rows:
                endpoint.receive(buffer[start:] if start else buffer, size, segment_size, address, now, via)
            is_last = not rows or transport.is_drained
            tasks_first = is_last and self._are_tasks_quick and len(rows) <= SMALL_READING
            self._drive(now, until, tasks_first=tasks_first)
            if self.is_closed or is_last:
                break
            now = self.clock()
            if now >= until:
                break
        return now

    def _resume(self) -> None:
        """Let the tasks that were woken go on, and send what they wrote, in this turn of the loop."""
        self._is_scheduled = True
        self._is_followed = False
        began_at = self.clock()
        try:
            self.wakeups.resume()
        finally:
            self._are_tasks_quick = self.clock() - began_at < MAX_QUICK_TIME
            self._flush()
            if self._is_followed:
                self._schedule_flush()

    # --- time --------------------------------------------------------------------------------------

    def _arm_timer(self, now: float) -> None:
        """Have the timer fire in time.

        A deadline that moved later costs nothing: the timer looks again. While turns follow each other
        closely deadlines are not even asked for: the timer ticks, as it is no finer than that anyway.
        """
        if self._timer_at <= now + K_GRANULARITY:
            return
        # while nothing can be sent a deadline that has passed stays where it is; room brings a flush
        at = now + (BLOCKED_INTERVAL if self.transport.is_blocked else K_GRANULARITY)
        if now >= self._looked_at + K_GRANULARITY:
            self._looked_at = now
            deadline = self.endpoint.deadline()
            if deadline is None or deadline >= self._timer_at:
                return
            at = max(deadline, at)
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self.loop.call_later(at - now, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = _NEVER
        now = self.clock()
        try:
            self.endpoint.handle_timeout(now)
            self._drive(now, now + MAX_WAKEUP_TIME)
        finally:
            if self._closes_when_idle and self.endpoint.connections == 0:
                self.close()
            else:
                self._arm_timer(now)

    # --- driving ------------------------------------------------------------------------------------

    def _drive(self, now: float, until: float, *, tasks_first: bool = False) -> None:
        """Hand out events, then send what the touched connections have, until `until`.

        `tasks_first` leaves those that had events to the flush behind the tasks that are woken.
        """
        endpoint = self.endpoint
        if endpoint.accepted:
            self._welcome()
        touched = endpoint.take_touched()
        try:
            for connection in touched:
                if self.hand_out(connection):
                    if not self.wakeups.is_open:
                        # behind the tasks just woken: what they write leaves in the same turn of the loop
                        self._schedule_flush()
                    elif tasks_first and connection.is_steady:
                        self._unsent[connection] = None
                        continue
                    if not connection.wants_transmit(now):
                        continue
                self._transmit(connection, now, until)
        except Exception:
            self._give_up(connection, touched)
            raise
        if endpoint.touched:  # sending can end a connection (a graceful close that is done, a used-up key)
            for connection in endpoint.take_touched():
                self.hand_out(connection)
                self._unsent[connection] = None
                self._schedule_flush()
        if endpoint.answers.waiting:
            self._send_answers(now)

    def _give_up(self, faulty: ProtocolConnection, touched: Iterable[ProtocolConnection]) -> None:
        """A fault of ours in one connection ends it, as a stranger to its peer; the others go on."""
        for connection in touched:
            if connection is not faulty:
                self._unsent[connection] = None
        self._schedule_flush()
        faulty.abandon(ConnectionClosed(c.INTERNAL, "a fault in fastmux, see the log"), self.clock())
        self.hand_out(faulty)

    def _welcome(self) -> None:
        for connection in self.endpoint.take_accepted():
            if self._on_accepted is not None:
                self._on_accepted(connection)

    def _send_answers(self, now: float) -> None:
        answer = self.endpoint.transmit(self._buffer, now)
        while answer is not None and not self.transport.is_blocked:
            self.transport.send(self._buffer, answer.size, answer.segment_size, answer.address)
            answer = self.endpoint.transmit(self._buffer, now)

    def hand_out(self, connection: ProtocolConnection) -> bool:
        """Give a connection's events to its sink. True if there were any."""
        event = connection.next_event()
        if event is None:
            return False
        while event is not None:
            sink = cast(EventSink | None, connection.user_data)
            if sink is not None:
                sink.handle_event(event)
            elif isinstance(event, Closed) and self._on_refused is not None:
                self._on_refused(connection.address, event.error)
            event = connection.next_event()
        return True

    def _transmit(self, connection: ProtocolConnection, now: float, until: float) -> None:
        paths = self.paths
        transport = paths.transport
        while not transport.is_blocked:
            train = connection.transmit(self._buffer, now)
            if train is None:
                return
            way = transport if train.via == paths.via else paths.get(train.via)
            if way is not None and not way.is_blocked:
                way.send(self._buffer, train.size, train.segment_size, train.address)
            if not train.has_more:
                return
            now = self.clock()
            if now >= until:
                self._schedule_flush()
                break
        self._unsent[connection] = None

    # --- the end ------------------------------------------------------------------------------------

    def close_when_idle(self) -> None:
        """Close as soon as no connection has to answer stragglers any more."""
        self._closes_when_idle = True
        if self.is_closed:
            return
        if self.endpoint.connections == 0:
            self.loop.call_soon(self.close)

    def _on_loop_end(self) -> None:
        """Nothing more can be waited for: tell every peer, and go."""
        now = self.clock()
        self.endpoint.close(c.CANCELLED, "the program ends", now)
        self.close()

    def _on_lost(self, transport: TrainTransport, error: OSError) -> None:
        """A socket was closed by somebody else. Without the one in use nothing can be sent any more."""
        if self.paths.lose(transport) and not self.is_closed:
            host, port = transport.sockname[:2]
            count = self.endpoint.connections
            logger.error("the socket at %s port %d is gone, %d connections end: %s", host, port, count, error)
            self._abandon(f"the socket at {host} port {port} is gone: {error.strerror}")
            self.close()

    def _abandon(self, reason: str) -> None:
        """End every connection here, without a word to its peer."""
        self.endpoint.abandon(ConnectionClosed(c.INTERNAL, reason), self.clock())
        for connection in self.endpoint.take_touched():
            self.hand_out(connection)

    def close(self) -> None:
        """Send what may go at once and free the transport; may be called twice."""
        if self.is_closed:
            return
        try:
            self._flush()
        finally:  # a fault that is met now must not keep the sockets open
            self.is_closed = True
            self._loop_end.cancel()
            if self._timer is not None:
                self._timer.cancel()
            self._unsent.clear()
            self.paths.close()

    def forsake(self) -> None:
        """In a child of fork: all of this is the parent's. Nothing is sent, and who waits here is told.

        The selector is not touched, for the parent's loop watches by the same one.
        """
        if self.is_closed:
            return
        self.is_closed = self.is_forsaken = True
        self._loop_end.cancel()
        self.paths.forsake()
        self._unsent.clear()
        for connection in self.endpoint.forsake():
            error, sink = connection.forsake(), cast(EventSink | None, connection.user_data)
            if error is not None and sink is not None:
                with suppress(RuntimeError):  # its loop is closed, or another thread's: nobody waits here
                    sink.handle_event(Closed(error))
