"""A run in words: every datagram with its frames, every event, as they happen.

Owns: the text. May not know: the seed. Frames are shown where the packets of a seed are not encrypted.
"""

from __future__ import annotations

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from network import Trace

LONGEST_SHOWN = 12  # bytes of a field


class PrintingTrace(Trace):
    """A trace that also prints."""

    def __init__(self) -> None:
        super().__init__()
        self._id_sizes: dict[str, int] = {}  # of the ids that each node chose, seen in its long headers

    def datagram(self, source: str, target: str, data: bytes, now: float) -> None:
        """Print a datagram, then hash it."""
        if data[0] & c.FORM_LONG:
            self._id_sizes[source] = len(core.parse_long_header(data, 0, len(data)).source_id)
            text = "handshake"
        else:
            text = describe(data, self._id_sizes[target])
        print(f"{now:.6f} {source} {len(data)}: {text}")
        super().datagram(source, target, data, now)

    def event(self, node: str, event: object, now: float) -> None:
        """Print an event, then hash it."""
        print(f"{now:.6f} {node} event {str(event)[:500]}")
        super().event(node, event, now)


def print_everything() -> None:
    """Let every network that is made from now on print its trace."""
    from network import world

    world.__dict__["Trace"] = PrintingTrace


def describe(data: bytes, id_size: int) -> str:
    """Say what is in a short-header datagram: packet number and frames."""
    start = 1 + id_size
    stop = start + c.PACKET_NUMBER_SIZE
    number = int.from_bytes(data[start:stop], "big")
    try:
        frames = core.parse_frames(data[stop : -c.TAG_SIZE])
    except ProtocolError:
        return f"packet {number}, encrypted"
    return f"packet {number} " + " ".join(str(tuple(map(_shorten, frame))) for frame in frames)


def _shorten(field: object) -> object:
    if isinstance(field, bytes) and len(field) > LONGEST_SHOWN:
        return f"{len(field)} bytes"
    return field
