"""One comm: Dask's messages over one stream.

Owns: reading and writing of messages, and what any failure does to the comm. May not know: how the stream
came about, whose connection it shares.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, NoReturn

from distributed.comm import utils
from distributed.comm.core import Comm, CommClosedError

from fastmux import BrokenResourceError, ClosedResourceError, EndOfStream, Stream
from fastmux.dask.constants import FLUSH_TIMEOUT, PREFIX
from fastmux.dask.frames import FrameError, read_frames, write_frames
from fastmux.dask.links import Lease

_ENDS: Final = (OSError, EndOfStream, ClosedResourceError, BrokenResourceError, FrameError)
_utils: Any = utils  # without types
_UNSPLIT: Final = sys.maxsize  # frames of any size are sent as they are: nobody has to join them again


class FastmuxComm(Comm):
    """An established comm. Made by the connector and the listener.

    Any failure within a message, a cancellation too, aborts it: nobody knows what of the message has gone.

    Invariant: `_stream` is None once this end has closed or aborted it, and with it the lease is given back.
    """

    def __init__(
        self, stream: Stream, lease: Lease, local_address: str, peer_address: str, deserialize: bool = True
    ) -> None:
        """Addresses are "HOST:PORT"."""
        super().__init__(deserialize=deserialize)
        self._stream: Stream | None = stream
        self._lease = lease
        self._local_addr = PREFIX + local_address
        self._peer_addr = PREFIX + peer_address

    @property
    def local_address(self) -> str:
        """This end's address, with its scheme."""
        return self._local_addr

    @property
    def peer_address(self) -> str:
        """The other end's address, with its scheme."""
        return self._peer_addr

    @property
    def extra_info(self) -> Mapping[str, Any]:
        """Who the peer proved to be."""
        return {"peer": self._lease.connection.peer}

    async def read(self, deserializers: Any = None) -> Any:
        """Read a message. Raises `CommClosedError` at the peer's end and after any failure."""
        with self._aborting() as stream:
            frames = await read_frames(stream)
        try:
            return await _utils.from_frames(
                frames,
                deserialize=self.deserialize,
                deserializers=deserializers,
                allow_offload=self.allow_offload,
            )
        except EOFError as error:
            self.abort()
            raise CommClosedError(f"in {self!r}: a message was cut short") from error

    async def write(self, msg: Any, serializers: Any = None, on_error: str | None = "message") -> int:
        """Write a message; waits while the peer does not read. Returns its size.

        A message that cannot be serialized raises what its serializer raised and leaves the comm as it was.
        """
        if self._stream is None:
            raise CommClosedError(f"in {self!r}: it is closed")
        frames = await _utils.to_frames(
            msg,
            allow_offload=self.allow_offload,
            serializers=serializers,
            on_error=on_error,
            context={"sender": self.local_info, "recipient": self.remote_info, **self.handshake_options},
            frame_split_size=_UNSPLIT,
        )
        with self._aborting() as stream:
            return await write_frames(stream, frames)

    async def close(self) -> None:
        """Close cleanly: what was written still reaches the peer, which then reads the end."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        try:
            # What cannot be delivered in time goes on without us, as long as the connection lasts.
            with suppress(*_ENDS):
                async with asyncio.timeout(FLUSH_TIMEOUT):
                    await stream.wait_delivered()
        finally:
            await stream.aclose()
            self._lease.release()

    def abort(self) -> None:
        """Close at once; the peer's reads and writes fail."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.reset()
            self._lease.release()

    def closed(self) -> bool:
        """Whether this end closed it, or the peer did."""
        stream = self._stream
        return stream is None or self._lease.connection.is_closed or stream.is_stopped

    @contextmanager
    def _aborting(self) -> Iterator[Stream]:
        """Whatever fails within aborts the comm, and an end of the stream is a `CommClosedError`."""
        stream = self._stream
        if stream is None:
            raise CommClosedError(f"in {self!r}: it is closed")
        try:
            yield stream
        except BaseException as error:
            self.abort()
            if isinstance(error, _ENDS):
                self._raise_closed(error)
            raise

    def _raise_closed(self, error: BaseException) -> NoReturn:
        raise CommClosedError(f"in {self!r}: {type(error).__name__}: {error}") from error
