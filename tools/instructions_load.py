"""The load that `tools.instructions` counts: both ends in memory through the compiled core, phase by phase.

    python -m tools.instructions_load

Owns: the phases, in an order that never changes, and what one packet is. May not know: valgrind. It measures
nothing: one line of JSON says how many packets each phase carried, and `live()` is called when a phase ends,
which is the mark that the counter looks for.
"""

from __future__ import annotations

import gc
import json
import sys

from fastmux import _core as core
from fastmux import constants as c

SEGMENT_SIZE = 1452
TRAIN_SEGMENTS = 44
SUITES = {"null": c.SUITE_NULL, "aes-128-gcm": c.SUITE_AES_128_GCM}
# The first length fills the pools; the difference of the other two is free of what a run costs once.
LENGTHS = (1980, 1980, 5940)
PIECE = bytes(range(256)) * 256  # 64 KiB, as an application would write
CLIENT_ID, SERVER_ID = b"client--", b"server--"
LIMITS = {
    "max_data": 1 << 40,
    "max_channel_data": 1 << 40,
    "max_streams": 10,
    "max_message_channels": 10,
    "max_message_size": c.MAX_MESSAGE_SIZE,
    "max_datagram_frame_size": 1200,
}


def make_paths(suite: int) -> tuple[core.DataPath, core.DataPath]:
    """A client and a server with each other's keys and limits."""
    size = c.SUITE_KEY_SIZES[suite]
    keys = (bytes(size), bytes(12), b"\x01" * size, b"\x01" * 12)
    client = core.DataPath(True, CLIENT_ID, budget=1 << 40, **LIMITS)
    server = core.DataPath(False, SERVER_ID, budget=1 << 40, **LIMITS)
    client.set_keys(suite, *keys)
    server.set_keys(suite, *keys[2:], *keys[:2])
    client.set_peer(SERVER_ID, **LIMITS)
    server.set_peer(CLIENT_ID, **LIMITS)
    return client, server


def carry(suite: int, packets: int) -> int:
    """One stream, one way, trains of 44 with one ACK each; how many packets went, `packets` at least."""
    client, server = make_paths(suite)
    stream = client.open(c.KIND_STREAM)
    train = bytearray(SEGMENT_SIZE * TRAIN_SEGMENTS)
    back = bytearray(2048)
    sink = bytearray(1 << 17)
    now, sent = 1.0, 0
    while sent < packets:
        now += 0.0001
        while client.unsent_size(stream) < len(train):
            client.write(stream, PIECE)
        size, segments = client.fill(train, SEGMENT_SIZE, 1 << 40, now)
        server.receive(train, 0, size, SEGMENT_SIZE, now)
        server.take_ready()
        while server.read_into(stream, sink) > 0:
            pass
        ack_size, _ = server.fill(back, SEGMENT_SIZE, 0, now)
        client.receive(back, 0, ack_size, SEGMENT_SIZE, now)
        client.take_ack_summary()
        sent += segments
    client.close()
    server.close()
    return sent


def main() -> int:
    """Every suite, every length; prints the packets of each phase."""
    gc.disable()  # a collection inside a counted call would be counted with it
    carried: dict[str, list[int]] = {name: [] for name in SUITES}
    for name, suite in SUITES.items():
        for length in LENGTHS:
            carried[name].append(carry(suite, length))
            core.live()
    print(json.dumps(carried))
    return 0


if __name__ == "__main__":
    sys.exit(main())
