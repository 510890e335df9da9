"""fastmux for programs written on anyio: the same on asyncio, uvloop and trio.

Owns: its public names. Needs the extra: pip install 'fastmux[anyio]'. A connection runs on the event loop
that anyio runs on; the adapters add anyio's interfaces and errors.
"""

from __future__ import annotations

try:
    import anyio as _anyio
except ImportError as error:
    raise ImportError(
        f"fastmux.anyio needs anyio ({error}); remedy: pip install 'fastmux[anyio]'", name="anyio"
    ) from error

from fastmux.anyio.attributes import FastmuxAttribute
from fastmux.anyio.byte_stream import ByteStream
from fastmux.anyio.connectable import Connectable
from fastmux.anyio.connection import Connection
from fastmux.anyio.listener import Listener
from fastmux.anyio.object_stream import ObjectStream, UnreliableObjectStream
from fastmux.anyio.opening import connect, listen

__all__ = [
    "ByteStream",
    "Connectable",
    "Connection",
    "FastmuxAttribute",
    "Listener",
    "ObjectStream",
    "UnreliableObjectStream",
    "connect",
    "listen",
]

del _anyio
