"""Hostile peers that own their keys: packets of any frames for one data path, or for a server's connection.

Owns: how such packets are made. May not know: what a test wants of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

from fastmux import constants as c
from fastmux.exceptions import ProtocolError

LOCAL_ID, REMOTE_ID = b"local-id", b"peer-id-"
_HEADER_SIZE = 1 + len(LOCAL_ID) + c.PACKET_NUMBER_SIZE
DEFAULTS = {
    "max_data": c.INITIAL_CONNECTION_WINDOW,
    "max_channel_data": c.INITIAL_CHANNEL_WINDOW,
    "max_streams": c.DEFAULT_MAX_STREAMS,
    "max_message_channels": c.DEFAULT_MAX_MESSAGE_CHANNELS,
    "max_message_size": c.MAX_MESSAGE_SIZE,
    "max_datagram_frame_size": c.MAX_DATAGRAM_FRAME_SIZE,
}
GENEROUS = {**DEFAULTS, "max_data": c.MAX_VARINT, "max_channel_data": c.MAX_VARINT}

Frame = tuple[Any, ...]


class Victim:
    """A server's data path of either core, under the null suite, and the numbers of its peer's packets.

    `peer` are the limits that the peer announces. What is sent to the peer is only looked at.
    """

    def __init__(self, core: Any, peer: dict[str, int] | None = None, **limits: Any) -> None:
        self.core = core
        self.path = core.DataPath(False, LOCAL_ID, **{**DEFAULTS, **limits})
        self.path.set_keys(c.SUITE_NULL, b"", bytes(c.IV_SIZE), b"", bytes(c.IV_SIZE))
        self.path.set_peer(REMOTE_ID, **(peer or GENEROUS))
        self.now = 100.0
        self._number = 0
        self._buffer = bytearray(65536)

    def tell(self, *frames: Frame) -> int | None:
        """Let a packet of these frames arrive; the code with which that ends the connection, None if not."""
        return self.arrive(b"".join(map(self.core.encode_frame, frames)))

    def arrive(self, payload: bytes) -> int | None:
        """The same for a payload that is encoded already."""
        number = self._number
        self._number += 1
        header = bytes((c.FIXED_BIT,)) + LOCAL_ID + number.to_bytes(4, "big")
        nonce = bytes(4) + number.to_bytes(8, "big")
        packet = header + payload + zlib.crc32(nonce + header + payload).to_bytes(4, "big") + nonce
        try:
            self.path.receive(packet, 0, len(packet), len(packet), self.now)
        except ProtocolError as error:
            return error.code
        return None

    def packets(self, size_limit: int = 1 << 16, segment_size: int = 1200) -> list[tuple[int, list[Frame]]]:
        """What the path sends now: the number and the frames of each packet."""
        size, _ = self.path.fill(self._buffer, segment_size, size_limit, self.now)
        found = []
        for start in range(0, size, segment_size):
            packet = bytes(self._buffer[start : min(start + segment_size, size)])
            number = int.from_bytes(packet[_HEADER_SIZE - 4 : _HEADER_SIZE], "big")
            found.append((number, self.core.parse_frames(packet[_HEADER_SIZE : -c.TAG_SIZE])))
        return found

    def confirm(self, numbers: Iterable[int]) -> int | None:
        """Acknowledge these packets, and let what is then lost be found."""
        ranges: list[tuple[int, int]] = []
        for number in sorted(numbers, reverse=True):
            if ranges and ranges[-1][0] == number + 1:
                ranges[-1] = (number, ranges[-1][1])
            else:
                ranges.append((number, number + 1))
        code = None
        for at in range(0, len(ranges), 200):
            code = code or self.tell((c.FRAME_ACK, 0.0, tuple(ranges[at : at + 200])))
        self.now += 1.0
        self.path.detect_losses(self.now)
        return code

    def counted(self, name: str) -> int:
        """One of the path's counters."""
        count: int = self.path.counters()[name]
        return count


def stream(index: int, role: int = c.ROLE_CLIENT) -> int:
    """The id of a stream that this role opens."""
    return index << 2 | c.KIND_STREAM << 1 | role


def messages(index: int, role: int = c.ROLE_CLIENT) -> int:
    """The id of a message channel that this role opens."""
    return index << 2 | c.KIND_MESSAGE << 1 | role


def opening(channel_id: int, reliability: int = c.RELIABLE, value: int = 0, ordered: bool = True) -> Frame:
    """The OPEN of a channel."""
    return (c.FRAME_OPEN, channel_id, 0, ordered, reliability, value, b"x")
