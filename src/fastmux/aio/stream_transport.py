"""A stream as an asyncio transport, for protocols that were written for TCP.

Owns: when which method of the protocol is called. May not know: how the stream was opened, what is below it.

The stream stands where a socket does: its send buffer of `write_limit` bytes is the kernel's, and what has no
room there waits in a `WriteBuffer`, whose limits pause the protocol. Nothing here is a task: the stream calls
back, and what it has is read behind the tasks that are woken with it.
"""

from __future__ import annotations

import asyncio
import errno
from asyncio.constants import _SendfileMode
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, cast

from fastmux import constants as c
from fastmux.aio.callback_waiters import CallbackQueue, CallbackSlot
from fastmux.aio.errors import renewed
from fastmux.aio.protocol_calls import ProtocolCalls
from fastmux.aio.write_buffer import WriteBuffer
from fastmux.exceptions import BrokenResourceError, ClosedResourceError

if TYPE_CHECKING:
    from fastmux.aio.stream import Stream

READS_PER_TURN: Final = 8  # then others have their turn


class StreamTransport(asyncio.transports._FlowControlMixin):
    """One stream with one protocol. Made by `create_connection`, `create_server` and `Stream.to_asyncio`.

    The protocol's `connection_lost` is called once: with None after `close`, `abort` and a clean end, with
    `ChannelReset` if the peer reset the stream, with `ConnectionClosed` if the connection ended under it,
    with `BrokenPipeError` if the peer no longer took what was written.

    Invariant: once `_is_lost`, `connection_lost` was called or will be in the loop's next turn, and nothing
    else is. `_buffer` is empty unless the stream has no room. `_is_broken` from when the peer takes no more:
    what is written then counts in `_dropped_size` and is gone. A call of `_run` is under way whenever
    something came that `_run` has not looked at.
    """

    __slots__ = (
        "_buffer",
        "_calls",
        "_dropped_size",
        "_has_lost_data",
        "_is_at_end",
        "_is_broken",
        "_is_closing",
        "_is_ended",
        "_is_lost",
        "_is_reading_paused",
        "_is_scheduled",
        "_is_writing_news",
        "_on_lost",
        "_stream",
    )

    # asyncio looks for these names, and for its own base class with `_loop` and `_protocol_paused`, to see
    # whether `loop.start_tls` may put TLS on top and `loop.sendfile` may read and write in turn.
    _start_tls_compatible = True
    _sendfile_compatible = _SendfileMode.FALLBACK
    _loop: asyncio.AbstractEventLoop
    _protocol_paused: bool

    def __init__(
        self,
        stream: Stream,
        protocol: asyncio.BaseProtocol,
        on_lost: Callable[[StreamTransport], None] | None = None,
    ) -> None:
        """Takes over `stream`. `on_lost` is called after the protocol's `connection_lost`.

        Raises `BusyResourceError` while a task receives or waits to send there, `ClosedResourceError` after a
        close of this end, RuntimeError on another event loop than the stream's.
        """
        super().__init__(loop=asyncio.get_running_loop())
        if stream.host.loop is not self._loop:
            raise RuntimeError("the stream belongs to another event loop")
        if stream.is_closed:
            raise ClosedResourceError("this channel is closed")
        self._stream = stream
        self._on_lost = on_lost
        self._buffer = WriteBuffer()
        self._dropped_size = 0
        self._has_lost_data = False
        self._is_at_end = False  # the peer's end was received
        self._is_broken = False
        self._is_closing = False
        self._is_ended = False  # `write_eof` was called
        self._is_lost = False
        self._is_reading_paused = False
        self._is_scheduled = False
        self._is_writing_news = False
        self._calls = ProtocolCalls(self, protocol, self._end)
        stream.call_back(
            CallbackSlot(self._loop, "receiving from this channel", self._schedule),
            CallbackQueue(self._loop, self._on_writers_woken),
        )

    def __repr__(self) -> str:
        state = "closed" if self._is_lost else "closing" if self._is_closing else "open"
        return f"<StreamTransport {state} {self._stream!r}>"

    def start(self) -> None:
        """Call the protocol's `connection_made`, and read from now on."""
        self._calls.call(self._calls.protocol.connection_made, self)
        self._schedule()

    # --- about it -----------------------------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Facts by name: those of `Stream.get_extra_info`, and "fastmux.stream". There is no "socket"."""
        if name == "fastmux.stream":
            return self._stream
        return self._stream.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Call this protocol from now on; a `BufferedProtocol` or a `Protocol`."""
        self._calls.exchange(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol that is called."""
        return self._calls.protocol

    def is_closing(self) -> bool:
        """True from the call of `close` or `abort`, or the end, on."""
        return self._is_closing

    # --- reading ------------------------------------------------------------------------------------

    def is_reading(self) -> bool:
        """True while data that comes is given to the protocol."""
        return not self._is_reading_paused and not self._is_closing

    def pause_reading(self) -> None:
        """Give the protocol nothing more; the peer may send until its window is full. May be repeated."""
        if self.is_reading():
            self._is_reading_paused = True
            self._look_at_broken()

    def resume_reading(self) -> None:
        """Go on. May be repeated."""
        if self._is_reading_paused and not self._is_closing:
            self._is_reading_paused = False
            self._schedule()

    def _read(self) -> None:
        for _ in range(READS_PER_TURN):
            if self._is_reading_paused or self._is_closing or self._is_at_end:
                return
            try:
                size = self._calls.feed(self._stream)
            except ConnectionError as error:
                self._end(error)
                return
            except ClosedResourceError:  # somebody closed the stream itself
                self._end(None)
                return
            if size <= 0:
                if size < 0:
                    self._on_end()
                return
        self._schedule()

    def _on_end(self) -> None:
        """The peer's end: the protocol may want to go on writing."""
        self._is_at_end = True
        if self._calls.eof_received():
            self._look_at_broken()
        else:
            self.close()

    # --- writing ------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes, without waiting: too much of it pauses the protocol.

        Exact `bytes` are kept by reference, anything else is copied. After the close, or when the peer takes
        no more, they are dropped. Raises TypeError for anything else, RuntimeError after `write_eof`.
        """
        if type(data) is not bytes:
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise TypeError(f"data must be a bytes-like object, not {type(data).__name__}")
            data = bytes(data)
        if self._is_ended:
            raise RuntimeError("write() after write_eof()")
        if not data or self._is_closing:
            return
        stream = self._stream
        if self._is_broken:
            self._drop(len(data))
        elif self._buffer or not self._has_room():
            self._buffer.push(data)
            self._pause_protocol_if(self.get_write_buffer_size())
        elif self._give(data) and not stream.has_room():
            self._pause_protocol_if(self.get_write_buffer_size())

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """`write` each of them."""
        for data in list_of_data:
            self.write(data)

    def can_write_eof(self) -> bool:
        """Streams can be half closed."""
        return True

    def write_eof(self) -> None:
        """End the sending direction after what was written; reading goes on. May be repeated."""
        if not self._is_ended and not self._is_closing:
            self._is_ended = True
            self._flush()

    def get_write_buffer_size(self) -> int:
        """Bytes that have no room in the stream; the up to `write_limit` that have are not counted."""
        if self._is_broken:
            return self._dropped_size
        size = self._buffer.size
        host = self._stream.host
        if not self._is_lost and not self._stream.is_closed and host.closed_error is None:
            size += max(0, host.data_path.unsent_size(self._stream.id) - host.write_limit)
        return size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The buffer sizes (low, high): above the high one the protocol is paused, down to the low one."""
        return self._buffer.low, self._buffer.high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set both. Raises ValueError unless 0 <= low <= high."""
        self._buffer.set_limits(high, low)
        self._pause_protocol_if(self.get_write_buffer_size())

    def _has_room(self) -> bool:
        stream = self._stream
        return not stream.is_closed and stream.host.closed_error is None and stream.has_room()

    def _give(self, data: bytes) -> bool:
        """Give a piece to the stream, which has room. False if it does not take it any more."""
        try:
            self._stream.write_now(data)
        except BrokenResourceError:
            self._has_lost_data = True
            self._break()
        except ClosedResourceError:
            self._end(None)
        except ConnectionError as error:
            self._end(error)
        else:
            return True
        return False

    def _flush(self) -> None:
        """Give the stream what it has room for; when the connection is being closed, all: it was accepted."""
        while self._buffer and (self._has_room() or self._stream.host.is_closing):
            if not self._give(self._buffer.pop()):
                return
        if self._buffer or self._is_lost:
            return
        if self._is_closing:
            self._leave()
        elif self._is_ended and self._stream.host.closed_error is None and not self._stream.is_closed:
            self._stream.end_now()

    def _on_writers_woken(self) -> None:
        self._is_writing_news = True
        self._schedule()

    def _pause_protocol_if(self, size: int) -> None:
        if size > self._buffer.high and not self._protocol_paused:
            self._protocol_paused = True
            self._calls.call(self._calls.protocol.pause_writing)

    def _resume_protocol_if_due(self) -> None:
        if self._protocol_paused and self.get_write_buffer_size() <= self._buffer.low:
            self._protocol_paused = False
            self._calls.call(self._calls.protocol.resume_writing)

    # --- a peer that takes no more ----------------------------------------------------------------------

    def _break(self) -> None:
        """The peer takes no more. What it sent before may still be coming: it closed both directions."""
        self._is_broken = True
        self._dropped_size = self._buffer.size
        self._has_lost_data |= self._protocol_paused or self._buffer.size > 0
        self._buffer.clear()
        self._look_at_broken()

    def _drop(self, size: int) -> None:
        self._has_lost_data = True
        self._dropped_size += size
        self._pause_protocol_if(self._dropped_size)
        self._look_at_broken()

    def _look_at_broken(self) -> None:
        """End with an error once nothing more can come, or the protocol waits for what cannot be."""
        is_stuck = self._is_reading_paused and self._protocol_paused
        if self._is_broken and self._has_lost_data and (self._is_at_end or is_stuck or self._is_closing):
            self._end(BrokenPipeError(errno.EPIPE, "the peer takes no more of this stream"))

    # --- ends ---------------------------------------------------------------------------------------

    def close(self) -> None:
        """Deliver what was written, and end both directions; what has not been read is discarded."""
        if not self._is_closing:
            self._is_closing = True
            self._look_at_broken()
            self._flush()

    def abort(self) -> None:
        """Reset the stream at once: what was written and not delivered is lost."""
        self._end(None)

    def _leave(self) -> None:
        """The last of what was written is with the stream, which delivers it, with the end after it."""
        if not self._is_lost:
            self._is_lost = True
            self._stream.close_now()
            self._loop.call_soon(self._lose, None)

    def _end(self, error: BaseException | None) -> None:
        """Give the stream up at once."""
        if not self._is_lost:
            self._is_lost = self._is_closing = True
            self._buffer.clear()
            self._stream.reset(c.CANCELLED)
            self._loop.call_soon(self._lose, error)

    def _lose(self, error: BaseException | None) -> None:
        try:
            # typeshed has Exception, but asyncio gives whatever a protocol raised
            self._calls.protocol.connection_lost(cast(Exception | None, error))
        finally:
            self._stream.stop_calling_back()
            if self._on_lost is not None:
                self._on_lost(self)

    # --- the loop -----------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._stream.host.wakeups.call_soon(self._run)

    def _run(self) -> None:
        """Look at everything that may be new."""
        self._is_scheduled = False
        if self._is_lost:
            return
        if self._is_writing_news:
            self._is_writing_news = False
            self._look_at_writing()
        self._read()
        if not self._is_lost:
            self._look_at_life()

    def _look_at_writing(self) -> None:
        stream = self._stream
        if not self._is_broken and stream.host.closed_error is None and stream.is_stopped:
            self._break()
        self._flush()
        if not self._is_lost:
            self._resume_protocol_if_due()

    def _look_at_life(self) -> None:
        """Notice ends that reading does not meet, because it is paused or done."""
        stream, host = self._stream, self._stream.host
        is_done = self._is_at_end or self._is_closing
        if stream.is_closed:
            self._end(None)
        elif host.closed_error is not None:
            if self._is_at_end and self._is_ended and not self._buffer:
                self._end(None)  # both directions had ended before
            elif is_done or host.is_discarded:
                self._end(renewed(host.closed_error))
        elif self._is_reading_paused and not is_done:
            code = host.data_path.reset_code(stream.id)
            if code is not None:
                self._read_reset()

    def _read_reset(self) -> None:
        """What was unread went with the reset: a paused protocol has nothing to wait for."""
        try:
            self._stream.read_now(1)
        except ConnectionError as error:
            self._end(error)
