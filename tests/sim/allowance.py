"""What one end may send by what the other has granted (I8; wire format §8 to §10), seen from outside.

Owns: limits and charges of one sender, by the frames that were seen. May not know: packets, which end is
right.
"""

from __future__ import annotations

from typing import Any

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from sim.model import Wrong


def require(holds: bool, text: str) -> None:
    """Raise `Wrong` unless it holds."""
    if not holds:
        raise Wrong(text)


class Allowance:
    """`role` sends, `peer` is the configuration of the other end, where credit starts.

    Invariant: `_sizes` has the highest offset of a stream or the charges of a message channel, of those that
    this role sent on; `total` is their sum; `_counts` the messages started.
    """

    def __init__(self, role: int, peer: Configuration) -> None:
        self.total = 0
        self.limit = peer.connection_window
        self._role = role
        self._first_limit = peer.channel_window
        self._limits: dict[int, int] = {}
        self._channels = {c.KIND_STREAM: peer.max_streams, c.KIND_MESSAGE: peer.max_message_channels}
        self._sizes: dict[int, int] = {}
        self._counts: dict[int, int] = {}

    def raise_to(self, frame: Any) -> bool:
        """The other end granted more by a MAX_ frame; False if it took something back."""
        kind, *fields = frame
        if kind == c.FRAME_MAX_DATA:
            (limit,) = fields
            before, self.limit = self.limit, max(self.limit, limit)
        elif kind == c.FRAME_MAX_CHANNEL_DATA:
            channel_id, limit = fields
            before = self._limits.get(channel_id, self._first_limit)
            self._limits[channel_id] = max(before, limit)
        else:
            channel_kind, limit = fields
            before = self._channels[channel_kind]
            self._channels[channel_kind] = max(before, limit)
        return bool(limit >= before)

    def on_stream(self, channel_id: int, stop: int) -> None:
        """Stream bytes up to an offset were sent."""
        self._check_channel(channel_id)
        before = self._sizes.get(channel_id, 0)
        if stop <= before:
            return
        self._sizes[channel_id] = stop
        self.total += stop - before
        limit = self._limits.get(channel_id, self._first_limit)
        require(stop <= limit, f"I8: offset {stop} on channel {channel_id}, limit {limit}")
        require(self.total <= self.limit, f"I8: {self.total} bytes on all channels, limit {self.limit}")

    def on_message(self, channel_id: int, message_id: int, count: int) -> None:
        """A fragment of a message of `count` units was sent."""
        self._check_channel(channel_id)
        following = self._counts.get(channel_id, 0)
        if message_id < following:
            return
        require(
            message_id == following, f"message {message_id} on channel {channel_id} after {following - 1}"
        )
        self._counts[channel_id] = following + 1
        charged = self._sizes.get(channel_id, 0)
        limit = self._limits.get(channel_id, self._first_limit)
        require(
            charged < limit, f"I8: a message on channel {channel_id}, which has used {charged} of {limit}"
        )
        require(self.total < self.limit, f"I8: a message, and {self.total} of {self.limit} are used")
        self._sizes[channel_id] = charged + count * c.FRAGMENT_UNIT
        self.total += count * c.FRAGMENT_UNIT

    def on_reset(self, channel_id: int, final_size: int, charged: int) -> None:
        """A direction was given up, and this is what it is said to have used."""
        self._check_channel(channel_id)
        used = self._sizes.get(channel_id, 0)
        require(charged == used, f"I8: a reset of channel {channel_id} charges {charged}, {used} were used")
        is_stream = channel_id >> 1 & 1 == c.KIND_STREAM
        size = used if is_stream else self._counts.get(channel_id, 0)
        require(final_size == size, f"a reset of channel {channel_id} ends it at {final_size}, not {size}")

    def has_channel(self, channel_id: int) -> bool:
        """False for a channel that this role must not open yet."""
        index, kind, opener = channel_id >> 2, channel_id >> 1 & 1, channel_id & 1
        return opener != self._role or index < self._channels[kind]

    def _check_channel(self, channel_id: int) -> None:
        if not self.has_channel(channel_id):
            raise Wrong(f"I8: channel {channel_id} is not allowed yet")
