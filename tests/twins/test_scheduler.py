"""Both cores send the same bytes in the same order, with many channels of any priority under load."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from core.pump import CLIENT_ID, DEFAULTS, SERVER_ID
from fastmux import _core_py
from fastmux import constants as c
from twins.twins import Twins, octets

CHANNELS = 40
STEPS = 400
SEGMENT_SIZES = (1200, 1200, 1200, 600, 1452)  # one that changes turns about
PRIORITIES = (0, 0, 31, 32, 40, 63, 64, 200, 255)


def make(core: Any, is_client: bool, max_data: int) -> Any:
    """A path with the null suite and its peer's limits."""
    limits = {**DEFAULTS, "max_data": max_data, "max_channel_data": max_data // 3}
    path = core.DataPath(is_client, CLIENT_ID if is_client else SERVER_ID, **limits)
    path.set_peer(SERVER_ID if is_client else CLIENT_ID, **limits)
    ivs = bytes([3]) * 12, bytes([4]) * 12
    path.set_keys(c.SUITE_NULL, b"", ivs[not is_client], b"", ivs[is_client])
    return path


class Load:
    """A client that is given more than it may send, and a server that takes it; each of both cores."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.window = self.random.choice((20_000, 100_000, 400_000))
        self.client = Twins(lambda core: make(core, True, self.window))
        self.server = Twins(lambda core: make(core, False, self.window))
        self.now = 1.0
        self.channels = [
            self.client.value("open", self.random.randrange(2), b"", self.random.choice(PRIORITIES))
            for _ in range(CHANNELS)
        ]
        self.sent: list[int] = []  # the channels of data frames, as they went

    def step(self) -> None:
        """One thing that an application, the path or the peer does."""
        actions = (self.write, self.write, self.change, self.send, self.send, self.send, self.end)
        self.random.choice(actions)()
        for path in (self.client, self.server):
            path.get("has_pending")
            path.value("counters")

    def write(self) -> None:
        """Give something to a channel."""
        channel, size = self.random.choice(self.channels), self.random.choice((10, 500, 5000, 40_000))
        if channel >> 1 & 1 == c.KIND_STREAM:
            self.client.call("write", channel, octets(size))
        else:
            self.client.call("send_message", channel, octets(size), self.now)

    def change(self) -> None:
        """Change a priority."""
        self.client.call("set_priority", self.random.choice(self.channels), self.random.choice(PRIORITIES))

    def end(self) -> None:
        """End a channel, seldom."""
        if self.random.random() < 0.1:
            self.client.call(self.random.choice(("finish", "release")), self.random.choice(self.channels))

    def send(self) -> None:
        """A train each way, of which packets are lost; the server's application reads; losses are found."""
        self.carry(self.client, self.server)
        for channel, _ in self.server.value("take_ready"):
            if channel >> 1 & 1 == c.KIND_STREAM:
                self.server.call("read", channel, 1 << 20)
            else:
                self.server.call("take_messages", channel, 100)
        for channel, consumed, _, limit in self.server.value("take_credit"):
            window = self.window if channel == c.CONNECTION_CHANNEL else self.window // 3
            self.server.call("set_limit", channel, max(limit, consumed + window), window)
        self.now += 0.05
        self.carry(self.server, self.client)
        for path in (self.client, self.server):
            path.value("detect_losses", self.now)
            path.value("take_control")
        if self.random.random() < 0.2:
            self.client.value("probe", 2)

    def carry(self, source: Twins, target: Twins) -> None:
        """One train; the same bytes from both cores."""
        size = self.random.choice(SEGMENT_SIZES)
        buffers = [bytearray(8 * size), bytearray(8 * size)]
        filled = [
            path.fill(buffer, size, 1 << 20, self.now)
            for path, buffer in zip(source.objects, buffers, strict=True)
        ]
        assert filled[0] == filled[1]
        assert buffers[0][: filled[0][0]] == buffers[1][: filled[0][0]]
        for at in range(0, filled[0][0], size):
            packet = bytes(buffers[0][at : min(at + size, filled[0][0])])
            if source is self.client:
                self.note(packet)
            if self.random.random() < 0.9:
                target.value("receive", packet, 0, len(packet), len(packet), self.now)

    def note(self, packet: bytes) -> None:
        """Remember whose data went."""
        frames: list[tuple[Any, ...]] = _core_py.parse_frames(packet[1 + len(SERVER_ID) + 4 : -c.TAG_SIZE])
        for frame in frames:
            if frame[0] in (c.FRAME_STREAM, c.FRAME_MESSAGE):
                self.sent.append(frame[1])

    def close(self) -> None:
        """Free all four paths."""
        for path in (self.client, self.server):
            path.value("close")


@pytest.mark.parametrize("seed", range(12))
def test_many_channels_of_any_priority_send_alike(seed: int) -> None:
    load = Load(seed)
    for _ in range(STEPS):
        load.step()
    assert len(set(load.sent)) > CHANNELS // 4  # it was a load
    assert len(load.sent) > STEPS
    load.close()
