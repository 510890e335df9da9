"""The connection's credit (docs/wire-format.md §10), both ways, and what received data occupies.

Owns: the sums over all channels and the list of limits that want raising. May not know: how high a limit
should be, frames, packets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastmux.constants import (
    CONNECTION_CHANNEL,
    CREDIT_STEP,
    CREDIT_STEP_DIVISOR,
    FRAGMENT_UNIT,
    MAX_UNACKED_SIZE,
    MIN_RECEIVED_SPANS,
    RECEIVED_SPAN_DIVISOR,
)

if TYPE_CHECKING:
    from fastmux._core_py.channel import Channel


def credit_step(window: int) -> int:
    """How much credit is worth giving at once: a quarter of a window, or a train if that is up to half."""
    return min((window + 1) // 2, max(window // CREDIT_STEP_DIVISOR, CREDIT_STEP))


# Invariant: consumed <= charged; charged, consumed and held_size are the sums of those of all channels,
# released ones included (they hold nothing). sent_released is what of sent_charged the peer has confirmed so
# that nothing of it is kept: of streams from the front, of messages whole. sent_charged may pass peer_limit,
# and sent_released + max_unacked, by one message. `gap_count` is the sum of that of all channels there are.
class Credit:
    """Bytes that may be sent and received over all channels of one connection."""

    __slots__ = (
        "_due",
        "_listed_at",
        "budget",
        "charged",
        "consumed",
        "gap_count",
        "held_size",
        "limit",
        "max_message_charge",
        "max_unacked",
        "peer_limit",
        "sent_charged",
        "sent_released",
        "window",
    )

    def __init__(self, max_data: int, budget: int, max_message_size: int) -> None:
        self.limit = self.window = max_data
        self.budget = budget
        self.max_message_charge = (max_message_size + FRAGMENT_UNIT - 1) // FRAGMENT_UNIT * FRAGMENT_UNIT
        self.charged = self.consumed = self.held_size = 0
        self.max_unacked = max(budget, MAX_UNACKED_SIZE)
        self.peer_limit = self.sent_charged = self.sent_released = self.gap_count = 0
        self._due: dict[int, Channel] = {}
        self._listed_at: int | None = None  # `consumed` when the connection was listed

    @property
    def available(self) -> int:
        """Bytes that may be sent; not above zero when the peer must raise its limit, or confirm, first."""
        return min(self.peer_limit, self.sent_released + self.max_unacked) - self.sent_charged

    @property
    def max_spans(self) -> int:
        """Runs that may be in all channels, beside one each."""
        return max(MIN_RECEIVED_SPANS, self.budget // RECEIVED_SPAN_DIVISOR)

    def note(self, channel: Channel) -> None:
        """The channel's limit wants raising."""
        self._due[channel.id] = channel

    def forget(self, channel: Channel) -> None:
        """The channel's limit matters no more."""
        self._due.pop(channel.id, None)

    def clear(self) -> None:
        """Forgets every channel."""
        self._due.clear()

    def raise_limit(self, limit: int, window: int) -> bool:
        """True if the connection's limit rose."""
        self.window = window
        if limit <= self.limit:
            return False
        self.limit = limit
        self._listed_at = None
        return True

    @property
    def is_due(self) -> bool:
        """True if `take` would list something."""
        return bool(self._due) or self._is_connection_due

    @property
    def _is_connection_due(self) -> bool:
        is_news = self._listed_at is None or self.consumed > self._listed_at
        return is_news and self.charged + self.window - self.limit >= credit_step(self.window)

    def take(self) -> list[tuple[int, int, int, int]]:
        """(channel id, consumed, charged, limit) of each channel noted, then of the connection if it is due.

        The connection is due when a `credit_step` of its window is charged; again, while its limit does not
        rise, when more was consumed since it was listed.
        """
        due = [
            (channel.id, channel.consumed, channel.charged, channel.limit) for channel in self._due.values()
        ]
        self._due.clear()
        if self._is_connection_due:
            self._listed_at = self.consumed
            due.append((CONNECTION_CHANNEL, self.consumed, self.charged, self.limit))
        return due
