"""Pairs of data paths in memory, and trains between them.

Owns: how they are made and driven. May not know: what is measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fastmux import constants as c
from fastmux import core

SEGMENT: Final = 1452
NO_LIMIT: Final = 1 << 40
TRAIN: Final = SEGMENT * 44
IDS: Final = (b"client--", b"server--")
SHARED: Final = bytes(1 << 20)  # one object: what is held by reference costs no memory however often


class Pair:
    """A client and a server with null keys and each other's limits, a clock, and a train buffer."""

    def __init__(self, *, max_channel_data: int = 1 << 30, max_channels: int = 1 << 20) -> None:
        limits = {
            "max_data": NO_LIMIT,
            "max_channel_data": max_channel_data,
            "max_streams": max_channels,
            "max_message_channels": max_channels,
            "max_message_size": c.MAX_MESSAGE_SIZE,
            "max_datagram_frame_size": 1200,
        }
        self.client = core.DataPath(True, IDS[0], budget=NO_LIMIT, **limits)
        self.server = core.DataPath(False, IDS[1], budget=NO_LIMIT, **limits)
        for path, ivs in ((self.client, IDS), (self.server, IDS[::-1])):
            send, receive = (iv + bytes(4) for iv in ivs)
            path.set_keys(c.SUITE_NULL, b"", send, b"", receive)
        self.client.set_peer(IDS[1], **limits)
        self.server.set_peer(IDS[0], **limits)
        self.buffer = bytearray(TRAIN)
        self.now = 1.0

    def open_streams(self, count: int) -> list[int]:
        """Streams of the client that the server knows."""
        ids = [self.client.open(c.KIND_STREAM) for _ in range(count)]
        self.settle()
        return ids

    def carry(self, source: core.DataPath, target: core.DataPath) -> int:
        """One train; returns its packets."""
        self.now += 1e-5
        size, segments = source.fill(self.buffer, SEGMENT, NO_LIMIT, self.now)
        if size:
            target.receive(self.buffer, 0, size, SEGMENT, self.now)
        return segments

    def settle(self) -> None:
        """Trains both ways until nobody has anything to say, delayed ACKs included."""
        while self.carry(self.client, self.server) + self.carry(self.server, self.client):
            self.now += c.MAX_ACK_DELAY
        for path in (self.client, self.server):
            path.take_ready()
            path.take_ack_summary()

    def deliver(self, sender: core.DataPath, frames: Iterable[tuple[object, ...]]) -> None:
        """The peer of `sender` gets these frames in one packet."""
        payload = b"".join(core.encode_frame(frame) for frame in frames)
        size = sender.build_packet(self.buffer, payload, 0, 0, self.now)
        receiver = self.server if sender is self.client else self.client
        receiver.receive(self.buffer, 0, size, SEGMENT, self.now)
