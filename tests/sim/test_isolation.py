"""Channels that stall hold up nobody: unread ones, messages half way, a peer that never reads."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import ChannelsReady, Event
from network import Conditions
from protocol.pairs import make_pair
from sim.content import message_content, stream_content

IS_PURE = core.IMPLEMENTATION == "python"
CHANNELS = 100
SIZE = 1 << 16 if IS_PURE else 1 << 18  # bytes of each channel that is read
PATH = Conditions(delay=0.01, rate=12.5e6)  # 100 Mbit/s, 20 ms
BESIDE = b"beside"  # the label of streams that may stall
MAX_MESSAGE_SIZE = 1 << 18 if IS_PURE else c.MAX_MESSAGE_SIZE
MESSAGES = 8


@dataclass
class Receiver:
    """The server's application: reads every channel at once, but streams labelled BESIDE only if told to."""

    reads_beside: bool = True
    stream_sizes: dict[int, int] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)
    beside: set[int] = field(default_factory=set)
    messages: list[bytes] = field(default_factory=list)
    max_held_size: int = 0

    def on_event(self, connection: Connection, event: Event) -> None:
        """Act on an event of the connection."""
        data_path = connection.data_path
        self.max_held_size = max(self.max_held_size, data_path.held_size)
        if isinstance(event, ChannelsReady):
            for channel_id, flags in event.ready:
                if flags & c.READY_OPENED and data_path.open_fields(channel_id).label == BESIDE:
                    self.beside.add(channel_id)
                if channel_id not in self.beside or self.reads_beside:
                    self._take(data_path, channel_id)
        connection.touch()

    def _take(self, data_path: core.DataPath, channel_id: int) -> None:
        if channel_id >> 1 & 1 == c.KIND_MESSAGE:
            self.messages += data_path.take_messages(channel_id, 100)
            return
        while data := data_path.read(channel_id, 65536):
            start = self.stream_sizes.get(channel_id, 0)
            assert data == stream_content(b"", start, len(data))
            self.stream_sizes[channel_id] = start + len(data)
        if data is None:
            self.finished.add(channel_id)


def write_streams(connection: Connection, count: int, size: int, label: bytes = b"") -> None:
    """Open streams, write `size` bytes to each, and their end."""
    for _ in range(count):
        channel_id = connection.data_path.open(c.KIND_STREAM, label)
        connection.data_path.write(channel_id, stream_content(b"", 0, size))
        connection.data_path.finish(channel_id)
    connection.touch()


def seconds_of_the_others(beside: int, receiver: Receiver) -> tuple[float, Connection]:
    """How long CHANNELS - `beside` streams take that begin after `beside` others carried what they could.

    Gives that time in virtual seconds and the receiving connection.
    """
    pair = make_pair(conditions=PATH).open()
    pair.server.application = receiver.on_event
    write_streams(pair.connection, beside, 2 * c.INITIAL_CHANNEL_WINDOW, BESIDE)
    pair.network.run_for(10.0)
    assert len(receiver.beside) == beside
    assert len(receiver.finished) == (beside if receiver.reads_beside else 0)
    others = CHANNELS - beside
    whole = len(receiver.finished) + others
    started_at = pair.network.now
    write_streams(pair.connection, others, SIZE)
    pair.network.run(lambda: len(receiver.finished) == whole, timeout=120.0)
    return pair.network.now - started_at, pair.accepted


@pytest.mark.slow
@pytest.mark.parametrize("unread", [1, 50])
def test_channels_that_are_never_read_hold_up_no_other(unread: int) -> None:
    receiver = Receiver(reads_beside=False)
    seconds, connection = seconds_of_the_others(unread, receiver)
    seconds_without, _ = seconds_of_the_others(unread, Receiver())
    assert seconds <= seconds_without / 0.95
    # The formula of docs/architecture.md: an unread channel holds its first window, all of them the budget.
    assert connection.data_path.held_size == unread * c.INITIAL_CHANNEL_WINDOW
    assert receiver.max_held_size <= c.CONNECTION_BUDGET


@pytest.mark.slow
@pytest.mark.parametrize("message_size", [MAX_MESSAGE_SIZE, MAX_MESSAGE_SIZE * 15 // 16])
def test_eight_channels_each_in_the_middle_of_a_large_message_finish(message_size: int) -> None:
    # Five times fifteen MiB overdraw the budget: each that has started must find room to finish.
    receiver = Receiver()
    # Large datagrams: it is the messages that matter here, not their packets.
    configuration = Configuration(
        max_message_size=MAX_MESSAGE_SIZE,
        budget=4 * MAX_MESSAGE_SIZE,
        max_datagram_size=9000,
    )
    pair = make_pair(configuration=configuration, conditions=Conditions(delay=0.01, rate=125e6)).open()
    pair.server.application = receiver.on_event
    data_path = pair.connection.data_path
    messages = [message_content(b"", index, message_size) for index in range(MESSAGES)]
    for message in messages:
        data_path.send_message(data_path.open(c.KIND_MESSAGE), message, pair.network.now)
    pair.connection.touch()
    pair.network.run(lambda: len(receiver.messages) == MESSAGES, timeout=120.0)
    assert sorted(receiver.messages) == sorted(messages)
    assert receiver.max_held_size > 2 * message_size  # several were half way at once
    assert receiver.max_held_size <= configuration.budget + MAX_MESSAGE_SIZE


@pytest.mark.parametrize("kind", [c.KIND_STREAM, c.KIND_MESSAGE])
def test_a_sender_to_a_peer_that_never_reads_is_stopped(kind: int) -> None:
    piece_size = 65536
    pair = make_pair(conditions=PATH).open()  # the server has no application: it takes nothing
    network, connection = pair.network, pair.connection
    data_path = connection.data_path
    channel_id = data_path.open(kind)
    written = unsent = 0
    for _ in range(100):  # each time as much as an application would that waits for room
        while unsent < c.WRITE_LIMIT:
            written += piece_size
            if kind == c.KIND_STREAM:
                unsent = data_path.write(channel_id, bytes(piece_size))
            else:
                unsent = data_path.send_message(channel_id, bytes(piece_size), network.now)
        connection.touch()
        network.run_for(1.0)
        unsent = data_path.unsent_size(channel_id)
    held_size = pair.accepted.data_path.held_size
    assert held_size <= c.INITIAL_CHANNEL_WINDOW + piece_size
    assert written <= held_size + c.WRITE_LIMIT + piece_size
