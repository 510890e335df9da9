"""Protocols that write down what happens to them.

Owns: the recording. May not know: what ought to happen.
"""

from __future__ import annotations

import asyncio
from typing import cast


class Recording(asyncio.Protocol):
    """Keeps all data and the names of all calls; `keeps_open` is what `eof_received` returns."""

    def __init__(self, *, keeps_open: bool = False) -> None:
        self.keeps_open = keeps_open
        self.calls: list[str] = []
        self.data = bytearray()
        self.error: BaseException | None = None
        self.lost = asyncio.Event()
        self.at_end = asyncio.Event()
        self.changed = asyncio.Event()

    @property
    def transport(self) -> asyncio.Transport:
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.calls.append("connection_made")

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        assert data
        self.data += data
        self.changed.set()

    def eof_received(self) -> bool:
        self.calls.append("eof_received")
        self.at_end.set()
        return self.keeps_open

    def pause_writing(self) -> None:
        self.calls.append("pause_writing")

    def resume_writing(self) -> None:
        self.calls.append("resume_writing")
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append("connection_lost")
        self.error = exc
        self.lost.set()
        self.changed.set()

    async def until(self, size: int) -> bytes:
        """Wait until so many bytes are here."""
        while len(self.data) < size:
            assert not self.lost.is_set(), self.error
            self.changed.clear()
            await self.changed.wait()
        return bytes(self.data)


class RecordingBuffered(asyncio.BufferedProtocol):
    """The same for a protocol with a buffer of its own, of `size` bytes."""

    def __init__(self, size: int = 1000) -> None:
        self.buffer = bytearray(size)
        self.data = bytearray()
        self.at_end = False
        self.error: BaseException | None = None
        self.lost = asyncio.Event()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        assert nbytes > 0
        self.data += self.buffer[:nbytes]

    def eof_received(self) -> None:
        self.at_end = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = exc
        self.lost.set()
