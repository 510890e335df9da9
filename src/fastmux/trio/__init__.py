"""fastmux on trio: `connect`, `listen`, and streams that are trio's `HalfCloseableStream`.

Owns: its public names. Needs the extra: pip install 'fastmux[trio]'. Everything below the connection is that
of asyncio: `fastmux.trio.loop` gives it what it asks of an event loop.
"""

from __future__ import annotations

try:
    import trio as _trio
except ImportError as error:
    raise ImportError(
        f"fastmux.trio needs trio ({error}); remedy: pip install 'fastmux[trio]'", name="trio"
    ) from error

from fastmux.trio.client import Connector, connect
from fastmux.trio.connection import Connection
from fastmux.trio.listener import Listener
from fastmux.trio.message_channel import MessageChannel
from fastmux.trio.server import Server, listen
from fastmux.trio.stream import Stream

__all__ = ["Connection", "Connector", "Listener", "MessageChannel", "Server", "Stream", "connect", "listen"]

del _trio
