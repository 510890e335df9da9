"""Standard input and output as two ends that a coroutine can read and write, whatever is behind them.

Owns: descriptors of pipes, sockets, terminals and files, left in the blocking mode in which they were found:
another process may share them. May not know: what is carried.

A descriptor that poll(2) calls ready can be read once, or written up to PIPE_BUF bytes, without blocking.
So nothing here waits in a system call, and no thread is left behind that does. What the event loop cannot
watch is a plain file, which is always ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import stat
from collections.abc import Callable
from typing import Final

from fastmux.tunnel.constants import PIPE_BUFFER_SIZE, STDIO_CHUNK_SIZE

_READABLE: Final = select.POLLIN | select.POLLHUP | select.POLLERR
_WRITABLE: Final = select.POLLOUT | select.POLLHUP | select.POLLERR


def _poller(descriptor: int, events: int) -> select.poll:
    poller = select.poll()
    poller.register(descriptor, events)
    return poller


async def _wait_until(
    descriptor: int, watch: Callable[..., object], unwatch: Callable[[int], object]
) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ready() -> None:
        if not future.done():
            future.set_result(None)

    watch(descriptor, on_ready)
    try:
        await future
    finally:
        unwatch(descriptor)


class Input:
    """The reading end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poller = _poller(descriptor, _READABLE)

    async def read(self) -> bytes:
        """What is there, as soon as there is any; b"" at the end. Raises OSError."""
        loop = asyncio.get_running_loop()
        if self._poller.poll(0):
            await asyncio.sleep(0)  # others get their turn, however fast this end is
        else:
            await _wait_until(self._descriptor, loop.add_reader, loop.remove_reader)
        return os.read(self._descriptor, STDIO_CHUNK_SIZE)


class Output:
    """The writing end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poller = _poller(descriptor, _WRITABLE)
        mode = os.fstat(descriptor).st_mode
        self._socket = socket.socket(fileno=os.dup(descriptor)) if stat.S_ISSOCK(mode) else None
        self._step = STDIO_CHUNK_SIZE if stat.S_ISREG(mode) else PIPE_BUFFER_SIZE

    async def write(self, data: bytes) -> None:
        """Write all of it; waits while the reader does not take it. Raises OSError (BrokenPipeError)."""
        loop = asyncio.get_running_loop()
        view = memoryview(data)
        while view:
            if self._poller.poll(0):
                written = self._write_some(view)
                view = view[written:]
                if not written:
                    await asyncio.sleep(0)
            else:
                await _wait_until(self._descriptor, loop.add_writer, loop.remove_writer)

    def _write_some(self, view: memoryview) -> int:
        if self._socket is None:
            return os.write(self._descriptor, view[: self._step])
        try:
            return self._socket.send(view, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """End the output: who reads it sees the end. May be repeated.

        The descriptor stays valid, on the null device, so that nothing else gets its number.
        """
        if self._socket is not None:
            with self._socket, contextlib.suppress(OSError):  # the other end may be gone
                self._socket.shutdown(socket.SHUT_WR)  # no more: the same socket may be the input too
            self._socket = None
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, self._descriptor)
        finally:
            os.close(null)
