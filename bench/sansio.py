"""Both ends in memory through the core alone: what a packet costs to send and to receive, without any socket.

    python -m bench.sansio [--core cython|python] [--suite null|aes-128-gcm] [--packets N]

One stream, full packets of 1,452 bytes in trains of 44; the sender's `fill`, the receiver's `receive` and
`read_into` are timed apart, the ACK's way back is the sender's cost. Owns this loop. Knows no connection,
no socket.
"""

import argparse
import importlib
import json
import statistics
import time
from types import ModuleType
from typing import Any, NamedTuple

from fastmux import constants as c

SEGMENT_SIZE = 1452
TRAIN_SEGMENTS = 44
SUITES = {"null": c.SUITE_NULL, "aes-128-gcm": c.SUITE_AES_128_GCM}
MODULES = {"cython": "fastmux._core", "python": "fastmux._core_py"}
WINDOW = 1 << 40
PIECE = bytes(range(256)) * 4096  # 1 MiB
REPEATS = 5
CLIENT_ID, SERVER_ID = b"client--", b"server--"


class Cost(NamedTuple):
    """Nanoseconds a packet."""

    sending: float
    receiving: float


def _paths(core: ModuleType, suite: int) -> tuple[Any, Any]:
    limits = {
        "max_data": WINDOW,
        "max_channel_data": WINDOW,
        "max_streams": 10,
        "max_message_channels": 10,
        "max_message_size": c.MAX_MESSAGE_SIZE,
        "max_datagram_frame_size": 1200,
    }
    client = core.DataPath(True, CLIENT_ID, budget=WINDOW, **limits)
    server = core.DataPath(False, SERVER_ID, budget=WINDOW, **limits)
    size = c.SUITE_KEY_SIZES[suite]
    keys = (bytes(size), bytes(12), b"\x01" * size, b"\x01" * 12)
    client.set_keys(suite, *keys)
    server.set_keys(suite, *keys[2:], *keys[:2])
    client.set_peer(SERVER_ID, **limits)
    server.set_peer(CLIENT_ID, **limits)
    return client, server


def run_once(core: ModuleType, suite: int, packets: int) -> Cost:
    """Carry `packets` packets at least; the mean cost of one."""
    client, server = _paths(core, suite)
    stream = client.open(c.KIND_STREAM)
    train = bytearray(SEGMENT_SIZE * TRAIN_SEGMENTS)
    back = bytearray(2048)
    sink = bytearray(1 << 17)
    clock = time.perf_counter_ns
    now, sent, sending, receiving = 1.0, 0, 0, 0
    while sent < packets:
        now += 0.0001
        started = clock()
        if client.unsent_size(stream) < len(PIECE):
            client.write(stream, PIECE)
        size, segments = client.fill(train, SEGMENT_SIZE, WINDOW, now)
        filled = clock()
        server.receive(train, 0, size, SEGMENT_SIZE, now)
        server.take_ready()
        taken = server.read_into(stream, sink)
        while taken > 0:
            taken = server.read_into(stream, sink)
        ack_size, _ = server.fill(back, SEGMENT_SIZE, 0, now)
        received = clock()
        client.receive(back, 0, ack_size, SEGMENT_SIZE, now)
        client.take_ack_summary()
        ended = clock()
        sent += segments
        sending += filled - started + ended - received
        receiving += received - filled
    client.close()
    server.close()
    return Cost(sending / sent, receiving / sent)


def costs_of(core_name: str, suite_name: str, packets: int, repeats: int = REPEATS) -> list[Cost]:
    """`repeats` runs after one that warms up."""
    core = importlib.import_module(MODULES[core_name])
    run_once(core, SUITES[suite_name], packets // 4)
    return [run_once(core, SUITES[suite_name], packets) for _ in range(repeats)]


def cost_of(core_name: str, suite_name: str, packets: int, repeats: int = REPEATS) -> Cost:
    """The medians of `repeats` runs after one that warms up."""
    costs = costs_of(core_name, suite_name, packets, repeats)
    return Cost(*(statistics.median(side) for side in zip(*costs, strict=True)))


def main() -> None:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(description="the core alone, both ends in memory")
    parser.add_argument("--core", choices=MODULES, default="cython")
    parser.add_argument("--suite", choices=SUITES, default="null")
    parser.add_argument("--packets", type=int, default=20000)
    options = parser.parse_args()
    cost = cost_of(options.core, options.suite, options.packets)
    print(json.dumps({"core": options.core, "suite": options.suite, **cost._asdict()}))


if __name__ == "__main__":
    main()
