"""The channels of one connection: ids, limits, closed ids, and the lists of those with something to do.

Owns: which channels exist or existed, which of them have something to send, the frames that want sending
about channels, the ready list. May not know: packets, what a channel carries, which one sends next.
"""

from __future__ import annotations

from collections import OrderedDict
from heapq import heapify, heappop, heappush
from operator import index
from typing import Final

from fastmux._core_py.channel import Channel
from fastmux._core_py.credit import Credit
from fastmux._core_py.message_channel import MessageChannel
from fastmux._core_py.range_set import RangeSet
from fastmux._core_py.scheduler import Scheduler
from fastmux._core_py.stream_channel import StreamChannel
from fastmux.constants import (
    CHANNEL_LIMIT_ERROR,
    CHANNEL_STATE_ERROR,
    FRAME_MAX_CHANNEL_DATA,
    FRAME_MAX_CHANNELS,
    FRAME_MESSAGE_ABANDON,
    FRAME_MESSAGE_FIN,
    FRAME_OPEN,
    FRAME_RESET,
    FRAME_STOP,
    KIND_MESSAGE,
    KIND_STREAM,
    MAX_CHANNELS_LIMIT,
    MAX_STALE_ENTRIES,
    ROLE_CLIENT,
    ROLE_SERVER,
)
from fastmux.exceptions import ProtocolError, WouldBlock
from fastmux.records import OpenFields

_CHANNEL_FRAMES: Final = (
    FRAME_OPEN,
    FRAME_RESET,
    FRAME_STOP,
    FRAME_MAX_CHANNEL_DATA,
    FRAME_MESSAGE_FIN,
    FRAME_MESSAGE_ABANDON,
)


class Released:
    """Stands for a channel that is over: frames for it are ignored."""


RELEASED: Final = Released()


# Invariant: the peer's indices below `peer_next` are in `unseen` if they were never used; the others, and
# ours below `next_index`, are those of `channels` or over. `busy` are the ids of channels whose sending
# direction has something unsent or unacknowledged. `pending` names the frames to be built, one of a kind and
# channel.
class ChannelTable:
    """All channels of one connection."""

    __slots__ = (
        "busy",
        "channels",
        "counts",
        "credit",
        "expiries",
        "local_limits",
        "max_channel_data",
        "next_index",
        "peer_channel_data",
        "peer_limits",
        "peer_next",
        "pending",
        "ready",
        "role",
        "scheduler",
        "unseen",
        "write_limit",
    )

    def __init__(
        self, is_client: bool, limits: dict[int, int], max_channel_data: int, write_limit: int, credit: Credit
    ) -> None:
        self.role = ROLE_CLIENT if is_client else ROLE_SERVER
        self.local_limits = limits  # by kind: channels that the peer may ever open
        self.peer_limits = {KIND_STREAM: 0, KIND_MESSAGE: 0}
        self.next_index = {KIND_STREAM: 0, KIND_MESSAGE: 0}
        self.max_channel_data = max_channel_data
        self.peer_channel_data = 0
        self.write_limit = write_limit
        self.credit = credit
        self.channels: dict[int, Channel] = {}
        self.busy: set[int] = set()
        self.peer_next = {KIND_STREAM: 0, KIND_MESSAGE: 0}
        self.unseen = {KIND_STREAM: RangeSet(), KIND_MESSAGE: RangeSet()}
        self.scheduler = Scheduler(credit)
        self.pending: OrderedDict[tuple[int, int], Channel | None] = OrderedDict()
        self.ready: dict[int, int] = {}
        self.expiries: list[tuple[float, int]] = []
        self.counts = dict.fromkeys(("messages_abandoned", "streams_opened", "channels_opened"), 0)

    # --- ids ----------------------------------------------------------------------------------------

    def get(self, channel_id: int) -> Channel:
        """The channel; KeyError if the application has none of this id."""
        channel = self.get_unseen(channel_id)
        if channel.fields is None:
            raise KeyError(channel_id)
        return channel

    def get_unseen(self, channel_id: int) -> Channel:
        """The same, even if its OPEN is not here yet: it has credit all the same."""
        channel = self.channels[index(channel_id)]
        if channel.is_released:
            raise KeyError(channel_id)
        return channel

    def fields_of(self, channel_id: int) -> OpenFields:
        """What the channel's OPEN says; KeyError as `get`."""
        fields = self.get(channel_id).fields
        if fields is None:
            raise KeyError(channel_id)
        return fields

    def find(self, channel_id: int) -> Channel | Released | None:
        """What a frame of the peer speaks of: None if it would create the channel.

        ProtocolError for an id that the peer may not use.
        """
        channel = self.channels.get(channel_id)
        if channel is not None:
            return channel
        number, kind = channel_id >> 2, channel_id >> 1 & 1
        if channel_id & 1 == self.role:
            if number >= self.next_index[kind]:
                raise ProtocolError(CHANNEL_STATE_ERROR, "frame for a channel that was not opened")
            return RELEASED
        if number >= self.local_limits[kind]:
            raise ProtocolError(CHANNEL_LIMIT_ERROR, "channel id above the limit")
        is_new = number >= self.peer_next[kind] or number in self.unseen[kind]
        return None if is_new else RELEASED

    def open(self, kind: int, fields: OpenFields) -> int:
        """The id of a new channel of ours; WouldBlock at the peer's limit."""
        number = self.next_index[kind]
        if number >= self.peer_limits[kind]:
            raise WouldBlock("the peer takes no more channels of this kind now")
        self.next_index[kind] = number + 1
        channel = self.create(number << 2 | kind << 1 | self.role, fields)
        self.scheduler.admit(channel, fields.priority)
        self.queue(FRAME_OPEN, channel)
        channel.note_busy()
        return channel.id

    def create(self, channel_id: int, fields: OpenFields | None = None) -> Channel:
        """A new channel under an id that was checked."""
        is_message = channel_id >> 1 & 1 == KIND_MESSAGE
        if channel_id & 1 != self.role:
            self._use(channel_id >> 1 & 1, channel_id >> 2)
        make: type[Channel] = MessageChannel if is_message else StreamChannel
        channel = self.channels[channel_id] = make(self, channel_id, fields)
        self.count("channels_opened", 1)
        if not is_message:
            self.count("streams_opened", 1)
        return channel

    def _use(self, kind: int, number: int) -> None:
        """Notes that the peer has used an index for the first time; they may come in any order."""
        expected = self.peer_next[kind]
        if number < expected:
            self.unseen[kind]._cut(number, number + 1)
            return
        if number > expected:
            self.unseen[kind]._insert(expected, number)
        self.peer_next[kind] = number + 1

    def remove(self, channel: Channel) -> None:
        """Frees the slot of a channel that is over; a channel of the peer's gives it one more."""
        del self.channels[channel.id]
        self.scheduler.unlist(channel)
        self.scheduler.dismiss(channel)
        self.credit.forget(channel)
        self.credit.gap_count -= channel.told_gaps  # the ids of its messages that are done
        for frame_type in _CHANNEL_FRAMES:
            self.cancel(frame_type, channel)
        if channel.id & 1 != self.role:
            kind = channel.id >> 1 & 1
            self.raise_limit(kind, self.local_limits[kind] + 1)

    def raise_limit(self, kind: int, limit: int) -> None:
        """The peer may open `limit` channels of `kind` in all; it is told if that is more than before."""
        if self.local_limits[kind] < limit <= MAX_CHANNELS_LIMIT:
            self.local_limits[kind] = limit
            self.pending[FRAME_MAX_CHANNELS, kind] = None

    def set_peer(self, max_channel_data: int, limits: dict[int, int]) -> None:
        """What the peer's parameters say."""
        self.peer_channel_data = max_channel_data
        for channel in self.channels.values():
            channel.on_peer_limit(max_channel_data)
        for kind, limit in limits.items():
            self.on_peer_limit(kind, limit)

    def on_peer_limit(self, kind: int, limit: int) -> bool:
        """MAX_CHANNELS; True if it is more than before."""
        if limit <= self.peer_limits[kind]:
            return False
        self.peer_limits[kind] = limit
        return True

    # --- lists --------------------------------------------------------------------------------------

    def schedule(self, channel: Channel) -> None:
        """Puts the channel where it belongs, and out of where it does not: O(1)."""
        is_free = channel.needs_no_credit
        if is_free or channel.has_new:
            self.scheduler.enlist(channel, is_free)
        else:
            self.scheduler.unlist(channel)

    def queue(self, kind: int, channel: Channel) -> None:
        """A frame of this kind is to be sent for the channel."""
        self.pending[kind, channel.id] = channel

    def cancel(self, kind: int, channel: Channel) -> None:
        """It is not, after all."""
        self.pending.pop((kind, channel.id), None)

    def notify(self, channel_id: int, flags: int) -> None:
        """Adds flags to the channel's entry of the ready list."""
        self.ready[channel_id] = self.ready.get(channel_id, 0) | flags

    def take_ready(self) -> list[tuple[int, int]]:
        """Each channel with news since the last call, with its flags."""
        ready = list(self.ready.items())
        self.ready.clear()
        return ready

    def count(self, name: str, amount: int) -> None:
        """Adds to one of the counters."""
        self.counts[name] += amount

    # --- lifetimes ----------------------------------------------------------------------------------

    def watch_expiry(self, channel: MessageChannel) -> None:
        """Notes when the channel's oldest message expires: one entry a channel, and some of those gone."""
        at = channel.sending.expiry_at
        if at is not None and not channel.sending.is_expiry_watched:
            if len(self.expiries) > 2 * len(self.channels) + MAX_STALE_ENTRIES:
                self.expiries = [entry for entry in self.expiries if entry[1] in self.channels]
                heapify(self.expiries)
            channel.sending.is_expiry_watched = True
            heappush(self.expiries, (at, channel.id))

    @property
    def expiry_at(self) -> float | None:
        """When the next message expires."""
        while self.expiries:
            at, channel_id = self.expiries[0]
            channel = self.channels.get(channel_id)
            if isinstance(channel, MessageChannel) and channel.sending.expiry_at == at:
                return at
            heappop(self.expiries)
            if isinstance(channel, MessageChannel):
                channel.sending.is_expiry_watched = False
                self.watch_expiry(channel)
        return None

    def expire(self, now: float) -> None:
        """Gives up the messages whose lifetime is over."""
        at = self.expiry_at
        while at is not None and at <= now:
            channel = self.channels[self.expiries[0][1]]
            if isinstance(channel, MessageChannel):
                channel.expire(now)
            at = self.expiry_at
