"""Two data paths joined in memory: what one fills the other receives, less what a loss mask takes.

Owns: a pair of paths, their virtual clock, and the wire between them. May not know: which core they are of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from fastmux.constants import CONNECTION_CHANNEL, FRAME_PADDING, SUITE_KEY_SIZES, SUITE_NULL
from fastmux.exceptions import ProtocolError

SEGMENT_SIZE = 1200
TRAIN_SEGMENTS = 10
CLIENT_ID, SERVER_ID = b"client--", b"server--"
DEFAULTS = {
    "max_data": 2**20,
    "max_channel_data": 65536,
    "max_streams": 100,
    "max_message_channels": 100,
    "max_message_size": 2**20,
    "max_datagram_frame_size": 65000,
}

Keep = Callable[[int], bool]


def keep_all(number: int) -> bool:
    """No datagram is lost."""
    return True


def drop(numbers: Iterable[int]) -> Keep:
    """A mask that takes the datagrams of these numbers, counted from 0 over both directions."""
    lost = frozenset(numbers)
    return lambda number: number not in lost


class Pump:
    """A client and a server path with keys and limits set, and a clock that only the test moves.

    `limits` go to both paths and to both peers; `window` is kept ahead of what was consumed by `pump`,
    unless `grant` is False.
    """

    def __init__(self, core: Any, server_core: Any = None, *, suite: int = SUITE_NULL, **limits: Any) -> None:
        given = {**DEFAULTS, **limits}
        announced = {name: given[name] for name in DEFAULTS}
        self.core = core
        self.now = 100.0
        self.client = core.DataPath(True, CLIENT_ID, **given)
        self.server = (server_core or core).DataPath(False, SERVER_ID, **given)
        self.suite = suite
        self.generations = {self.client: 0, self.server: 0}  # of the newest keys that each path was given
        for path in self.paths:
            path.set_keys(suite, *self.keys(path, 0), *self.keys(self.peer(path), 0))
        self.client.set_peer(SERVER_ID, **announced)
        self.server.set_peer(CLIENT_ID, **announced)
        self.datagrams = 0
        self.grant = True
        self.control: dict[Any, list[tuple[Any, ...]]] = {self.client: [], self.server: []}

    @property
    def paths(self) -> tuple[Any, Any]:
        """Client and server."""
        return self.client, self.server

    def peer(self, path: Any) -> Any:
        """The other one."""
        return self.server if path is self.client else self.client

    def keys(self, path: Any, generation: int) -> tuple[bytes, bytes]:
        """Key and IV with which the path seals after so many key updates."""
        number = 4 * generation + (1 if path is self.client else 2)
        return bytes([number]) * SUITE_KEY_SIZES[self.suite], bytes([number + 2]) * 12

    def supply(self, *paths: Any) -> None:
        """Gives each path its next keys."""
        for path in paths:
            self.generations[path] += 1
            number = self.generations[path]
            path.set_next_keys(*self.keys(path, number), *self.keys(self.peer(path), number))

    def sealed(
        self, path: Any, generation: int, number: int, *frames: tuple[Any, ...], phase: int | None = None
    ) -> bytes:
        """A packet of the path's with keys and a number of our choice, and the phase bit of those keys."""
        protection = self.core.PacketProtection(self.suite, *self.keys(path, generation))
        peer_id = SERVER_ID if path is self.client else CLIENT_ID
        bit = generation % 2 if phase is None else phase
        header = self.core.encode_short_header(peer_id, number, bit)
        payload = b"".join(map(self.core.encode_frame, frames))
        return bytes(header + protection.seal(number, header, payload))

    def packets(self, path: Any, size_limit: int = 2**20, segment_size: int = SEGMENT_SIZE) -> list[bytes]:
        """The datagrams of one train that the path fills now."""
        buffer = bytearray(TRAIN_SEGMENTS * segment_size)
        size, segments = path.fill(buffer, segment_size, size_limit, self.now)
        found = [bytes(buffer[at : min(at + segment_size, size)]) for at in range(0, size, segment_size)]
        assert len(found) == segments
        return found

    def deliver(self, path: Any, packets: Iterable[bytes]) -> None:
        """Gives datagrams to the path, one train each."""
        for packet in packets:
            taken = path.receive(packet, 0, len(packet), len(packet), self.now)
            assert taken == len(packet)

    def frames(self, path: Any, size_limit: int = 2**20) -> list[tuple[Any, ...]]:
        """The frames but PADDING of the train that the path fills now (null suite); nobody receives it."""
        head = 1 + len(CLIENT_ID) + 4
        payloads = [packet[head:-16] for packet in self.packets(path, size_limit)]
        found = [frame for payload in payloads for frame in self.core.parse_frames(payload)]
        return [frame for frame in found if frame[0] != FRAME_PADDING]

    def inject(self, path: Any, *frames: tuple[Any, ...]) -> None:
        """Gives the path a packet of these frames, as if the peer had made them."""
        buffer = bytearray(2000)
        payload = b"".join(map(self.core.encode_frame, frames))
        size = self.peer(path).build_packet(buffer, payload, 0, 0, self.now)
        assert path.receive(buffer, 0, size, size, self.now) == size

    def send(self, path: Any, keep: Keep = keep_all, size_limit: int = 2**20) -> int:
        """One train from the path to its peer; returns how many datagrams were sent."""
        packets = self.packets(path, size_limit)
        kept = []
        for packet in packets:
            if keep(self.datagrams):
                kept.append(packet)
            self.datagrams += 1
        if kept:
            self.receive_train(self.peer(path), kept)
        return len(packets)

    def receive_train(self, path: Any, packets: list[bytes]) -> None:
        """Gives datagrams to the path as one train (as trains of equal sizes, the last one shorter)."""
        start = 0
        while start < len(packets):
            stop = start + 1
            size = len(packets[start])
            while stop < len(packets) and len(packets[stop - 1]) == size >= len(packets[stop]):
                stop += 1
            train = b"".join(packets[start:stop])
            assert path.receive(train, 0, len(train), size, self.now) == len(train)
            start = stop

    def round(self, keep: Keep = keep_all) -> int:
        """One train each way, then 10 ms pass; returns how many datagrams were sent."""
        sent = 0
        for path in self.paths:
            sent += self.send(path, keep)
        self.advance(0.01)
        return sent

    def advance(self, seconds: float) -> None:
        """Lets time pass: losses by time, lifetimes, probes after 0.5 s of silence, and credit."""
        self.now += seconds
        for path in self.paths:
            self.control[path] += path.take_control()
            path.expire(self.now)
            deadlines = path.deadlines()
            if deadlines.loss_at is not None and deadlines.loss_at <= self.now:
                path.detect_losses(self.now)
            sent_at = deadlines.last_eliciting_sent_at
            if sent_at is not None and sent_at + 0.5 <= self.now:
                path.probe(2)
            if self.grant:
                grant_credit(path)

    def pump(self, keep: Keep = keep_all, rounds: int = 2000) -> None:
        """Rounds until both paths are idle and silent; AssertionError if that takes too many."""
        for _ in range(rounds):
            if not self.round(keep) and all(path.is_idle and not path.bytes_in_flight for path in self.paths):
                return
        raise AssertionError("the pump does not come to rest")

    def forbidden(self, path: Any, *frames: tuple[Any, ...]) -> int:
        """The error code with which the path refuses a packet of these frames."""
        with pytest.raises(ProtocolError) as caught:
            self.inject(path, *frames)
        code: int = caught.value.code
        return code

    def dropped(self, path: Any, *frames: tuple[Any, ...]) -> bool:
        """True if the path drops a packet of these frames for lack of memory."""
        before = path.counters()["dropped_packets"]
        self.inject(path, *frames)
        return bool(path.counters()["dropped_packets"] > before)

    def close(self) -> None:
        """Closes both paths."""
        for path in self.paths:
            path.close()


def grant_credit(path: Any) -> None:
    """Keeps every window ahead of what was consumed."""
    for channel_id, consumed, _, limit in path.take_credit():
        window = 2**20 if channel_id == CONNECTION_CHANNEL else 65536
        path.set_limit(channel_id, max(limit, consumed + window), window)


def ready_flags(path: Any) -> dict[int, int]:
    """What take_ready gives, as a dict."""
    return dict(path.take_ready())


def read_all(path: Any, channel_id: int) -> bytes:
    """Everything that can be read of a stream now."""
    found = []
    while data := path.read(channel_id, 65536):
        found.append(data)
    return b"".join(found)
