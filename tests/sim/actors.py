"""What an application does with one channel: one writer, one reader, and when it lets the channel go.

Owns: the use of the core's channel calls as `docs/core.md` has them; it acts on what it is told by READY_*
flags and by nothing else, so that a wake-up that is missing shows as a hang. May not know: the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import BrokenResourceError, ChannelReset
from sim.model import Flow, MessageFlow, StreamFlow, Wrong
from sim.plan import End, Reading, Writing

RESET_DELAY = 0.05  # seconds between an end and the reset that follows it


class Host(Protocol):
    """What an actor needs of the end that it lives at."""

    @property
    def data_path(self) -> core.DataPath:
        """The connection's channels."""
        ...

    @property
    def now(self) -> float:
        """The time."""
        ...

    @property
    def write_limit(self) -> int:
        """Unsent bytes at which a writer waits."""
        ...

    def call_after(self, delay: float, action: Callable[[], None]) -> None:
        """Act later, unless the connection is over by then."""
        ...


class Writer:
    """Writes what the plan says; waits for READY_WRITABLE whenever the write limit is reached.

    Invariant: exactly one of these holds: an alarm is set, it waits for room or for the delivery of what it
    wrote, or it `is_over`.
    """

    def __init__(self, host: Host, channel_id: int, plan: Writing, flow: Flow, on_over: Callable[[], None]):
        self.flow = flow
        self.is_over = False
        self._host = host
        self._id = channel_id
        self._plan = plan
        self._on_over = on_over
        self._next = 0
        self._waits_for_room = False
        self._waits_for_delivery = False
        host.call_after(plan.start_after, self._go_on)

    def on_ready(self, flags: int) -> None:
        """The core said something about the channel."""
        if flags & c.READY_STOPPED and not self.is_over:
            self._break()
        elif flags & c.READY_WRITABLE and self._waits_for_room:
            self._waits_for_room = False
            self._go_on()
        if flags & c.READY_DELIVERED and self._waits_for_delivery:
            self._waits_for_delivery = False
            self._on_delivered()

    def give_up(self) -> None:
        """The channel is let go, or the connection over."""
        self.is_over = True
        self._waits_for_room = self._waits_for_delivery = False

    def _go_on(self) -> None:
        while not self.is_over:
            if self._next >= len(self._plan.sizes):
                self._end()
                return
            try:
                unsent = self._write()
            except BrokenResourceError:
                self._break()
                return
            if unsent >= self._host.write_limit:
                self._waits_for_room = True
                return
            if self._plan.burst and self._next % self._plan.burst == 0 and not self._may_go_on():
                return

    def _write(self) -> int:
        """Write the next piece, message or messages; returns the unsent bytes."""
        data_path, flow = self._host.data_path, self.flow
        if isinstance(flow, StreamFlow):
            self._next += 1
            if data_path.stop_code(self._id) is not None:
                raise BrokenResourceError
            return data_path.write(self._id, flow.next_piece(self._plan.sizes[self._next - 1]))
        if not isinstance(flow, MessageFlow):
            raise TypeError(flow)
        if data_path.stop_code(self._id) is not None:
            raise BrokenResourceError
        if self._plan.in_batches:
            return self._write_batch(flow)
        self._next += 1
        message = flow.next_message(self._plan.sizes[self._next - 1])
        return data_path.send_message(self._id, message, self._host.now)

    def _write_batch(self, flow: MessageFlow) -> int:
        sizes = self._plan.sizes[self._next : self._next + max(self._plan.burst, 2)]
        messages = [flow.next_message(size) for size in sizes]
        taken = self._host.data_path.send_messages(self._id, messages, self._host.now)
        for message in reversed(messages[taken:]):
            flow.take_back(message)
        self._next += taken
        unsent = self._host.data_path.unsent_size(self._id)
        if taken < len(messages) and unsent < self._host.write_limit:
            raise Wrong(f"{flow.name}: {taken} of {len(messages)} taken with {unsent} unsent")
        return unsent

    def _may_go_on(self) -> bool:
        """Whether the next burst may follow at once."""
        if self._plan.watch_bursts:
            return self._is_delivered()
        self._host.call_after(self._plan.pause, self._go_on)
        return False

    def _is_delivered(self) -> bool:
        """Ask whether all that was written is delivered; if not, it will be told."""
        self._waits_for_delivery = not self._host.data_path.watch_delivered(self._id)
        if not self._waits_for_delivery:
            self.flow.saw_delivered()
        return not self._waits_for_delivery

    def _on_delivered(self) -> None:
        self.flow.saw_delivered()
        if self.flow.finished:
            self._over()
        elif not self.is_over:
            self._go_on()

    def _end(self) -> None:
        data_path, plan = self._host.data_path, self._plan
        if plan.end is End.RESET:
            self.flow.reset(plan.code)
            data_path.reset(self._id, plan.code)
        else:
            self.flow.finish()
            data_path.finish(self._id)
            if plan.end is End.FINISH_THEN_RESET:
                self._host.call_after(RESET_DELAY, self._reset_late)
                return
            may_watch = plan.watch_end and data_path.stop_code(self._id) is None
            if may_watch and not self._is_delivered():
                return
        self._over()

    def _reset_late(self) -> None:
        if not self.is_over:
            self.flow.reset(self._plan.code)
            self._host.data_path.reset(self._id, self._plan.code)
            self._over()

    def _break(self) -> None:
        self.flow.saw_stop(self._host.data_path.stop_code(self._id))
        self.give_up()
        self._on_over()

    def _over(self) -> None:
        self.is_over = True
        self._on_over()


class Reader:
    """Reads as the plan says until the end, a reset, or its own stop.

    Invariant: while not over, an alarm is set (`_is_paused`) or nothing could be read at the last try.
    """

    def __init__(self, host: Host, channel_id: int, plan: Reading, flow: Flow, on_over: Callable[[], None]):
        self.flow = flow
        self.is_over = False
        self._host = host
        self._id = channel_id
        self._plan = plan
        self._on_over = on_over
        self._taken = 0  # bytes or messages
        self._is_paused = plan.start_after is not None
        self._buffer = bytearray(min(plan.max_size, 65536))
        if plan.start_after is not None:
            host.call_after(plan.start_after, self._wake)
        flow.waiting = self._waiting

    def on_ready(self, flags: int) -> None:
        """The core said something about the channel."""
        if flags & (c.READY_READABLE | c.READY_RESET) and not self._is_paused:
            self._go_on()

    def drain(self) -> None:
        """The connection is over: take what had arrived, without pauses or tricks."""
        while not self.is_over and self._take():
            pass
        if not self.is_over:
            self.give_up()

    def give_up(self) -> None:
        """The channel is let go, or the connection over."""
        self.is_over = True
        self.flow.waiting = None

    def _waiting(self) -> int:
        return self._host.data_path.readable_size(self._id)

    def _wake(self) -> None:
        self._is_paused = False
        self._go_on()

    def _go_on(self) -> None:
        calls = 0
        while not self.is_over:
            if self._plan.stop_after is not None and self._taken >= self._plan.stop_after:
                self._stop()
                return
            if self._plan.burst and calls >= self._plan.burst:
                self._is_paused = True
                self._host.call_after(self._plan.pause, self._wake)
                return
            calls += 1
            if not self._take():
                return

    def _take(self) -> bool:
        """Take what one call gives. False if there was nothing, or it is over."""
        try:
            if isinstance(self.flow, StreamFlow):
                return self._take_bytes(self.flow)
            if isinstance(self.flow, MessageFlow):
                return self._take_messages(self.flow)
        except ChannelReset as reset:
            self.flow.saw_reset(reset.code)
            self._over()
        return False

    def _take_bytes(self, flow: StreamFlow) -> bool:
        data_path = self._host.data_path
        data: bytes | None
        if self._plan.in_place:
            size = data_path.read_into(self._id, self._buffer)
            data = None if size < 0 else bytes(self._buffer[:size])
        else:
            data = data_path.read(self._id, self._plan.max_size)
        if data is None:
            self._see_end()
            return False
        if data:
            flow.arrived(data)
            self._taken += len(data)
        return bool(data)

    def _take_messages(self, flow: MessageFlow) -> bool:
        data_path = self._host.data_path
        if self._plan.max_size > 1:
            messages = data_path.take_messages(self._id, self._plan.max_size)
        else:
            message = data_path.take_message(self._id)
            messages = [] if message is None else [message]
        for message in messages:
            flow.arrived(message)
        self._taken += len(messages)
        if not messages and data_path.is_finished(self._id):
            self._see_end()
        return bool(messages)

    def _see_end(self) -> None:
        if not self._host.data_path.is_finished(self._id):
            raise Wrong(f"{self.flow.name}: an end, and is_finished() is False")
        self.flow.saw_end()
        self._over()

    def _stop(self) -> None:
        self.flow.stop(self._plan.code)
        self._host.data_path.stop(self._id, self._plan.code)
        self._over()

    def _over(self) -> None:
        self.is_over = True
        self._on_over()
