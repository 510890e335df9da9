"""One end of the simulated connection: its application, which follows a plan.

Owns: channels opened and accepted, datagrams, pings, what an event means to the application. May not know:
faults, the other end (but for the flows that both tell what they see).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ClosedResourceError, HandshakeError, WouldBlock
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import (
    ChannelsAvailable,
    ChannelsReady,
    Closed,
    DatagramsReceived,
    Event,
    Opened,
    PingAcknowledged,
)
from sim.actors import Reader, Writer
from sim.clockwork import Clockwork
from sim.model import DatagramFlow, Flow, Wrong
from sim.plan import ALWAYS_FITS, ChannelPlan, SidePlan

ROUNDING_SIZE = 8192  # of a stream: its first and last block need not be full
Flows = dict[tuple[int, int], Flow]  # by number of the channel and role of the sender


class ChannelUser:
    """The application's part of one channel. `is_released` at the end of it."""

    def __init__(self, side: Side, channel_id: int, plan: ChannelPlan, flows: Flows) -> None:
        self.id = channel_id
        self.is_released = False
        self._side = side
        self._plan = plan
        self._is_done = False
        place = 0 if plan.opener == side.role else 1
        out, incoming = flows[plan.number, side.role], flows[plan.number, 1 - side.role]
        self.writer = Writer(side, channel_id, plan.writing[place], out, self._on_writer_over)
        self.reader = Reader(side, channel_id, plan.reading[place], incoming, self._release_if_due)
        abandoned = plan.abandoned[place]
        if abandoned is not None:
            side.call_after(abandoned, self._abandon)
        for change in plan.changes[place]:
            side.call_after(change.after, partial(self._set_priority, change.priority))

    def on_ready(self, flags: int) -> None:
        """Act on READY_* flags."""
        self._is_done = self._is_done or bool(flags & c.READY_DONE)
        self.writer.on_ready(flags)
        if not self.is_released:
            self.reader.on_ready(flags)
        if not self.is_released:
            self._release_if_due()

    def _set_priority(self, priority: int) -> None:
        if not self.is_released:
            self._side.data_path.set_priority(self.id, priority)

    def _on_writer_over(self) -> None:
        self._side.writers_left -= 1
        self._release_if_due()

    def _release_if_due(self) -> None:
        if self.writer.is_over and self.reader.is_over and (self._is_done or self._plan.release_at_once):
            self._release()

    def _abandon(self) -> None:
        if self.is_released:
            return
        if not self.writer.is_over:
            self.writer.give_up()
            self._side.writers_left -= 1
            if not self.writer.flow.finished:
                self.writer.flow.reset(c.CANCELLED)
        if not self.reader.is_over:
            self.reader.give_up()
            self.reader.flow.stop(c.CANCELLED)
        self._release()

    def _release(self) -> None:
        if not self.is_released:
            self.is_released = True
            self._side.on_released(self.id)


class Side:
    """One end. Invariant: every channel of the plan is in `to_open` or `to_accept` until it is here."""

    def __init__(
        self, world: Clockwork, role: int, plan: SidePlan, channels: tuple[ChannelPlan, ...], flows: Flows
    ) -> None:
        self.role = role
        self.connection: Connection | None = None
        self.is_open = False
        self.closed: ConnectionError | None = None
        self.users: dict[int, ChannelUser] = {}
        self.to_open = [channel for channel in channels if channel.opener == role]
        self.to_accept = {channel.label: channel for channel in channels if channel.opener != role}
        self.writers_left = len(channels)
        self.datagrams_out = self._make_datagrams()
        self.datagrams_in: DatagramFlow | None = None  # the other end's
        self.pings_left = 0
        self.on_open: Callable[[], None] | None = None
        self._keeps_data = False  # after Closed
        self._world = world
        self._plan = plan
        self.flows = flows
        self._waits_for_limit: dict[int, list[ChannelPlan]] = {c.KIND_STREAM: [], c.KIND_MESSAGE: []}
        self._released: set[int] = set()
        self._pings: set[int] = set()
        # docs/architecture.md, Memory: what a peer within its credit can make this end hold.
        message_size = plan.configuration.max_message_size + c.FRAGMENT_UNIT
        self.held_limit = plan.configuration.budget + message_size + len(channels) * ROUNDING_SIZE

    # --- for the actors ----------------------------------------------------------------------------

    @property
    def configuration(self) -> Configuration:
        """The settings of this end."""
        return self._plan.configuration

    @property
    def data_path(self) -> core.DataPath:
        """The connection's channels."""
        return self._connection.data_path

    @property
    def now(self) -> float:
        """The time."""
        return self._world.now

    @property
    def write_limit(self) -> int:
        """Unsent bytes at which a writer waits."""
        return self._plan.configuration.write_limit

    def call_after(self, delay: float, action: Callable[[], None]) -> None:
        """Act later, unless the connection is over by then."""

        def act() -> None:
            if self.closed is None:
                action()
                self._connection.touch()

        self._world.call_after(delay, act)

    def on_released(self, channel_id: int) -> None:
        """The application lets a channel go."""
        del self.users[channel_id]
        self._released.add(channel_id)
        self.data_path.release(channel_id)

    @property
    def is_done(self) -> bool:
        """True if this end has nothing left to do or to wait for."""
        return (
            self.is_open
            and not (self.users or self.to_open or self.to_accept or self.pings_left)
            and not any(self._waits_for_limit.values())
        )

    @property
    def key_updates(self) -> int:
        """How often both directions have changed keys."""
        return self._connection.statistics().key_updates

    @property
    def migrations(self) -> int:
        """How often the connection went on by another path."""
        return self._connection.statistics().migrations

    def discard(self) -> None:
        """After Closed: free what the connection still keeps for reading."""
        if self._keeps_data:
            self._keeps_data = False
            self._connection.discard()

    @property
    def _connection(self) -> Connection:
        if self.connection is None:
            raise Wrong(f"end {self.role} has no connection")
        return self.connection

    # --- events -------------------------------------------------------------------------------------

    def on_event(self, connection: Connection, event: Event) -> None:
        """Act on an event of the connection."""
        if self.connection is None and isinstance(event, Opened):
            self.connection = connection
        if connection is not self.connection:
            self._on_other(event)
            return
        if self.closed is not None or not (self.is_open or isinstance(event, Opened | Closed)):
            raise Wrong(f"end {self.role}: {event} {'after Closed' if self.closed else 'before Opened'}")
        if not isinstance(event, Closed) and not self._is_usable():
            self.is_open = True
            return  # it came before this end closed, and is heard of only now
        match event:
            case ChannelsReady(ready):
                self._on_ready(ready)
            case Opened():
                self._open()
            case ChannelsAvailable():
                self._try_again()
            case DatagramsReceived(datagrams):
                self._on_datagrams(datagrams)
            case PingAcknowledged(token, round_trip):
                self._on_ping(token, round_trip)
            case Closed(error):
                self._on_closed(error)
                return
        held_size = self.data_path.held_size
        if held_size > self.held_limit:
            raise Wrong(f"end {self.role} holds {held_size} bytes, more than {self.held_limit}")
        connection.touch()

    def _on_other(self, event: Event) -> None:
        """Another connection: begun by a copy of the client's first packets, it never comes to be."""
        if not (isinstance(event, Closed) and isinstance(event.error, HandshakeError)):
            raise Wrong(f"end {self.role}: {event} of a connection that nobody began")

    def _is_usable(self) -> bool:
        try:
            return self.data_path.channel_count >= 0
        except ClosedResourceError:
            return False

    def _on_ready(self, ready: list[tuple[int, int]]) -> None:
        for channel_id, flags in ready:
            user = self.users.get(channel_id)
            if user is None:
                if channel_id in self._released:
                    continue
                user = self._accept(channel_id, flags)
            user.on_ready(flags)

    def _accept(self, channel_id: int, flags: int) -> ChannelUser:
        if not flags & c.READY_OPENED:
            raise Wrong(f"end {self.role}: flags {flags:#x} of channel {channel_id}, which was not opened")
        return self._use(channel_id, self._planned(channel_id, self.data_path.open_fields(channel_id).label))

    def _planned(self, channel_id: int, label: bytes) -> ChannelPlan:
        """What the plan says of a channel that the peer has opened."""
        fields = self.data_path.open_fields(channel_id)
        plan = self.to_accept.pop(label, None)
        if plan is None:
            raise Wrong(f"end {self.role}: a channel {fields} that nobody opened, or twice")
        expected = (plan.priority, plan.ordered, plan.reliability, plan.value)
        if fields[1:] != expected or channel_id & 3 != plan.kind << 1 | plan.opener:
            raise Wrong(f"end {self.role}: channel {channel_id} {fields}, not {plan}")
        return plan

    def _make_datagrams(self) -> DatagramFlow:
        return DatagramFlow(f"datagrams from {self.role}", ALWAYS_FITS)

    def _use(self, channel_id: int, plan: ChannelPlan) -> ChannelUser:
        user = self.users[channel_id] = ChannelUser(self, channel_id, plan, self.flows)
        return user

    def _open(self) -> None:
        if self.is_open:
            raise Wrong(f"end {self.role} opened twice")
        self.is_open = True
        for channel in list(self.to_open):
            self.call_after(channel.open_after, partial(self._open_channel, channel))
        for datagrams in self._plan.datagrams:
            self.call_after(datagrams.after, partial(self._send_datagrams, datagrams.sizes))
        self.pings_left = len(self._plan.pings)
        for after in self._plan.pings:
            self.call_after(after, self._ping)
        if self.on_open is not None:
            self.on_open()

    def _open_channel(self, plan: ChannelPlan) -> None:
        waiting = self._waits_for_limit[plan.kind]
        if waiting or not self._open_now(plan):
            waiting.append(plan)

    def _open_now(self, plan: ChannelPlan) -> bool:
        try:
            channel_id = self.data_path.open(
                plan.kind, plan.label, plan.priority, plan.ordered, plan.reliability, plan.value
            )
        except WouldBlock:
            return False
        self.to_open.remove(plan)
        self._use(channel_id, plan)
        return True

    def _try_again(self) -> None:
        for waiting in self._waits_for_limit.values():
            while waiting and self._open_now(waiting[0]):
                del waiting[0]

    def _send_datagrams(self, sizes: tuple[int, ...]) -> None:
        for size in sizes:
            data = self.datagrams_out.next_message(size)
            if not self.data_path.send_datagram(data):
                self.datagrams_out.take_back(data)

    def _on_datagrams(self, datagrams: list[bytes]) -> None:
        if self.datagrams_in is None:
            raise Wrong(f"end {self.role}: datagrams from nowhere")
        for data in datagrams:
            self.datagrams_in.arrived(data)

    def _ping(self) -> None:
        self._pings.add(self._connection.ping(self.now))

    def _on_ping(self, token: int, round_trip: float) -> None:
        if token not in self._pings or not 0 < round_trip < self.now:
            raise Wrong(f"end {self.role}: ping {token} after {round_trip} s")
        self._pings.remove(token)
        self.pings_left -= 1

    def _on_closed(self, error: ConnectionError) -> None:
        """The end: take what had arrived; a data path that this end closed gives nothing more."""
        self.closed = error
        self._keeps_data = getattr(error, "remote", False) or getattr(error, "code", None) == c.IDLE_TIMEOUT
        for user in list(self.users.values()):
            user.writer.give_up()
            if self._keeps_data and not user.is_released:
                user.reader.drain()
            else:
                user.reader.give_up()
