"""Opening channels of either kind.

Owns: what is asked of the core for an opening, and a line of openers for each kind. May not know: how a line
is kept; incoming channels.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import cast

from fastmux import constants as c
from fastmux.aio.channel_table import ChannelTable
from fastmux.aio.message_channel import MessageChannel
from fastmux.aio.open_fields import check_priority, encode_label, reliability_of
from fastmux.aio.openers import Openers
from fastmux.aio.stream import Stream


class Openings:
    """The outgoing side of one connection. Invariant: `_openers` has a line for each kind that was opened."""

    __slots__ = ("_channels", "_openers")

    def __init__(self, channels: ChannelTable) -> None:
        self._channels = channels
        self._openers: dict[int, Openers] = {}

    def stream(self, label: str, priority: int) -> Coroutine[object, object, Stream]:
        """`Connection.open_stream`."""
        encoded = encode_label(label)
        check_priority(priority)

        def attempt() -> Stream:
            self._channels.check_usable()
            channel_id = self._channels.data_path.open(c.KIND_STREAM, encoded, priority)
            self._channels.schedule()
            return cast(Stream, self._channels.make(channel_id))

        return self._openers_of(c.KIND_STREAM).open(attempt)

    def message_channel(
        self,
        label: str,
        priority: int,
        ordered: bool,
        reliable: bool,
        max_retransmits: int | None,
        lifetime: float | None,
    ) -> Coroutine[object, object, MessageChannel]:
        """`Connection.open_message_channel`."""
        encoded = encode_label(label)
        check_priority(priority)
        reliability, value = reliability_of(reliable, max_retransmits, lifetime)

        def attempt() -> MessageChannel:
            self._channels.check_usable()
            channel_id = self._channels.data_path.open(
                c.KIND_MESSAGE, encoded, priority, bool(ordered), reliability, value
            )
            self._channels.schedule()
            return cast(MessageChannel, self._channels.make(channel_id))

        return self._openers_of(c.KIND_MESSAGE).open(attempt)

    def _openers_of(self, kind: int) -> Openers:
        openers = self._openers.get(kind)
        if openers is None:
            openers = self._openers[kind] = Openers(self._channels.wakeups)
        return openers

    def wake(self) -> None:
        """A limit may have been raised."""
        for openers in self._openers.values():
            openers.wake()

    def wake_all(self) -> None:
        """Everybody's attempt will raise now."""
        for openers in self._openers.values():
            openers.wake_all()
