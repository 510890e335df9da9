"""Latency beside bulk, on a slow path in virtual time: what urgency saves a message."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from statistics import median

import pytest

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import ChannelsReady, Event
from network import Conditions
from protocol.pairs import Pair, make_pair

RATE = 1.25e6  # bytes a second: 10 Mbit/s
DELAY = 0.01
# A queue of the path of 20 ms at most: what waits there is before an urgent message too.
PATH = Conditions(delay=DELAY, rate=RATE, queue_size=25_000)
STREAMS = 100
SIZE = 1 << 17
MESSAGES = 20
INTERVAL = 0.05  # seconds
LESS_URGENT = 32


@dataclass
class Receiver:
    """The server's application: reads all streams, notes when each message came."""

    arrivals: list[float] = field(default_factory=list)
    received_size: int = 0

    def on_event(self, connection: Connection, event: Event) -> None:
        """Act on an event of the connection."""
        data_path = connection.data_path
        if isinstance(event, ChannelsReady):
            for channel_id, _ in event.ready:
                if channel_id >> 1 & 1 == c.KIND_MESSAGE:
                    arrived = data_path.take_messages(channel_id, 100)
                    self.arrivals += [data_path.last_received_at] * len(arrived)
                    continue
                while data := data_path.read(channel_id, 65536):
                    self.received_size += len(data)
        connection.touch()

    def has_messages(self, count: int) -> bool:
        """True once so many messages came."""
        return len(self.arrivals) == count


def latencies(bulk_priority: int) -> list[float]:
    """How long messages of priority 0 take beside streams of that priority, in virtual seconds."""
    receiver = Receiver()
    ordinary = Configuration(max_datagram_size=c.MAX_PLPMTU)
    pair: Pair = make_pair(conditions=PATH, configuration=ordinary).open()
    pair.server.application = receiver.on_event
    network, connection = pair.network, pair.connection
    data_path = connection.data_path
    channel = data_path.open(c.KIND_MESSAGE)
    streams = [data_path.open(c.KIND_STREAM, b"", bulk_priority) for _ in range(STREAMS)]
    for stream in streams:
        data_path.write(stream, bytes(SIZE))
    connection.touch()
    network.run_for(2.0)
    found = []
    for number in range(MESSAGES):
        sent_at = network.now
        data_path.send_message(channel, b"ping", sent_at)
        connection.touch()
        network.run(partial(receiver.has_messages, number + 1), timeout=30.0)
        found.append(receiver.arrivals[-1] - sent_at)
        network.run_for(INTERVAL)
    assert all(data_path.unsent_size(stream) for stream in streams)  # bulk was under way all the time
    assert receiver.received_size > RATE * MESSAGES * INTERVAL / 2
    return found


@pytest.mark.slow
def test_an_urgent_message_does_not_wait_for_the_streams_beside_it() -> None:
    urgent = latencies(LESS_URGENT)
    equal = latencies(0)
    # Beside its equals it waits for a packet of each of a hundred streams: 120 KB, some 100 ms.
    assert median(equal) > 0.1
    assert median(urgent) < DELAY + 0.03
    assert max(urgent) < median(equal)
