"""What the driver asks of whatever carries datagrams.

Owns: the interface that the train socket, its fall-back and the tests' link have in common. May not know:
sockets. A train is a row of datagrams of `segment_size` bytes (the last may be shorter) from or for one
address.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fastmux.protocol.events import Address

BUFFER_SIZE = 65536  # no train is larger: UDP's length field has 16 bits
SEND_BUFFER_SIZE = 4 * BUFFER_SIZE  # trains that one call fills: Python's share of each is a quarter


class TrainTransport(Protocol):
    """Carries trains both ways and never raises for what the network does."""

    @property
    def buffer(self) -> bytearray:
        """Where `receive` puts a train; its content holds until the next `receive`."""
        ...

    @property
    def is_blocked(self) -> bool:
        """True while a train waits for the kernel; `on_writable` is called when it is gone."""
        ...

    @property
    def path(self) -> str:
        """Which way datagrams go, for reports: "gso+gro", "gro", "plain", …"""
        ...

    @property
    def sockname(self) -> Address:
        """The local address."""
        ...

    def start(self, on_readable: Callable[[], None], on_writable: Callable[[], None]) -> None:
        """Call `on_readable` again and again while there is something, `on_writable` after a block."""
        ...

    def receive(self) -> tuple[int, int, Address] | None:
        """Take the next train into `buffer`: `(size, segment_size, address)`, None if there is none now."""
        ...

    def send(self, buffer: memoryview, size: int, segment_size: int, address: Address) -> None:
        """Send the first `size` bytes as datagrams of `segment_size`, in as many trains as it takes.

        What the network refuses counts as lost. Not to be called while `is_blocked`.
        """
        ...

    def close(self) -> None:
        """Stop and free everything; may be called twice."""
        ...

    def counters(self) -> dict[str, int]:
        """What was sent and received, and what was not."""
        ...
