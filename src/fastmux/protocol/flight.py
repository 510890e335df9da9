"""What one end of a handshake must get across: TLS bytes and whole frames, until acknowledged.

Owns: what is unsent, in flight and lost. May not know: packets, keys, timers.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import HandshakeError

# A receiver may hold no more than this out of order, so a sender has no more than this on the way.
_WINDOW: Final = c.MAX_HANDSHAKE_BUFFER_AFTER
_FRAME_OVERHEAD: Final = 1 + 4 + 2  # type, offset below 2^16, length below 2^14
_MIN_RUN: Final = 16  # a smaller remainder of a packet is not worth a frame


class Carried(NamedTuple):
    """What a packet carries of a flight."""

    frames: tuple[bytes, ...]
    runs: tuple[tuple[int, int], ...]  # half-open offsets of TLS bytes


class Flight:
    """What goes until acknowledged.

    Invariant: a frame is in `_unacked` from `add_frame` until acknowledged or replaced; `_due` lists those of
    them that wait to be sent. TLS bytes in flight lie below the first unacknowledged one plus a window.
    """

    def __init__(self) -> None:
        self._stream = core.SendStream()
        self._written_size = 0
        self._acked = core.RangeSet()
        self._may_have_runs = False
        self._unacked: dict[bytes, None] = {}
        self._due: dict[bytes, None] = {}

    def write(self, data: bytes) -> None:
        """Add TLS bytes. Raises `HandshakeError` if there are more than a peer may take."""
        self._written_size += len(data)
        if self._written_size > c.MAX_HANDSHAKE_BUFFER:
            raise HandshakeError(
                f"the handshake takes over {c.MAX_HANDSHAKE_BUFFER} bytes: shorten the certificate chain"
            )
        self._stream.write(data)
        self._may_have_runs = True

    def add_frame(self, frame: bytes) -> None:
        """Add an encoded frame, to be sent until acknowledged."""
        self._unacked[frame] = None
        self._due[frame] = None

    def remove_frame(self, frame: bytes) -> None:
        """Send this frame no more."""
        self._unacked.pop(frame, None)
        self._due.pop(frame, None)

    @property
    def held_size(self) -> int:
        """Bytes that are not acknowledged."""
        return self._stream.held_size + sum(map(len, self._unacked))

    @property
    def has_pending(self) -> bool:
        """True if `take` may have something."""
        return self._may_have_runs or bool(self._due)

    def take(self, room: int) -> tuple[bytes, Carried] | None:
        """Give up to `room` bytes of frames to send now, and what they carry; None if nothing can go."""
        payload = bytearray()
        frames = []
        for frame in tuple(self._due):
            if len(payload) + len(frame) <= room:
                del self._due[frame]
                payload += frame
                frames.append(frame)
        runs: list[tuple[int, int]] = []
        while len(runs) < c.MAX_HANDSHAKE_RUNS and room - len(payload) >= _FRAME_OVERHEAD + _MIN_RUN:
            run = self._stream.next_range(room - len(payload) - _FRAME_OVERHEAD, self._limit())
            if run is None:
                self._may_have_runs = False
                break
            offset, data, _ = run
            payload += core.encode_frame((c.FRAME_HANDSHAKE, offset, data))
            runs.append((offset, offset + len(data)))
        if not payload:
            return None
        return bytes(payload), Carried(tuple(frames), tuple(runs))

    def on_acked(self, carried: Carried) -> None:
        """The packet that carried this was acknowledged."""
        for frame in carried.frames:
            self.remove_frame(frame)
        for start, stop in carried.runs:
            self._stream.on_acked(start, stop, False)
            self._acked.add(start, stop)
            self._may_have_runs = True  # the window moved

    def on_lost(self, carried: Carried) -> None:
        """The packet that carried this is lost, or treated so by a probe: send again what is still needed."""
        for frame in carried.frames:
            if frame in self._unacked:
                self._due[frame] = None
        for start, stop in carried.runs:
            for first, end in self._acked.missing(start, stop):
                self._stream.on_lost(first, end, False)
                self._may_have_runs = True

    def _limit(self) -> int:
        first = next(iter(self._acked), (0, 0))
        front = first[1] if first[0] == 0 else 0
        return min(front + _WINDOW, c.MAX_HANDSHAKE_BUFFER)
