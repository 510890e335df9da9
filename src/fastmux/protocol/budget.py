"""What one connection may hold, and holds: a number with its parts (docs/limits.md).

Owns: the formula. May not know: how any part keeps to it; the core and each table have their own limits.
"""

from __future__ import annotations

from typing import NamedTuple

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.records import Charges


class Budget(NamedTuple):
    """What a connection holds, in bytes: its data path, handshake, and frames that the peer must confirm."""

    core: Charges
    handshake: int
    kept: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.core.total + self.handshake + self.kept


def budget_of(configuration: Configuration, own_channels: int = 0) -> Budget:
    """Give what a peer can make one connection hold at the most, with so many channels of this end's.

    `core.unsent` is 0: what the application writes faster than it goes is its own affair (`write_limit`).
    `core.ledger` is for full packets: who flushes after a few bytes each has more of them within his window.
    """
    channels = configuration.max_streams + configuration.max_message_channels + own_channels
    largest = _units(configuration.max_message_size) * c.FRAGMENT_UNIT
    takes_messages = configuration.max_message_channels > 0 or own_channels > 0
    # a stream's first and last block need not be full
    received = configuration.budget + (largest if takes_messages else 0) + 2 * c.BLOCK_SIZE * channels
    gaps = max(c.MIN_RECEIVED_SPANS, configuration.budget // c.RECEIVED_SPAN_DIVISOR)
    unacked = max(configuration.budget, c.MAX_UNACKED_SIZE) + largest
    units = _units(configuration.budget + largest) if takes_messages else 0
    queued = c.MAX_DATAGRAM_QUEUE_SIZE + c.DATAGRAM_CHARGE * c.MAX_DATAGRAM_QUEUE
    core = Charges(
        received=received,
        spans=c.SPAN_CHARGE * (gaps + c.MAX_RECEIVED_RANGES + 4 * channels + c.MAX_UDP_PAYLOAD // 2),
        messages=c.MESSAGE_CHARGE * units + c.PARTIAL_CHARGE * (gaps + _units(unacked)),
        datagrams=2 * queued,
        control=(1 + c.CONTROL_CHARGE) * c.MAX_CONTROL_QUEUE_SIZE,
        reports=2 * c.MAX_CONTROL_REPORTS_SIZE,
        channels=c.CHANNEL_CHARGE * channels,
        ledger=c.PACKET_CHARGE * (unacked // c.BASE_PLPMTU),
        unacked=unacked,
        unsent=0,
    )
    handshake = c.MAX_HANDSHAKE_BUFFER + 2 * c.MAX_HANDSHAKE_BUFFER_AFTER + c.MAX_EARLY_SIZE
    handshake += 4 * c.MAX_PARAMETERS_SIZE  # the peer's, ours, and frames that wait
    handshake += c.SPAN_CHARGE * c.MAX_HANDSHAKE_SPANS + c.PACKET_CHARGE * c.MAX_HANDSHAKE_UNACKED
    return Budget(core, handshake, 2 * c.CONTROL_CHARGE * (c.MAX_KEPT_CONTROL + c.ACTIVE_ID_LIMIT))


def _units(size: int) -> int:
    return -(-size // c.FRAGMENT_UNIT)
