"""The parts of one data path, put together.

Owns: which part knows which, and the defaults of the limits. May not know: what the parts do.
"""

from __future__ import annotations

from typing import TypedDict

from fastmux._core_py._ack_policy import AckPolicy
from fastmux._core_py._arguments import integer, seconds
from fastmux._core_py._datagrams import Datagrams
from fastmux._core_py.channel_table import ChannelTable
from fastmux._core_py.control import Control
from fastmux._core_py.credit import Credit
from fastmux._core_py.key_update import KeyUpdate
from fastmux._core_py.packet_reader import PacketReader
from fastmux._core_py.packet_writer import PacketWriter
from fastmux._core_py.recovery import Recovery
from fastmux.constants import (
    CHANNEL_CHARGE,
    CONNECTION_BUDGET,
    CONTROL_CHARGE,
    DATAGRAM_CHARGE,
    DEFAULT_MAX_MESSAGE_CHANNELS,
    DEFAULT_MAX_STREAMS,
    INITIAL_CHANNEL_WINDOW,
    INITIAL_CONNECTION_WINDOW,
    KIND_MESSAGE,
    KIND_STREAM,
    MAX_ACK_DELAY,
    MAX_CHANNELS_LIMIT,
    MAX_DATAGRAM_FRAME_SIZE,
    MAX_MESSAGE_SIZE,
    MAX_SIZE_SETTING,
    PACKET_CHARGE,
    SPAN_CHARGE,
    WRITE_LIMIT,
)
from fastmux.records import Charges


class Limits(TypedDict, total=False):
    """What this end takes; bytes, numbers of channels, seconds."""

    max_data: int
    max_channel_data: int
    max_streams: int
    max_message_channels: int
    max_message_size: int
    max_datagram_frame_size: int
    max_ack_delay: float
    write_limit: int
    budget: int
    initial_packet_number: int


DEFAULTS: Limits = {
    "max_data": INITIAL_CONNECTION_WINDOW,
    "max_channel_data": INITIAL_CHANNEL_WINDOW,
    "max_streams": DEFAULT_MAX_STREAMS,
    "max_message_channels": DEFAULT_MAX_MESSAGE_CHANNELS,
    "max_message_size": MAX_MESSAGE_SIZE,
    "max_datagram_frame_size": MAX_DATAGRAM_FRAME_SIZE,
    "max_ack_delay": MAX_ACK_DELAY,
    "write_limit": WRITE_LIMIT,
    "budget": CONNECTION_BUDGET,
    "initial_packet_number": 0,
}


class Parts:
    """Everything that one connection's data path is made of."""

    __slots__ = (
        "acks",
        "control",
        "credit",
        "datagrams",
        "keys",
        "max_message_size",
        "reader",
        "recovery",
        "table",
        "writer",
    )

    def __init__(self, is_client: bool, id_size: int, given: Limits) -> None:
        unknown = given.keys() - DEFAULTS.keys()
        if unknown:
            raise TypeError(f"unexpected keyword argument {min(unknown)!r}")
        limits: Limits = {**DEFAULTS, **given}
        max_message_size = integer(limits["max_message_size"], 0, MAX_SIZE_SETTING)
        max_data = integer(limits["max_data"], 0, MAX_SIZE_SETTING)
        self.credit = Credit(max_data, integer(limits["budget"], 0, MAX_SIZE_SETTING), max_message_size)
        channel_limits = {
            KIND_STREAM: integer(limits["max_streams"], 0, MAX_CHANNELS_LIMIT),
            KIND_MESSAGE: integer(limits["max_message_channels"], 0, MAX_CHANNELS_LIMIT),
        }
        self.table = ChannelTable(
            is_client,
            channel_limits,
            integer(limits["max_channel_data"], 0, MAX_SIZE_SETTING),
            integer(limits["write_limit"]),
            self.credit,
        )
        self.acks = AckPolicy(seconds("max_ack_delay", limits["max_ack_delay"]))
        self.control = Control()
        self.datagrams = Datagrams(integer(limits["max_datagram_frame_size"]))
        self.recovery = Recovery(self.table, self.acks, self.control)
        self.recovery.sent._start_at(integer(limits["initial_packet_number"]))
        self.keys = KeyUpdate(self.recovery.sent, self.acks.received, self.control)
        self.reader = PacketReader(id_size, self.recovery, self.keys, self.datagrams, max_message_size)
        self.writer = PacketWriter(self.recovery, self.keys, self.datagrams)
        self.max_message_size = 0  # the peer's

    @property
    def is_idle(self) -> bool:
        """True when nothing waits, and everything that channels sent is acknowledged."""
        table, datagrams = self.table, self.datagrams
        return not (self.control.queued or table.pending or datagrams.outgoing.items or table.busy)

    def held(self) -> tuple[int, int]:
        """(bytes, channels) held, both directions together."""
        channels = self.table.channels.values()
        size = sum(channel.sent_held_size for channel in channels) + self.credit.held_size
        queues = self.datagrams.incoming.size + self.datagrams.outgoing.size + self.control.queued_size
        return size + queues, len(channels)

    def charges(self) -> Charges:
        """All that is held, by kind; O(channels)."""
        channels, credit, sent = self.table.channels.values(), self.credit, self.recovery.sent
        runs = len(self.acks.received) + sum(map(len, self.table.unseen.values()))
        queues = (self.datagrams.incoming, self.datagrams.outgoing)
        control = self.control
        return Charges(
            received=credit.held_size,
            spans=SPAN_CHARGE * (runs + sum(channel.span_count for channel in channels)),
            messages=sum(channel.message_charge for channel in channels),
            datagrams=sum(queue.size + DATAGRAM_CHARGE * len(queue.items) for queue in queues),
            control=control.queued_size + CONTROL_CHARGE * len(control.queued),
            reports=control.report_size,
            channels=CHANNEL_CHARGE * len(channels),
            ledger=PACKET_CHARGE * len(sent),
            unacked=credit.sent_charged - credit.sent_released,
            unsent=sum(channel.unsent_size for channel in channels),
        )

    def counters(self) -> dict[str, int]:
        """All counters by name."""
        return {
            **self.writer.counts,
            **self.reader.counts,
            **self.table.counts,
            "channels_asked": self.table.scheduler.channels_asked,
            "packets_lost": self.recovery.packets_lost,
            "packets_acked": self.recovery.packets_acked,
            "key_updates": self.keys.updates,
            "retransmitted_bytes": self.writer.retransmitted_bytes,
            "datagrams_dropped": self.datagrams.incoming.dropped + self.datagrams.outgoing.dropped,
        }

    def clear(self) -> None:
        """Breaks the circles between table and channels, so that memory returns at once."""
        table = self.table
        for held in (table.channels, table.scheduler, table.pending, self.recovery.records):
            held.clear()
        self.credit.clear()
