"""Payloads that no end may take, whatever its state: what a hostile end made up must not be acknowledged.

Owns: rules that one payload breaks by itself (wire format §3.7, §7, §8). May not know: what was changed.
"""

from __future__ import annotations

from typing import Any, Final

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from sim.allowance import Allowance

_OF_CHANNELS: Final = (
    c.FRAME_STREAM,
    c.FRAME_MESSAGE,
    c.FRAME_MESSAGE_FIN,
    c.FRAME_MESSAGE_ABANDON,
    c.FRAME_OPEN,
    c.FRAME_RESET,
    c.FRAME_STOP,
    c.FRAME_MAX_CHANNEL_DATA,
    c.FRAME_CHANNEL_DATA_BLOCKED,
)


def breaks_a_rule(role: int, payload: bytes, allowance: Allowance, peer_sent: core.RangeSet) -> bool:
    """True if the end with this role may not send it.

    `allowance` is what the other end has granted it; `peer_sent` are the other's packet numbers.
    """
    try:
        frames: Any = core.parse_frames(payload)
    except ProtocolError:
        return True
    return any(_is_illegal(role, frame, allowance, peer_sent) for frame in frames)


def _is_illegal(role: int, frame: Any, allowance: Allowance, peer_sent: core.RangeSet) -> bool:
    kind = frame[0]
    if kind in (c.FRAME_ACK, c.FRAME_ACK_ECN):
        return any(peer_sent.missing(start, stop) for start, stop in frame[2])
    if kind in _OF_CHANNELS:
        return not allowance.has_channel(frame[1])
    if kind == c.FRAME_HANDSHAKE_DONE:
        return role == c.ROLE_CLIENT
    return kind in (c.FRAME_HANDSHAKE, c.FRAME_PARAMETERS)
