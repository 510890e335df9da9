"""fastmux: many independent channels over one authenticated UDP connection.

Owns: the public names and where each one lives. May not know: what they do. A name is loaded when
it is first used, so that `import fastmux` costs little: it loads neither OpenSSL nor asyncio.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from fastmux._version import __version__

if TYPE_CHECKING:
    from fastmux import constants, core, exceptions
    from fastmux.aio.backoff import Backoff
    from fastmux.aio.client import connect
    from fastmux.aio.connection import Connection
    from fastmux.aio.message_channel import MessageChannel
    from fastmux.aio.server import Server, listen
    from fastmux.aio.stream import Stream
    from fastmux.aio.worker_group import WorkerPlace, bind_group
    from fastmux.exceptions import (
        AuthenticationError,
        BrokenResourceError,
        BusyResourceError,
        ChannelReset,
        ClosedResourceError,
        ConnectionClosed,
        EndOfStream,
        HandshakeError,
        MessageTooBig,
        ProtocolError,
        WouldBlock,
    )
    from fastmux.protocol.connection_ids import RandomIds
    from fastmux.protocol.handshake import PeerIdentity
    from fastmux.protocol.routable_ids import RoutableIds
    from fastmux.security.config import PLAINTEXT, TLSConfig

_SUBMODULES = frozenset({"constants", "core", "exceptions"})
_HOMES = {
    "PLAINTEXT": "fastmux.security.config",
    "AuthenticationError": "fastmux.exceptions",
    "Backoff": "fastmux.aio.backoff",
    "BrokenResourceError": "fastmux.exceptions",
    "BusyResourceError": "fastmux.exceptions",
    "ChannelReset": "fastmux.exceptions",
    "ClosedResourceError": "fastmux.exceptions",
    "Connection": "fastmux.aio.connection",
    "ConnectionClosed": "fastmux.exceptions",
    "EndOfStream": "fastmux.exceptions",
    "HandshakeError": "fastmux.exceptions",
    "MessageChannel": "fastmux.aio.message_channel",
    "MessageTooBig": "fastmux.exceptions",
    "PeerIdentity": "fastmux.protocol.handshake",
    "ProtocolError": "fastmux.exceptions",
    "RandomIds": "fastmux.protocol.connection_ids",
    "RoutableIds": "fastmux.protocol.routable_ids",
    "Server": "fastmux.aio.server",
    "Stream": "fastmux.aio.stream",
    "TLSConfig": "fastmux.security.config",
    "WorkerPlace": "fastmux.aio.worker_group",
    "WouldBlock": "fastmux.exceptions",
    "bind_group": "fastmux.aio.worker_group",
    "connect": "fastmux.aio.client",
    "listen": "fastmux.aio.server",
}

__all__ = [
    "PLAINTEXT",
    "AuthenticationError",
    "Backoff",
    "BrokenResourceError",
    "BusyResourceError",
    "ChannelReset",
    "ClosedResourceError",
    "Connection",
    "ConnectionClosed",
    "EndOfStream",
    "HandshakeError",
    "MessageChannel",
    "MessageTooBig",
    "PeerIdentity",
    "ProtocolError",
    "RandomIds",
    "RoutableIds",
    "Server",
    "Stream",
    "TLSConfig",
    "WorkerPlace",
    "WouldBlock",
    "__version__",
    "bind_group",
    "connect",
    "constants",
    "core",
    "exceptions",
    "listen",
]


def _load(name: str) -> object:
    """Load a public name from its home and keep it (PEP 562)."""
    if name in _SUBMODULES:
        return importlib.import_module(f"fastmux.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'fastmux' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


if not TYPE_CHECKING:  # a type checker must still find a misspelt name
    __getattr__ = _load


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
