"""The connection as another library's programs know it: its checkpoints and errors around each call.

Owns: which calls there are. May not know: which library; how its streams work. The rooms of `trio` and
`anyio` say what a checkpoint, an error and a channel is there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeVar

from fastmux import constants as c
from fastmux.aio.connection import CLOSE_TIMEOUT, Connection
from fastmux.aio.message_channel import MessageChannel
from fastmux.aio.stream import Stream
from fastmux.exceptions import ConnectionClosed
from fastmux.protocol.handshake import PeerIdentity
from fastmux.protocol.statistics import ConnectionStatistics

if TYPE_CHECKING:
    from typing_extensions import Buffer

S = TypeVar("S")  # the library's stream
M = TypeVar("M")  # its message channel


class AdaptedConnection(ABC, Generic[S, M]):
    """The methods of `fastmux.Connection` with another library's streams, errors and checkpoints."""

    __slots__ = ("_inner",)

    def __init__(self, connection: Connection) -> None:
        self._inner = connection

    @property
    def inner(self) -> Connection:
        """The connection under it."""
        return self._inner

    # what a library is

    _closed_error: ClassVar[type[Exception]]  # what it raises after a close of this end

    @staticmethod
    @abstractmethod
    def _checkpoint() -> Awaitable[None]:
        """Let others run, and be cancelled."""

    @staticmethod
    @abstractmethod
    def _errors() -> AbstractContextManager[None]:
        """What is raised inside leaves as the library's error."""

    @staticmethod
    @abstractmethod
    def _stream(stream: Stream) -> S: ...

    @staticmethod
    @abstractmethod
    def _message_channel(channel: MessageChannel) -> M: ...

    # --- ends ---------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close gracefully after a clean block, at once after an error."""
        if exc_type is None:
            await self.aclose()
        else:
            self.abort()

    def close(self, code: int = 0, reason: str = "") -> None:
        """Begin a graceful close and return; after 10 seconds without success the connection is aborted."""
        self._inner.close(code, reason)

    async def aclose(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Deliver everything that was accepted for sending, then close; at once when cancelled."""
        try:
            await self._inner.aclose(timeout)
        finally:
            await self._checkpoint()

    async def wait_closed(self) -> None:
        """Wait until the connection is over, for whatever reason."""
        await self._checkpoint()
        await self._inner.wait_closed()

    def abort(self, code: int = c.CANCELLED, reason: str = "") -> None:
        """Close at once: what is unsent or unread is lost."""
        self._inner.abort(code, reason)

    # --- channels -----------------------------------------------------------------------------------

    async def open_stream(self, label: str = "", *, priority: int = 0) -> S:
        """Open a stream; waits while the peer's limit of streams is reached."""
        await self._checkpoint()
        with self._errors():
            return self._stream(await self._inner.open_stream(label, priority=priority))

    async def open_message_channel(
        self,
        label: str = "",
        *,
        priority: int = 0,
        ordered: bool = True,
        reliable: bool = True,
        max_retransmits: int | None = None,
        lifetime: float | None = None,
    ) -> M:
        """Open a message channel; waits while the peer's limit of message channels is reached."""
        await self._checkpoint()
        with self._errors():
            channel = await self._inner.open_message_channel(
                label,
                priority=priority,
                ordered=ordered,
                reliable=reliable,
                max_retransmits=max_retransmits,
                lifetime=lifetime,
            )
        return self._message_channel(channel)

    async def accept(self) -> S | M:
        """Take the next channel that the peer opened."""
        await self._checkpoint()
        with self._errors():
            channel = await self._inner.accept()
        return self._stream(channel) if isinstance(channel, Stream) else self._message_channel(channel)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> S | M:
        """The next incoming channel; the iteration ends when the connection ends without an error."""
        try:
            return await self.accept()
        except self._closed_error:
            raise StopAsyncIteration from None
        except ConnectionClosed as error:
            if error.code == c.NO_ERROR:
                raise StopAsyncIteration from None
            raise

    # --- datagrams and pings --------------------------------------------------------------------------

    def send_datagram(self, data: Buffer) -> bool:
        """Send one unreliable datagram. False if it was dropped at once because too many wait."""
        with self._errors():
            return self._inner.send_datagram(data)

    async def receive_datagram(self) -> bytes:
        """Receive the next datagram; while nobody does, only the newest are kept."""
        await self._checkpoint()
        with self._errors():
            return await self._inner.receive_datagram()

    async def ping(self) -> float:
        """Measure a round trip to the peer and back, in seconds."""
        await self._checkpoint()
        with self._errors():
            return await self._inner.ping()

    async def migrate(self, local_address: tuple[str, int] | None = None) -> None:
        """Go on by a new socket, bound to `local_address` (None: any), without a break. For a client's end.

        Raises as `fastmux.Connection.migrate`.
        """
        await self._checkpoint()
        with self._errors():
            await self._inner.migrate(local_address)

    # --- about it -----------------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """True once the connection is over for this end."""
        return self._inner.is_closed

    @property
    def id(self) -> str:
        """A name for logs, in hexadecimal digits: the same on both ends, unpredictable, no secret."""
        return self._inner.id

    @property
    def peer(self) -> PeerIdentity:
        """Who the peer proved to be; its fields are empty for PLAINTEXT."""
        return self._inner.peer

    @property
    def stats(self) -> ConnectionStatistics:
        """Figures of now, or of the end."""
        return self._inner.stats

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Facts by name, as `fastmux.Connection.get_extra_info`."""
        return self._inner.get_extra_info(name, default)
