"""The driver on trio's loop.

Owns: which clock, loop and sockets it gets. May not know: what it does with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from fastmux.aio.driver import Driver
from fastmux.aio.loop import Handle
from fastmux.aio.transport import TrainTransport
from fastmux.protocol.configuration import Configuration
from fastmux.trio.loop import running_loop
from fastmux.trio.transport import open_transport


class TrioDriver(Driver):
    """A `Driver` for the trio run that it is made in; `options` are the driver's."""

    def __init__(self, transport: TrainTransport, configuration: Configuration, **options: Any) -> None:
        super().__init__(transport, configuration, clock=trio.current_time, loop=running_loop(), **options)

    @staticmethod
    def _at_loop_end(callback: Callable[[], object]) -> Handle:
        return running_loop().at_end(callback)

    async def open_transport(self, family: int, local: tuple[object, ...] | None) -> TrainTransport:
        """One more socket, for a client that moves. Raises OSError if the address cannot be bound."""
        return open_transport(family, local)
