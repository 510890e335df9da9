"""From a local socket that was just accepted to its end: opens its stream, splices, counts.

Owns: that every such socket has one record, closed with what became of it. May not know: who accepted the
socket, how its stream is opened.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from fastmux.aio.answers import OpenRefused
from fastmux.exceptions import ClosedResourceError
from fastmux.tunnel.forwarding.counters import ChannelRecord, ChannelRegistry
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.forwarding.socket_end import prepare, reset_socket
from fastmux.tunnel.forwarding.splice import splice

if TYPE_CHECKING:
    from fastmux.aio.stream import Stream

CANCELLED: Final = "cancelled"


async def carry(
    sock: socket.socket,
    open_stream: Callable[[], Awaitable[Stream]],
    record: ChannelRecord,
    registry: ChannelRegistry,
    limits: Sequence[RateLimit] = (),
) -> None:
    """Carry `sock` over the stream that `open_stream` opens, until both have ended; takes the socket over.

    If the stream cannot be opened the socket is reset, and the record says why. Closes `record`.
    """
    outcome = CANCELLED
    try:
        prepare(sock)  # not only when its stream is open: until then this process may be killed
        try:
            stream = await open_stream()
        except (OpenRefused, OSError, ClosedResourceError) as error:
            outcome = f"not opened: {error}"
        else:
            outcome = await splice(stream, sock, record, limits)
    finally:
        reset_socket(sock)
        registry.close(record, outcome)
