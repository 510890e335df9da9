"""Which channel sends next (docs/architecture.md, Priorities).

The most urgent level first; within a level deficit round robin by weight (Shreedhar and Varghese, "Efficient
Fair Queuing Using Deficit Round Robin", 1996). Owns: the rings, whose turn it is, the credit that less urgent
channels leave to others. May not know: frames, packets, why a channel has something to send.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from fastmux.constants import (
    LONG_TURN_CHANNELS,
    LONG_TURN_SHARE,
    MAX_TURN_PACKETS,
    PRIORITY_LEVELS,
    PRIORITY_RESERVE,
    PRIORITY_RESERVE_DIVISOR,
    PRIORITY_WEIGHTS,
)

if TYPE_CHECKING:
    from fastmux._core_py.channel import Channel
    from fastmux._core_py.credit import Credit

_ALL_RINGS = (1 << PRIORITY_LEVELS) - 1
_ALL_FREE = _ALL_RINGS << PRIORITY_LEVELS

Ring = OrderedDict[int, "Channel"]


class Turn(NamedTuple):
    """The channel that sends now, and the number of the ring that it stands in.

    `held` is the credit of the connection that it leaves to more urgent ones. (From a ring of those that need
    no credit nothing goes that does.)
    """

    channel: Channel
    ring: int
    held: int


# Invariant: bit R of `_listed` is set exactly when `_rings[R]` has members; ring R is of level R & 7. The
# first eight rings hold every channel with something to send that its own limit does not block (and perhaps
# some with nothing left), the others those of them that need no connection credit. Bit W - 1 of `_weights[L]`
# is set exactly when `_weight_counts[L, W] > 0`, the number of channels of weight W in ring L; bit L of
# `_sender_levels` exactly when `_senders[L] > 0`, the number of channels with `is_sender` of level L. A
# channel in a ring is a sender.
class Scheduler:
    """The order in which the channels of one connection send."""

    __slots__ = (
        "_credit",
        "_listed",
        "_reserve",
        "_rings",
        "_sender_levels",
        "_senders",
        "_turn_packets",
        "_weight_counts",
        "_weights",
        "channels_asked",
    )

    def __init__(self, credit: Credit) -> None:
        self._credit = credit
        self._rings: list[Ring] = [OrderedDict() for _ in range(2 * PRIORITY_LEVELS)]
        self._listed = 0
        self._senders = [0] * PRIORITY_LEVELS
        self._sender_levels = 0
        self._weights = [0] * PRIORITY_LEVELS
        self._weight_counts: Counter[tuple[int, int]] = Counter()
        self._reserve = 0
        self._turn_packets = 1  # of a turn where many wait
        self.channels_asked = 0

    # --- rings --------------------------------------------------------------------------------------

    def enlist(self, channel: Channel, is_free: bool) -> None:
        """Puts the channel at the end of its ring unless it is there, of the other ring too if `is_free`."""
        self._add(channel.level, channel)
        if is_free:
            self._add(channel.level + PRIORITY_LEVELS, channel)
        else:
            self._remove(channel.level + PRIORITY_LEVELS, channel)

    def unlist(self, channel: Channel) -> None:
        """Takes the channel out of both rings."""
        self._remove(channel.level, channel)
        self._remove(channel.level + PRIORITY_LEVELS, channel)

    def clear(self) -> None:
        """Forgets every channel."""
        for ring in self._rings:
            ring.clear()
        self._listed = 0

    def _add(self, number: int, channel: Channel) -> None:
        if channel.id in self._rings[number]:
            return
        self._rings[number][channel.id] = channel
        self._listed |= 1 << number
        if number < PRIORITY_LEVELS:
            self._weight_counts[number, channel.weight] += 1
            self._weights[number] |= 1 << channel.weight - 1

    def _remove(self, number: int, channel: Channel) -> None:
        if self._rings[number].pop(channel.id, None) is None:
            return
        if not self._rings[number]:
            self._listed &= ~(1 << number)
        if number < PRIORITY_LEVELS:
            self._weight_counts[number, channel.weight] -= 1
            if not self._weight_counts[number, channel.weight]:
                self._weights[number] &= ~(1 << channel.weight - 1)

    # --- turns --------------------------------------------------------------------------------------

    @property
    def choice(self) -> int:
        """A bit for every ring whose channels may send now, the most urgent one lowest."""
        left = self._credit.available
        if left > self._reserve:
            return self._listed & _ALL_RINGS
        if left > 0:
            first = self._listed & self._sender_levels & -self._sender_levels
            if first:
                return first
        return self._listed & _ALL_FREE

    def set_allowance(self, size_limit: int, segment_size: int) -> None:
        """What one fill may send: the more, the longer a turn where many wait, and the fewer readers wake."""
        packets = size_limit // (LONG_TURN_SHARE * segment_size)
        self._turn_packets = min(max(packets, 1), MAX_TURN_PACKETS)

    def next(self, capacity: int) -> Turn | None:
        """Whose turn it is; None if none may send.

        `capacity` is what a packet carries. A turn is as many packets as the channel's weight is times the
        lightest one's of its level, so that the lightest has one, or a few where many wait on a fast path.
        Who is alone in its ring has no turns.
        """
        choice = self.choice
        if not choice:
            return None
        number = _lowest_bit(choice)
        ring = self._rings[number]
        channel = next(iter(ring.values()))
        self.channels_asked += 1
        if len(ring) > 1 and channel.quota < capacity:  # its turn begins
            lightest = _lowest_bit(self._weights[channel.level]) + 1
            quantum = capacity * (self._turn_packets if len(ring) > LONG_TURN_CHANNELS else 1)
            channel.quota += quantum * channel.weight // lightest
        has_more_urgent = self._sender_levels & ((1 << number) - 1)
        return Turn(channel, number, self._reserve if has_more_urgent else 0)

    def after(self, turn: Turn, sent: int, capacity: int) -> bool:
        """The channel sent so much, and was scheduled again: True if it has more, and no room for it."""
        channel, number, held = turn
        ring = self._rings[number]
        if channel.id not in ring:
            if channel.id not in self._rings[channel.level]:
                channel.quota = 0  # who leaves saves nothing
            return False
        if len(ring) > 1:
            channel.quota -= sent
            if channel.quota < capacity:  # its turn is over; what is left counts for the next
                ring.move_to_end(channel.id)
        return number >= PRIORITY_LEVELS or self._credit.available > held

    # --- priorities ---------------------------------------------------------------------------------

    def admit(self, channel: Channel, priority: int) -> None:
        """The channel's OPEN is known: it may send, with this priority."""
        _place(channel, priority)
        channel.is_sender = True
        self._count(channel, 1)

    def dismiss(self, channel: Channel) -> None:
        """The channel will never send again; nothing happens if that was known."""
        if channel.is_sender:
            channel.is_sender = False
            self._count(channel, -1)

    def set_priority(self, channel: Channel, priority: int) -> None:
        """Moves the channel to the end of its new level's rings; it stays where it is if nothing changes."""
        if priority == channel.level * PRIORITY_WEIGHTS + PRIORITY_WEIGHTS - channel.weight:
            return
        was_listed = channel.id in self._rings[channel.level]
        was_free = channel.id in self._rings[channel.level + PRIORITY_LEVELS]
        was_sender = channel.is_sender
        self.unlist(channel)
        self.dismiss(channel)
        _place(channel, priority)
        if was_sender:
            channel.is_sender = True
            self._count(channel, 1)
        if was_listed:
            self.enlist(channel, was_free)

    def set_window(self, window: int) -> None:
        """The peer's first window of the connection: how much credit is kept back."""
        self._reserve = min(PRIORITY_RESERVE, window // PRIORITY_RESERVE_DIVISOR)

    def _count(self, channel: Channel, change: int) -> None:
        """One sender more or less at the channel's level."""
        self._senders[channel.level] += change
        if self._senders[channel.level]:
            self._sender_levels |= 1 << channel.level
        else:
            self._sender_levels &= ~(1 << channel.level)


def _place(channel: Channel, priority: int) -> None:
    channel.level = priority // PRIORITY_WEIGHTS
    channel.weight = PRIORITY_WEIGHTS - priority % PRIORITY_WEIGHTS
    channel.quota = 0


def _lowest_bit(bits: int) -> int:
    """Its place, of a number that is not 0."""
    return (bits & -bits).bit_length() - 1
