"""The end of a connection: closing, draining, gone (RFC 9000 §10.2; docs/wire-format.md §11).

Owns: what a code and a reason may be, the last packets, when they are sent again and when everything may be
forgotten. May not know: keys (the packets are sealed already), why it ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import SupportsIndex

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.events import Transmit
from fastmux.protocol.path import Path


def check_code(code: SupportsIndex) -> int:
    """Check an application's code before anything is done for it. Raises TypeError, or ValueError."""
    number = index(code)
    if not 0 <= number <= c.MAX_VARINT:
        raise ValueError(f"a code is an integer from 0 to {c.MAX_VARINT}, not {number}")
    return number


def check_close(code: SupportsIndex, reason: str) -> int:
    """The same for a code with its reason."""
    if not isinstance(reason, str):
        raise TypeError(f"a reason is text, not {type(reason).__name__}")
    return check_code(code)


def encode_close(frame_type: int, code: int, reason: str) -> bytes:
    """Encode CONNECTION_CLOSE or APPLICATION_CLOSE.

    A reason over 512 bytes is cut between characters; surrogates, as in a file's name that is no UTF-8,
    become question marks.
    """
    text = reason.encode(errors="replace")[: c.MAX_REASON_SIZE].decode(errors="ignore")
    return core.encode_frame((frame_type, code, text.encode()))


class Closing:
    """Says goodbye for 3 PTO, then is over.

    The same sealed packets go out each time: at once, once a PTO, and for the 1st, 2nd, 4th, 8th … datagram
    that the peer still sends. Sealing anew would need the whole connection; a number that comes twice tells a
    receiver nothing new. A draining end has no packets. Invariant: nothing is sent after `ends_at`, nor
    beyond the path's anti-amplification limit.
    """

    def __init__(self, packets: Sequence[bytes], path: Path, pto: float, now: float) -> None:
        self.ends_at = now + c.CLOSE_REPEAT_PTOS * pto
        self._packets = packets
        self._path = path
        self._pto = pto
        self._due = list(packets)
        self._repeats_left = c.CLOSE_REPEAT_PTOS - 1
        self._repeat_at = now + pto
        self._received_count = 0

    def on_received(self, size: int) -> bool:
        """A datagram of `size` bytes for this connection came from the peer's address: is there an answer?"""
        self._path.on_received(size)
        self._received_count += 1
        if self._received_count & (self._received_count - 1) == 0:
            self._due = list(self._packets)
        return bool(self._due)

    def transmit(self, buffer: bytearray | memoryview) -> Transmit | None:
        """Give the next packet to send, one at a time."""
        while self._due:
            packet = self._due.pop(0)
            limit = self._path.send_limit
            if limit is None or len(packet) <= limit:
                buffer[: len(packet)] = packet
                self._path.on_sent(len(packet))
                return Transmit(len(packet), len(packet), self._path.address, via=self._path.via)
        return None

    def deadline(self) -> float:
        """When to call `handle_timeout`."""
        return self._repeat_at if self._packets and self._repeats_left else self.ends_at

    def handle_timeout(self, now: float) -> None:
        """Send the packets again if a PTO has passed."""
        if self._repeats_left and now >= self._repeat_at:
            self._repeats_left -= 1
            self._repeat_at = now + self._pto
            self._due = list(self._packets)

    def is_over(self, now: float) -> bool:
        """True once nothing of the connection needs to be remembered."""
        return now >= self.ends_at
