"""Connections of one endpoint, and their deadlines.

Owns: these dimensions. May not know: how cost is fitted or shown.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from bench.growth.fit import DECADES, Dimension, Goal, Probe, Stopwatch
from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.protocol.endpoint import Endpoint
from fastmux.protocol.events import Address
from fastmux.protocol.timers import Timers
from fastmux.security.plaintext import RANDOM_SIZE, PlaintextHandshake

CLIENT, SERVER = ("client", 1), ("server", 2)


class World:
    """A server's endpoint and a client's with one open connection between them."""

    def __init__(self) -> None:
        self.random = random.Random(1).randbytes
        self.now = 1.0
        self.buffer = bytearray(1 << 16)
        configuration = Configuration(max_connections=1 << 20)
        self.server = Endpoint(
            configuration,
            random_bytes=self.random,
            accept=lambda: PlaintextHandshake(False, self.random(RANDOM_SIZE)),
        )
        self.client = Endpoint(configuration, random_bytes=self.random)
        self.near = self.dial(self.client, SERVER)
        while not self.server.connections or self.near.data_path.channel_count == 0:
            self.turn()
            if self.near.is_open and not self.near.data_path.channel_count:
                self.near.data_path.open(c.KIND_STREAM)
                self.near.touch()
        (self.far,) = self.server.take_accepted()

    def dial(self, endpoint: Endpoint, address: Address) -> Connection:
        """Begin a connection."""
        handshake = PlaintextHandshake(True, self.random(RANDOM_SIZE))
        return endpoint.connect(address, handshake, self.now)

    def turn(self) -> None:
        """Everything that may go, once each way."""
        self.now += 1e-4
        ways = ((self.client, self.server, CLIENT), (self.server, self.client, SERVER))
        for source, target, origin in ways:
            for connection in source.take_touched():
                while connection.next_event() is not None:
                    pass
                train = connection.transmit(self.buffer, self.now)
                while train is not None:
                    target.receive(self.buffer, train.size, train.segment_size, origin, self.now)
                    train = connection.transmit(self.buffer, self.now)
            source.deadline()


def connections(count: int) -> Probe:
    """One packet each way on one connection, with `count` in both endpoints' tables and timers."""
    world = World()
    for number in range(1, count):
        world.dial(world.server, (f"10.0.{number >> 8}.{number & 255}", 9))
        world.dial(world.client, (f"10.1.{number >> 8}.{number & 255}", 9))
    for endpoint in (world.server, world.client):
        endpoint.take_touched()
        endpoint.deadline()
    stream, repeats = 0, 50

    def probe() -> float:
        with Stopwatch() as watch:
            for _ in range(repeats):
                world.near.data_path.write(stream, b"0123456789")
                world.near.touch()
                world.turn()
                world.far.data_path.read(stream, 100)
        return watch.total / repeats

    return probe


@dataclass(eq=False, slots=True)
class Clockwork:
    """Something with a deadline."""

    at: float

    def deadline(self) -> float | None:
        """The deadline."""
        return self.at


def moving_deadlines(count: int) -> Probe:
    """One of ten deadlines moves, later as with every train, among `count`, and the next one is asked for."""
    timers: Timers[Clockwork] = Timers()
    items = [Clockwork(1.0 + place / count) for place in range(count)]
    for item in items:
        timers.add(item)
    timers.deadline()
    repeats = 500

    def probe() -> float:
        with Stopwatch() as watch:
            for place in range(repeats):
                item = items[place % min(10, count)]
                item.at += 1e-6
                timers.changed(item)
                timers.deadline()
        return watch.total / repeats

    return probe


def due_deadlines(count: int) -> Probe:
    """One of `count` deadlines comes due and moves behind all others."""
    timers: Timers[Clockwork] = Timers()
    for place in range(count):
        timers.add(Clockwork(float(place)))
    timers.deadline()
    now, repeats = 0.0, 500

    def probe() -> float:
        nonlocal now
        with Stopwatch() as watch:
            for _ in range(repeats):
                for item in timers.take_due(now):
                    item.at += count
                    timers.changed(item)
                now += 1.0
                timers.deadline()
        return watch.total / repeats

    return probe


def gone_connections(count: int) -> Probe:
    """Entries that timers keep for ten items, after `count` others came and went: each holds a connection."""

    def probe() -> float:
        timers: Timers[Clockwork] = Timers()
        for place in range(10):
            timers.add(Clockwork(1.0 + place))  # earlier than an idle timeout, as traffic has it
        for place in range(count):
            item = Clockwork(30.0 + place)
            timers.add(item)
            timers.deadline()
            timers.discard(item)
        timers.deadline()
        return float(len(timers))

    return probe


DIMENSIONS: Final = (
    Dimension("connections", "ns a packet each way", DECADES, connections, Goal(ratio=1.3)),
    Dimension("deadlines that move", "ns a move", DECADES, moving_deadlines, Goal(1.3, 0.02)),
    Dimension("deadlines that come due", "ns a deadline", DECADES, due_deadlines, Goal(exponent=0.1)),
    Dimension(
        "connections come and gone",
        "heap entries",
        DECADES[1:],
        gone_connections,
        Goal(ceiling=200),
        exact=True,
    ),
)
