"""T2: the frame decoder; what it decodes encodes to one form, and that decodes to the same.

Owns: what the input means: a payload. May not know: which core it is.
"""

from __future__ import annotations

from typing import Any

from core.frame_examples import EXAMPLES
from fastmux import constants as c
from fuzz.targets.cursor import Outcome, outcome

_EXACT_DELAY = 2**50 / 125_000  # seconds: above it a float has no room for every 8 microseconds


def seeds() -> list[bytes]:
    """One frame of each type, and a payload of all."""
    forms = [bytes.fromhex(form) for _, form in EXAMPLES]
    return [*forms, b"".join(forms)[:1200], bytes(40), b"\x02\x2a\x00\x02\x01\x03\x00\x01\x02"]


def replay(core: Any, data: bytes) -> Outcome:
    """The frames of the payload, and the form that they encode to."""
    parsed = outcome(core.parse_frames, data)
    if parsed[0] != "value":
        return parsed
    frames = parsed[1]
    form = b"".join([core.encode_frame(frame) for frame in frames])
    again = core.parse_frames(form)
    if all(frame[0] not in (c.FRAME_ACK, c.FRAME_ACK_ECN) or frame[1] < _EXACT_DELAY for frame in frames):
        assert [tuple(frame) for frame in _merged(again)] == [tuple(frame) for frame in _merged(frames)]
        assert b"".join([core.encode_frame(frame) for frame in again]) == form
    return "value", (frames, form)


def _merged(frames: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Runs of PADDING that touch are one."""
    merged: list[tuple[Any, ...]] = []
    for frame in frames:
        if frame[0] == c.FRAME_PADDING and merged and merged[-1][0] == c.FRAME_PADDING:
            merged[-1] = (c.FRAME_PADDING, merged[-1][1] + frame[1])
        else:
            merged.append(frame)
    return merged
