"""Bugs of the wire: integers, headers, frames, duplicates, acknowledgements."""

from __future__ import annotations

from tools.mutants.mutant import Mutant, Patch, one

WIRE: tuple[Mutant, ...] = (
    one(
        "varint-form",
        "16384 is written in two bytes, where it does not fit",
        (
            "varint.py",
            "if value < 0x4000:\n        return (value",
            "if value <= 0x4000:\n        return (value",
        ),
        ("varint.pxi", "if value < 0x4000:\n        at[0]", "if value <= 0x4000:\n        at[0]"),
    ),
    one(
        "varint-truncated",
        "a varint of eight bytes is read of seven",
        ("varint.py", "    if stop > len(data):\n", "    if stop > len(data) + (stop - at == 8):\n"),
        ("varint.pxi", "    if stop - at < 8:\n", "    if stop - at < 7:\n"),
    ),
    one(
        "number-window",
        "a packet number half a window away is taken to be the lower one",
        ("varint.py", "candidate <= expected - window // 2", "candidate < expected - window // 2"),
        ("varint.pxi", "candidate <= expected - window // 2", "candidate < expected - window // 2"),
    ),
    one(
        "token-size",
        "a token of the largest size is refused",
        ("header.py", "if size > MAX_TOKEN_SIZE:", "if size >= MAX_TOKEN_SIZE:"),
        ("header.pxi", "if parts.token_size > MAX_TOKEN_SIZE:", "if parts.token_size >= MAX_TOKEN_SIZE:"),
    ),
    one(
        "header-reserved-bits",
        "reserved bits of the short header are looked at in part",
        ("packet_reader.py", "if header[0] & SHORT_RESERVED_MASK:", "if header[0] & 0x20:"),
        ("packet_reader.pxi", "if data[0] & SHORT_RESERVED_MASK:", "if data[0] & 0x20:"),
    ),
    one(
        "ack-below-zero",
        "a range of an ACK may begin at -1",
        ("frames.py", "    if start < 0:\n", "    if start < -1:\n"),
        (
            "frames.pxi",
            "start = stop - <int64_t>size - 1\n    below = start < 0\n",
            "start = stop - <int64_t>size - 1\n    below = start < -1\n",
        ),
        Patch("frames.pxi", "        below = start < 0\n", "        below = start < -1\n"),
    ),
    one(
        "ack-gap",
        "the gap between two ranges of an ACK is one too small",
        ("frames.py", "stop = start - gap - 1", "stop = start - gap"),
        ("frames.pxi", "stop = start - <int64_t>gap - 1", "stop = start - <int64_t>gap"),
    ),
    one(
        "open-flags",
        "a reserved flag of OPEN is let through",
        ("frames.py", "if flags & ~0x07:", "if flags & ~0x0F:"),
        ("frames.pxi", "if frame.b & ~<uint64_t>0x07:", "if frame.b & ~<uint64_t>0x0F:"),
    ),
    one(
        "offset-limit",
        "stream data may end beyond the largest offset",
        (
            "frames.py",
            '    if offset + len(blob) > MAX_VARINT:\n        raise _malformed("offset too large")\n'
            "    return (FRAME_STREAM",
            '    if offset > MAX_VARINT:\n        raise _malformed("offset too large")\n'
            "    return (FRAME_STREAM",
        ),
        (
            "frames.pxi",
            "    if frame.a + <uint64_t>frame.size > <uint64_t>MAX_VARINT:\n        return fail",
            "    if frame.a > <uint64_t>MAX_VARINT:\n        return fail",
        ),
    ),
    one(
        "duplicate-filter",
        "a packet that comes twice is applied twice",
        ("packet_reader.py", "if received._has(number):", "if received._has(number) and number == 0:"),
        (
            "packet_reader.pxi",
            "    if received_has(&path.received, number):\n",
            "    if received_has(&path.received, number) and number == 0:\n",
        ),
    ),
    one(
        "duplicate-floor",
        "the first number above the floor counts as received",
        ("received_packets.py", "(number < self._floor or", "(number <= self._floor and self._floor or"),
        (
            "received_packets.pxi",
            "return number < self.floor or",
            "return (number <= self.floor and self.floor) or",
        ),
    ),
    one(
        "ack-report",
        "what an acknowledged ACK told is told again",
        ("received_packets.py", "integer(largest) + 1)", "integer(largest))"),
        (
            "received_packets.pxi",
            "self.received.report_from, number + 1)",
            "self.received.report_from, number)",
        ),
        Patch(
            "recovery.pxi",
            "path.received.report_from, record.start + 1)",
            "path.received.report_from, record.start)",
        ),
    ),
    one(
        "ack-policy",
        "every ack-eliciting packet is acknowledged at once",
        (
            "_ack_policy.py",
            "if self._eliciting > self.threshold or",
            "if self._eliciting >= self.threshold or",
        ),
        (
            "recovery.pxi",
            "if path.ack_eliciting > path.ack_threshold or",
            "if path.ack_eliciting >= path.ack_threshold or",
        ),
    ),
    one(
        "path-challenges",
        "one PATH_CHALLENGE fewer than allowed is kept",
        (
            "control.py",
            "if len(self._challenges) == MAX_PATH_CHALLENGES:",
            "if len(self._challenges) == MAX_PATH_CHALLENGES - 1:",
        ),
        (
            "control.pxi",
            "if path.challenge_count == MAX_PATH_CHALLENGES:",
            "if path.challenge_count == MAX_PATH_CHALLENGES - 1:",
        ),
    ),
)
