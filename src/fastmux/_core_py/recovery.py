"""What becomes of the frames of a packet: acknowledged, lost, sent again for a probe.

Owns: the frame records of the packets in flight. May not know: how packets are built or parsed, windows.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastmux._core_py._ack_policy import AckPolicy
from fastmux._core_py.channel import Record
from fastmux._core_py.channel_table import ChannelTable
from fastmux._core_py.control import Control
from fastmux._core_py.sent_packets import SentPackets
from fastmux.constants import (
    CONTROL_ACKED,
    CONTROL_LOST,
    FRAME_ACK,
    FRAME_MAX_CHANNELS,
    FRAME_MAX_DATA,
    FRAME_MESSAGE,
    FRAME_MESSAGE_ABANDON,
    FRAME_MESSAGE_FIN,
    FRAME_STREAM,
    K_INITIAL_RTT,
    K_TIME_THRESHOLD,
)

CONTROL_TOKEN = -1  # the kind of record (CONTROL_TOKEN, None, token)
_DATA = (FRAME_STREAM, FRAME_MESSAGE, FRAME_MESSAGE_FIN, FRAME_MESSAGE_ABANDON)


# Invariant: `records` has an entry for no packet but those in `sent` that carry something to remember.
class Recovery:
    """The ledger, and what each packet in it carried.

    A record is (kind, channel or None, …); its first member is a frame type or CONTROL_TOKEN.
    """

    __slots__ = (
        "acks",
        "control",
        "loss_delay",
        "packets_acked",
        "packets_lost",
        "probes",
        "records",
        "sent",
        "table",
    )

    def __init__(self, table: ChannelTable, acks: AckPolicy, control: Control) -> None:
        self.table = table
        self.acks = acks
        self.control = control
        self.sent = SentPackets()
        self.records: dict[int, list[Record]] = {}
        self.loss_delay = K_INITIAL_RTT * K_TIME_THRESHOLD
        self.probes = 0
        self.packets_acked = self.packets_lost = 0

    def on_ack(self, ranges: Sequence[tuple[int, int]], ack_delay: float, now: float) -> None:
        """An ACK frame of the peer, checked before."""
        newly = self.sent.acknowledge(ranges, ack_delay, now)
        self.packets_acked += len(newly)
        for number in newly:
            for record in self.records.pop(number, ()):
                self._on_acked(record)
        self.detect_losses(now)

    def detect_losses(self, now: float) -> None:
        """Queues again what the packets carried that are now lost.

        The sample of an ACK counts for what it declares lost (RFC 9002 §6.1.2, A.7): `loss_delay` is older.
        """
        latest_rtt = self.sent._untaken_rtt
        delay = self.loss_delay if latest_rtt is None else max(self.loss_delay, K_TIME_THRESHOLD * latest_rtt)
        lost = self.sent.detect_losses(delay, now)
        self.packets_lost += len(lost)
        for number in lost:
            for record in self.records.pop(number, ()):
                self._on_lost(record)

    def probe(self, count: int) -> None:
        """The next `count` packets are probes (RFC 9002 §6.2.4): they carry again what the oldest carry."""
        self.probes = max(self.probes, count)
        for number in self.sent._oldest_eliciting(count):
            for record in self.records.get(number, ()):
                self._send_again(record)

    def _on_acked(self, record: Record) -> None:
        kind, channel = record[0], record[1]
        if channel is not None:
            channel.on_acked(record)
        elif kind == FRAME_ACK:
            self.acks.received.on_ack_acknowledged(record[2])
        elif kind == CONTROL_TOKEN:
            self.control.report(CONTROL_ACKED, record[2])

    def _on_lost(self, record: Record) -> None:
        kind, channel = record[0], record[1]
        if channel is not None:
            channel.on_lost(record)
        elif kind == CONTROL_TOKEN:
            self.control.report(CONTROL_LOST, record[2])
        else:
            self._send_limit_again(record)

    def _send_again(self, record: Record) -> None:
        kind, channel = record[0], record[1]
        if channel is None:
            self._send_limit_again(record)
        elif kind not in _DATA:
            channel.on_lost(record)
        elif channel.reset_record is None:
            channel.send_again(record)
            self.table.schedule(channel)

    def _send_limit_again(self, record: Record) -> None:
        """MAX_DATA and MAX_CHANNELS, unless a newer one went since."""
        kind = record[0]
        if kind == FRAME_MAX_DATA and record[2] == self.table.credit.limit:
            self.table.pending[FRAME_MAX_DATA, 0] = None
        elif kind == FRAME_MAX_CHANNELS and record[3] == self.table.local_limits[record[2]]:
            self.table.pending[FRAME_MAX_CHANNELS, record[2]] = None
