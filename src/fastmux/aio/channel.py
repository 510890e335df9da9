"""What streams and message channels share: waiting, ending, and giving the channel back.

Owns: one channel's waiters and whether this end still holds it. May not know: the socket, the driver, or what
is sent. The channel's data is in the core's `DataPath`; nothing is buffered here, so a cancelled task cannot
take anything with it: every suspension point comes before the data is touched.
"""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from fastmux import constants as c
from fastmux.aio.channel_host import ChannelHost
from fastmux.aio.errors import renewed
from fastmux.aio.open_fields import check_priority
from fastmux.aio.waiters import WaiterQueue, WaiterSlot
from fastmux.exceptions import BrokenResourceError, BusyResourceError, ClosedResourceError, EndOfStream
from fastmux.protocol.closing import check_code

if TYPE_CHECKING:
    from fastmux.records import OpenFields

_READABLE = c.READY_READABLE
_WAKE_READER = c.READY_READABLE | c.READY_RESET


class Channel:
    """The part of a channel that does not depend on its kind. Not made by users.

    Invariant: until `_is_closed` the core knows the channel's id; from then on it may not, and is not asked.
    `_was_lost` is what `is_lost` says from then on.
    `_is_full` is True if the last write left at least `write_limit` unsent (it may have fallen since).
    """

    __slots__ = (
        "__weakref__",
        "_delivered",
        "_host",
        "_id",
        "_is_closed",
        "_is_full",
        "_is_send_finished",
        "_label",
        "_priority",
        "_reader",
        "_was_lost",
        "_writers",
    )

    def __init__(self, host: ChannelHost, channel_id: int, fields: OpenFields) -> None:
        self._host = host
        self._id = channel_id
        self._label = fields.label.decode("utf-8", "replace") if fields.label else ""
        self._priority = fields.priority
        self._is_closed = False
        self._is_full = False
        self._is_send_finished = False
        self._was_lost = False
        self._reader = WaiterSlot(host.wakeups, "receiving from this channel")
        self._writers: WaiterQueue | None = None  # most channels never need one
        self._delivered: WaiterQueue | None = None

    def __repr__(self) -> str:
        label = f" {self._label!r}" if self._label else ""
        return f"<{type(self).__name__} {self._id}{label}{' closed' if self._is_closed else ''}>"

    def __del__(self) -> None:
        if self._is_closed or self._host.closed_error is not None:
            return
        self._host.abandon(self._id, self._is_send_finished)
        if not self._is_send_finished:
            warnings.warn(f"{self!r} was dropped unclosed", ResourceWarning, source=self, stacklevel=2)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close; after an error reset, so that what was cut short does not look whole."""
        if exc_type is None:
            self.close_now()
        else:
            self.reset(c.CANCELLED)

    @property
    def id(self) -> int:
        """The channel's number: index << 2 | kind << 1 | opener (0 client, 1 server)."""
        return self._id

    @property
    def label(self) -> str:
        """The text that its opener gave it, at most 255 bytes of UTF-8; need not be unique."""
        return self._label

    @property
    def priority(self) -> int:
        """The priority of what this end sends, 0 (most urgent) to 255: the opener's, until it is set here.

        The upper three bits are the level of urgency: nothing of a level is sent while a lower-numbered one
        has something to send. The lower five bits give the weight, 32 less their value: channels of a level
        share in proportion to their weights. Setting it affects what this end sends from now on; the peer is
        not told.
        Raises `ValueError` for anything but 0 to 255, `ClosedResourceError`, `ConnectionClosed`.
        """
        return self._priority

    @priority.setter
    def priority(self, priority: int) -> None:
        check_priority(priority)
        self._check_open()
        self._host.data_path.set_priority(self._id, priority)
        self._priority = priority
        self._host.schedule()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Facts by name: those of `Connection.get_extra_info`, and "fastmux.connection", the connection."""
        return self._host.get_extra_info(name, default)

    # ending

    async def send_eof(self) -> None:
        """End the sending direction after everything sent so far; the peer gets `EndOfStream`.

        May be repeated. Waits behind the senders that wait. Raises `ClosedResourceError` after `reset` or
        `aclose`, `BrokenResourceError` if the peer asked to stop, `ConnectionClosed`.
        """
        if self._writers:
            await self._take_turn()
        self._check_sending()
        if not self._is_send_finished:
            self._host.data_path.finish(self._id)
            self._is_send_finished = True
            self._host.schedule()

    async def wait_delivered(self) -> None:
        """Wait until the peer's end has acknowledged everything that was sent, and the end if there is one.

        Raises `ClosedResourceError` after `reset` or `aclose`, `BrokenResourceError` if the peer asked to
        stop, `ConnectionClosed` if that is not known yet when the connection ends, however it ends.
        """
        while True:
            self._check_open()
            data_path = self._host.data_path
            if data_path.stop_code(self._id) is not None:
                raise BrokenResourceError("the peer asked to stop sending")
            if data_path.watch_delivered(self._id):
                return
            await self._wait_for_peer()

    async def wait_stopped(self) -> None:
        """Wait until the peer takes no more of this channel: it closed or reset its end, or asked to stop.

        For who sends seldom, and would hear of it with the next `send` only. When everything and its end was
        delivered there is nothing left to stop: then this waits for the end of the channel or the connection.
        Raises `ClosedResourceError` after `reset` or `aclose`, `ConnectionClosed`.
        """
        while True:
            self._check_open()
            if self._host.data_path.stop_code(self._id) is not None:
                return
            await self._wait_for_peer()

    async def _wait_for_peer(self) -> None:
        """Wait for what the peer has to say of what was sent: that it has it, or that it takes no more."""
        if self._delivered is None:
            self._delivered = WaiterQueue(self._host.wakeups)
        await self._delivered.wait()

    async def aclose(self) -> None:
        """Close both directions and give the channel back.

        Does not wait, cannot be cancelled, may be repeated. What was sent before is still delivered, with
        the end after it; `send_eof` and `wait_delivered` before this wait for that. What was not received is
        discarded, and the peer is asked to stop. Tasks that wait here get `ClosedResourceError`.
        """
        self.close_now()

    def close_now(self) -> None:
        """What `aclose` does, for callers that are no coroutine."""
        if self._begin_close():
            data_path = self._host.data_path
            if not self._is_send_finished:
                if data_path.stop_code(self._id) is None:
                    data_path.finish(self._id)
                else:
                    self._was_lost = True
            self._end_close()

    def reset(self, code: int = c.CANCELLED) -> None:
        """Give the channel up in both directions at once; may be repeated.

        What is unsent or unread is dropped. The peer's receivers get `ChannelReset` with `code`, its senders
        `BrokenResourceError`; tasks that wait here `ClosedResourceError`. Raises ValueError or TypeError for
        a code that is no integer from 0 to 2**62 - 1.
        """
        check_code(code)
        was_lost = self.is_lost
        if self._begin_close():
            self._was_lost = was_lost
            data_path = self._host.data_path
            data_path.reset(self._id, code)
            data_path.stop(self._id, code)
            self._end_close()

    def _begin_close(self) -> bool:
        """Close this object. False if there is nothing more to tell the core."""
        if self._is_closed:
            return False
        self._is_closed = True
        self.wake_all()
        if self._host.closed_error is not None:
            self._was_lost = True
            return False
        self._was_lost = self._host.is_closing
        return True

    def _end_close(self) -> None:
        self._is_send_finished = True
        self._host.release(self._id)

    # what the connection tells

    def notify(self, flags: int) -> None:
        """Wake whom the READY_* flags concern. Called by the connection, once a batch at the most."""
        if flags & _WAKE_READER:
            self._reader.wake()
            if flags == _READABLE:  # mostly
                return
        if self._writers is not None:
            if flags & c.READY_STOPPED:
                self._writers.wake_all()
            elif flags & c.READY_WRITABLE:
                self._writers.wake_first()
        if self._delivered is not None and flags & (c.READY_STOPPED | c.READY_DELIVERED):
            self._delivered.wake_all()

    def wake_all(self) -> None:
        """Wake everybody to look at the state. Called by the connection when it is over, or about to be."""
        self._reader.wake()
        for queue in (self._writers, self._delivered):
            if queue is not None:
                queue.wake_all()

    # for adapters, which have waiting of their own

    @property
    def host(self) -> ChannelHost:
        """What the channel needs of its connection."""
        return self._host

    @property
    def is_closed(self) -> bool:
        """True after `aclose` or `reset` of this end."""
        return self._is_closed

    @property
    def is_stopped(self) -> bool:
        """True if the peer takes no more: what is sent now is lost."""
        return not self._is_closed and self._host.data_path.stop_code(self._id) is not None

    @property
    def is_lost(self) -> bool:
        """True if the peer has reset it or takes no more of it, or the connection is over or being closed.

        After `reset` of this end: whether that was so before; after `aclose`, which asks for less because it
        comes for each channel: whether the peer took no more.
        """
        if self._is_closed:
            return self._was_lost
        if self._host.closed_error is not None or self._host.is_closing:
            return True
        data_path = self._host.data_path
        return data_path.stop_code(self._id) is not None or data_path.reset_code(self._id) is not None

    def call_back(self, reader: WaiterSlot, writers: WaiterQueue) -> None:
        """From now on these are woken in place of tasks, and the channel is kept until `stop_calling_back`.

        Raises `BusyResourceError` while a task receives or waits to send here.
        """
        self._reader.check()
        if self._writers:
            raise BusyResourceError("another task waits to send on this channel")
        self._reader = reader
        self._writers = writers
        self._host.keep(self)

    def stop_calling_back(self) -> None:
        """The channel was closed, and nobody is to be called any more."""
        self._reader = WaiterSlot(self._host.wakeups, "receiving from this channel")
        self._writers = None
        self._host.let_go(self)

    async def wait_for_room(self) -> None:
        """Wait until `send` would not wait. Raises as `send`."""
        if self._writers or (self._is_full and not self.has_room()):
            self._check_sending()
            await self._take_turn()
        self._check_sending()
        if self.is_stopped:
            raise BrokenResourceError("the peer asked to stop sending")

    def end_now(self) -> None:
        """What `send_eof` does, without regard to who waits. Raises as it does."""
        self._check_open()
        if not self._is_send_finished:
            self._host.data_path.finish(self._id)
            self._is_send_finished = True
            self._host.schedule()

    # for the two kinds

    def _check_open(self) -> None:
        """Raise what an operation after the end raises."""
        if self._is_closed:
            raise ClosedResourceError("this channel is closed")
        if self._host.closed_error is not None:
            raise renewed(self._host.closed_error)

    def _check_sending(self) -> None:
        if self._is_closed or self._host.closed_error is not None:
            self._check_open()
        if self._host.is_closing:
            raise ClosedResourceError("the connection is being closed")

    def _check_receiving(self) -> None:
        """As `_check_open`, but what came before the connection ended can still be received."""
        if self._is_closed:
            raise ClosedResourceError("this channel is closed")
        if self._host.is_discarded and self._host.closed_error is not None:
            raise renewed(self._host.closed_error)

    def has_room(self) -> bool:
        """Whether less than `write_limit` is unsent: a sender may go on, if nobody waits before it."""
        if not self._is_full:
            return True
        self._is_full = self._host.data_path.unsent_size(self._id) >= self._host.write_limit
        return not self._is_full

    async def _take_turn(self) -> None:
        """Wait in line for room. When it returns the caller acts without another await.

        The next in line is woken by whoever leaves while there is room, so that a sender that is cancelled
        after its wake-up passes the wake-up on.
        """
        if self._writers is None:
            self._writers = WaiterQueue(self._host.wakeups)
        queue = self._writers
        place = queue.join()
        try:
            await place
        finally:
            queue.leave(place)
            if queue:
                self._host.loop.call_soon(self._pass_turn)

    def _pass_turn(self) -> None:
        """Wake the next in line if there is room, or an end that it must hear of."""
        if not self._writers:
            return
        if self._is_closed or self._host.closed_error is not None or self._host.is_closing:
            self._writers.wake_all()
        elif self.has_room():
            self._writers.wake_first()

    def _received(self) -> None:
        """Something was taken: the peer's credit may want raising, which is seldom."""
        if self._host.data_path.has_news:
            self._host.schedule()

    def _wrote(self, unsent_size: int) -> None:
        self._is_full = unsent_size >= self._host.write_limit
        self._host.wrote()


def raise_end() -> NoReturn:
    """Raise what a receiver gets at the end."""
    raise EndOfStream("the peer ended this channel, and everything was received")
