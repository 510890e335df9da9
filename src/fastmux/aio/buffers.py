"""The large buffers that trains are received into and filled in: two a thread for all its sockets.

Owns: their making. May not know: what stands in them. What a call leaves in a buffer holds until the next
call of anybody in the thread, so nobody may keep it over an `await`.
"""

from __future__ import annotations

import mmap
import sys
import threading

from fastmux.aio.transport import BUFFER_SIZE


class _Buffers(threading.local):
    """One thread's buffers. Anonymous maps: pages that no train has reached cost nothing."""

    def __init__(self) -> None:
        self.receive = memoryview(_private_map())
        self.send = memoryview(_private_map())


def _private_map() -> mmap.mmap:
    """Zeroed memory of this process alone: by default a map is shared with the children of a fork."""
    if sys.platform == "win32":
        return mmap.mmap(-1, BUFFER_SIZE)
    return mmap.mmap(-1, BUFFER_SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


_buffers = _Buffers()


def receive_buffer() -> memoryview:
    """Where this thread receives; BUFFER_SIZE bytes, always the same object."""
    return _buffers.receive


def send_buffer() -> memoryview:
    """Where this thread fills what it sends; BUFFER_SIZE bytes, always the same object."""
    return _buffers.send
