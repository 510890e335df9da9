"""Waiting until a non-blocking socket can be read or written.

Owns: registrations with the event loop that last for more than one wait: under load a socket is waited for
after every read, and to register each time costs more than the read's own system call. May not know: what
is read. Works on every loop that has `add_reader` (asyncio's selector loops and uvloop).
"""

from __future__ import annotations

import asyncio
import socket


class Readiness:
    """One socket's readiness; one task may wait for each direction.

    Invariant: `_reading` and `_writing` are the futures of those who wait, None while nobody does. The
    socket is registered for reading from the first wait until it becomes readable while nobody waits; it is
    registered for writing only while somebody waits.
    """

    __slots__ = ("_is_watched", "_loop", "_reading", "_sock", "_writing")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._reading: asyncio.Future[None] | None = None
        self._writing: asyncio.Future[None] | None = None
        self._is_watched = False

    async def readable(self) -> None:
        """Wait until there is something to read, an end or an error."""
        self._reading = self._loop.create_future()
        if not self._is_watched:
            self._loop.add_reader(self._sock, self._on_readable)
            self._is_watched = True
        try:
            await self._reading
        finally:
            self._reading = None

    async def writable(self) -> None:
        """Wait until there is room, or an error."""
        self._writing = self._loop.create_future()
        self._loop.add_writer(self._sock, self._on_writable)
        try:
            await self._writing
        finally:
            self._writing = None
            self._loop.remove_writer(self._sock)

    def forget(self) -> None:
        """Take the registrations back, before the socket is closed. Nobody may wait any more."""
        if self._is_watched:
            self._is_watched = False
            self._loop.remove_reader(self._sock)

    def _on_readable(self) -> None:
        if self._reading is None or self._reading.done():
            self.forget()  # nobody reads: it would be reported in every turn of the loop
        else:
            self._reading.set_result(None)

    def _on_writable(self) -> None:
        if self._writing is not None and not self._writing.done():
            self._writing.set_result(None)
