"""What a channel needs of the connection that it belongs to.

Owns: the interface. May not know: who provides it (`ChannelTable` does, and `portmux`'s links).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fastmux.aio.loop import Loop
from fastmux.aio.wakeups import Wakeups

if TYPE_CHECKING:
    from fastmux.aio.channel import Channel
    from fastmux.core import DataPath


class ChannelHost(Protocol):
    """What a channel needs of its connection."""

    @property
    def loop(self) -> Loop:
        """The event loop of the connection."""
        ...

    @property
    def wakeups(self) -> Wakeups:
        """What makes the waiters of its tasks, and calls back."""
        ...

    @property
    def data_path(self) -> DataPath:
        """Where the channel's data is."""
        ...

    @property
    def write_limit(self) -> int:
        """Unsent bytes at which senders wait."""
        ...

    @property
    def closed_error(self) -> ConnectionError | None:
        """Why the connection is over, None while it is not."""
        ...

    @property
    def is_closing(self) -> bool:
        """True once this end has begun to close the connection."""
        ...

    @property
    def is_discarded(self) -> bool:
        """True once what the data path still held is gone with the connection."""
        ...

    def now(self) -> float:
        """The connection's clock, in seconds."""
        ...

    def schedule(self) -> None:
        """Something was written, read or ended: see to it before the loop's next turn."""
        ...

    def wrote(self) -> None:
        """Data were written: as `schedule`, and where much was written in this turn it leaves at once."""
        ...

    def release(self, channel_id: int) -> None:
        """This end holds the channel no more; the core was told of what it ended."""
        ...

    def abandon(self, channel_id: int, is_send_finished: bool) -> None:
        """The last reference to an open channel went away. May be called from anywhere, at any time."""
        ...

    def keep(self, channel: Channel) -> None:
        """Hold a reference to a channel that calls back: nobody else may have one."""
        ...

    def let_go(self, channel: Channel) -> None:
        """Hold it no longer; may be repeated."""
        ...

    def get_extra_info(self, name: str, default: object = None) -> object:
        """A fact about the connection."""
        ...
