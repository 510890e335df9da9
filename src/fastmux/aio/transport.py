"""What the driver asks of whatever carries datagrams.

Owns: the interface that the train socket, its fall-back and the tests' link have in common. May not know:
sockets. A train is a row of datagrams of `segment_size` bytes (the last may be shorter) from or for one
address that one call of the system moves; trains that go on where the last one ended make a longer row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from fastmux.constants import TRAIN_BUFFER_SIZE
from fastmux.protocol.events import Address

TRAINS_PER_CALL: Final = 16  # that one call takes or fills: so much does Python share itself among
BUFFER_SIZE: Final = TRAINS_PER_CALL * TRAIN_BUFFER_SIZE

Row = tuple[int, int, int, Address]
"""Where received datagrams stand: `(start, size, segment_size, address)`, the last may be shorter."""


class TrainTransport(Protocol):
    """Carries trains both ways and never raises for what the network does."""

    @property
    def buffer(self) -> memoryview:
        """Where `receive` puts datagrams, shared by the thread: they stay until anybody's next `receive`."""
        ...

    @property
    def is_drained(self) -> bool:
        """True if nothing more waited at the last `receive`."""
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
    def may_fragment(self) -> bool:
        """True if the system or the network may cut a datagram: then MTU probes prove nothing."""
        ...

    @property
    def sockname(self) -> Address:
        """The local address."""
        ...

    def start(
        self,
        on_readable: Callable[[], None],
        on_writable: Callable[[], None],
        on_lost: Callable[[OSError], None] | None = None,
    ) -> None:
        """Call `on_readable` again and again while there is something, `on_writable` after a block.

        `on_lost` is called once, in a turn of its own, if the socket itself is gone: somebody closed it, or
        the loop gave it up. From then on nothing comes and what is sent is lost.
        """
        ...

    def receive(self) -> list[Row]:
        """Take what waits, at most TRAINS_PER_CALL trains, into `buffer`; empty if there is nothing now."""
        ...

    def send(self, buffer: memoryview, size: int, segment_size: int, address: Address) -> None:
        """Send the first `size` bytes as datagrams of `segment_size`, in as many trains as it takes.

        What the network refuses counts as lost. Not to be called while `is_blocked`.
        """
        ...

    def close(self) -> None:
        """Stop and free everything; may be called twice."""
        ...

    def forsake(self) -> None:
        """In a child of fork: send and take nothing more. The loop is not told: it watches for the parent."""
        ...

    def counters(self) -> dict[str, int]:
        """What was sent and received, and what was not."""
        ...
