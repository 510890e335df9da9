"""Answers pings of the far end.

Owns: how many are answered, and how large they may be. May not know: what they measure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastmux.exceptions import WouldBlock
from fastmux.tunnel.constants import (
    MAX_PING_MESSAGE_SIZE,
    PING_ANSWER_BURST,
    PING_ANSWER_RATE,
    PRIORITY_INTERACTIVE,
)
from fastmux.tunnel.forwarding.counters import ChannelRecord

if TYPE_CHECKING:
    from fastmux.aio.message_channel import MessageChannel


class PingEcho:
    """Sends pings back, at most PING_ANSWER_RATE a second and a burst; drops the others and larger ones.

    One for a connection, so that many channels get no more answers than one. Invariant: `_tokens` answers
    may be given at `_counted_at`, at most the burst.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tokens = float(PING_ANSWER_BURST)
        self._counted_at = clock()

    async def serve(self, channel: MessageChannel, record: ChannelRecord) -> None:
        """Answer the pings of a channel until it ends. Raises what `MessageChannel.receive` raises."""
        channel.priority = PRIORITY_INTERACTIVE
        async for message in channel:
            record.received_size += len(message)
            if len(message) <= MAX_PING_MESSAGE_SIZE and self._take():
                try:
                    channel.send_nowait(message)
                except WouldBlock:
                    continue  # a peer that does not take its answers gets none
                record.sent_size += len(message)

    def _take(self) -> bool:
        now = self._clock()
        self._tokens = min(PING_ANSWER_BURST, self._tokens + (now - self._counted_at) * PING_ANSWER_RATE)
        self._counted_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
