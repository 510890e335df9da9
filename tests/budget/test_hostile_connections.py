"""Hostile peers of whole endpoints: after each run everything that can be reached is within its bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from budget.walking import check
from fastmux import constants as c
from fastmux import core
from fastmux.protocol.budget import budget_of
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.endpoint import Endpoint
from fastmux.protocol.events import Address
from fastmux.protocol.handshake_packets import HandshakePackets
from network import Conditions
from protocol.pairs import Pair, make_pair
from protocol.scripted import ScriptedHandshake

Frame = tuple[Any, ...]
FAST = Conditions(delay=0.0001)


def check_pair(pair: Pair) -> None:
    """Both ends, and the figures of the one that was attacked."""
    check(pair.server.endpoint)
    check(pair.accepted)
    if not pair.accepted.is_closed:
        held = pair.accepted.budget()
        most = budget_of(pair.accepted.configuration, held.core.channels // c.CHANNEL_CHARGE)
        for name, size, limit in zip(held.core._fields, held.core, most.core, strict=True):
            assert size <= limit or name == "unsent", name
        assert held.kept <= most.kept
        assert held.handshake <= most.handshake


def tell(pair: Pair, frames: Iterator[Frame], rounds: int, at_once: int = 20) -> None:
    """Let the client send frames until the server closes; nothing may be beyond its bound meanwhile."""
    for step in range(rounds):
        for _ in range(at_once):
            pair.connection.data_path.queue_control(0, core.encode_frame(next(frames)))
        pair.connection.touch()
        pair.network.run_for(0.01)
        if step % 10 == 0:
            check_pair(pair)
        if pair.accepted.is_closed:
            break
    check_pair(pair)


def new_id(number: int, retire_before: int = 0) -> Frame:
    return (c.FRAME_NEW_ID, number, retire_before, b"id%06d" % number, bytes(16))


FLOODS: dict[str, Callable[[], Iterator[Frame]]] = {
    "ids that retire each other": lambda: (new_id(number, number) for number in count(1)),
    "one id in two is left out": lambda: (new_id(number, number) for number in count(1, 2)),
    "retired ids": lambda: ((c.FRAME_RETIRE_ID, number) for number in count(1)),
    "challenges": lambda: ((c.FRAME_PATH_CHALLENGE, number.to_bytes(8, "big")) for number in count()),
    "responses": lambda: ((c.FRAME_PATH_RESPONSE, number.to_bytes(8, "big")) for number in count()),
    "requests for other ACKs": lambda: ((c.FRAME_ACK_FREQUENCY, number, 1, 25_000, 1) for number in count(1)),
    "pings": lambda: ((c.FRAME_PING,) for _ in count()),
    "limits that are none": lambda: ((c.FRAME_MAX_DATA, 1) for _ in count()),
    "more credit each time": lambda: ((c.FRAME_MAX_DATA, 2**30 + number) for number in count()),
    "more channels each time": lambda: ((c.FRAME_MAX_CHANNELS, 0, 5000 + number) for number in count()),
    "stops of channels": lambda: ((c.FRAME_STOP, number % 1000 << 2, 1) for number in count()),
    "lost data of channels": lambda: (
        (c.FRAME_STREAM, number % 100 << 2, number * 7 % 60_000, b"x", False) for number in count()
    ),
    "fragments": lambda: (
        (c.FRAME_MESSAGE, number % 100 << 2 | 2, number // 100, 1, 3, bytes(128)) for number in count()
    ),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_frames_lets_no_container_pass_its_bound(name: str) -> None:
    tell(make_pair(conditions=FAST).open(), FLOODS[name](), 90)


def test_channels_opened_and_reset_and_never_accepted_keep_within_the_limit() -> None:
    pair = make_pair(conditions=FAST).open()
    path = pair.connection.data_path
    for _ in range(600):
        channel_id = path.open(c.KIND_STREAM)
        path.write(channel_id, b"x" * 50)
        path.reset(channel_id, 1)
        pair.connection.touch()
    pair.network.run_for(1.0)
    check_pair(pair)
    assert pair.accepted.data_path.channel_count == 600


def test_channels_that_nobody_reads_hold_their_window_each() -> None:
    pair = make_pair(conditions=FAST).open()
    path = pair.connection.data_path
    for _ in range(20):
        path.write(path.open(c.KIND_STREAM), bytes(200_000))
    pair.connection.touch()
    pair.network.run_for(2.0)
    check_pair(pair)
    assert pair.accepted.budget().core.received >= 2**20 - 2**17


def test_datagrams_that_arrive_faster_than_they_are_taken_are_dropped() -> None:
    pair = make_pair(conditions=FAST).open()
    for _ in range(5):
        for _ in range(1000):
            pair.connection.data_path.send_datagram(bytes(900))
        pair.connection.touch()
        pair.network.run_for(0.05)
        check_pair(pair)


def test_a_peer_that_confirms_nothing_leaves_both_lists_of_tokens_short() -> None:
    """A HANDSHAKE_DONE went again with each PTO, and each was remembered."""
    pair = make_pair(conditions=FAST).open()
    control = pair.accepted._data.control
    for _ in range(100):
        control.send_handshake_done()
    check_pair(pair)


def test_packets_from_ever_new_addresses_make_few_paths() -> None:
    pair = make_pair(conditions=FAST).open()
    for port in range(200):
        pair.network.rebind(pair.client, (pair.client.address[0], 20_000 + port))
        pair.connection.data_path.queue_control(0, bytes((c.FRAME_PING,)))
        pair.connection.touch()
        pair.network.run_for(0.05)
        check(pair.server.endpoint)
    check_pair(pair)


# --- before anybody has proved anything -------------------------------------------------------------


class Stranger:
    """Somebody who speaks handshake packets, and says in them what he likes."""

    def __init__(self, endpoint: Endpoint, address: Address = ("10.9.9.9", 999), number: int = 0) -> None:
        self.endpoint = endpoint
        self.address = address
        first_id = b"first" + number.to_bytes(4, "big")
        self._packets = HandshakePackets(
            is_client=True, version=c.VERSION_1, local_id=b"stranger", remote_id=first_id, first_id=first_id
        )
        self._number = 0

    def say(self, now: float, *frames: Frame) -> None:
        """A packet of these frames, as large as a client's must be."""
        payload = b"".join(map(core.encode_frame, frames))
        payload += bytes(max(c.MIN_INITIAL_DATAGRAM_SIZE - len(payload), 0))
        self.send(self._packets.seal(self._number, payload), now)
        self._number += 1

    def send(self, packet: bytes, now: float) -> None:
        """Any datagram."""
        self.endpoint.receive(bytearray(packet), len(packet), len(packet), self.address, now)


def server_of(configuration: Configuration) -> Endpoint:
    """A server's endpoint, whose dice are no dice."""
    numbers = count(1)

    def random_bytes(size: int) -> bytes:
        return next(numbers).to_bytes(8, "big").rjust(size, b"\0")[-size:]

    return Endpoint(configuration, random_bytes=random_bytes, accept=lambda: ScriptedHandshake(False))


@pytest.fixture
def endpoint() -> Endpoint:
    """One that takes whoever knocks, as long as it has places."""
    return server_of(
        Configuration(retry="never", max_handshake_rate=None, max_handshake_rate_per_address=None)
    )


def connection_of(endpoint: Endpoint) -> Any:
    """The only one."""
    (connection,) = endpoint._by_first_id.values()
    return connection


def test_handshake_bytes_out_of_order_stop_at_the_buffer(endpoint: Endpoint) -> None:
    stranger = Stranger(endpoint)
    for at in range(20, 60_000, 20):
        stranger.say(100.0, (c.FRAME_HANDSHAKE, at, b"x"))
    check(endpoint)
    held = connection_of(endpoint).budget()
    assert held.handshake <= c.MAX_HANDSHAKE_BUFFER_AFTER + c.BLOCK_SIZE + 2 * c.MAX_PARAMETERS_SIZE


def test_parameters_are_measured_before_they_are_kept(endpoint: Endpoint) -> None:
    stranger = Stranger(endpoint)
    stranger.say(100.0, (c.FRAME_PARAMETERS, bytes(60_000)))  # its packet is not even opened
    assert endpoint.connections == 0
    stranger.say(100.0, (c.FRAME_PARAMETERS, bytes(c.MAX_PARAMETERS_SIZE + 1)))
    check(endpoint)
    assert connection_of(endpoint).is_closed


def test_challenges_in_the_handshake_are_answered_three_at_a_time(endpoint: Endpoint) -> None:
    stranger = Stranger(endpoint)
    for number in range(500):
        stranger.say(100.0, (c.FRAME_PATH_CHALLENGE, number.to_bytes(8, "big")))
    check(endpoint)


@pytest.mark.parametrize("size", [1200, 30_000, 65_000])
def test_early_packets_wait_within_so_many_bytes(endpoint: Endpoint, size: int) -> None:
    """Counted only by number, ten of the largest were 650 KB for each half-open connection."""
    stranger = Stranger(endpoint)
    stranger.say(100.0, (c.FRAME_PING,))
    early = bytes((c.FIXED_BIT,)) + connection_of(endpoint).ids.local
    for _ in range(50):
        stranger.send(early + bytes(size - len(early)), 100.0)
    check(endpoint)
    held = connection_of(endpoint).budget().handshake
    assert held <= c.MAX_EARLY_SIZE + 4 * c.MAX_PARAMETERS_SIZE
    assert (held >= 10 * size) == (size == 1200)


def test_a_flood_of_first_packets_stops_at_the_half_open_limits(endpoint: Endpoint) -> None:
    for number in range(2500):
        stranger = Stranger(endpoint, (f"10.1.{number // 200}.{number % 200}", 999), number)
        stranger.say(100.0 + number / 1000, (c.FRAME_PING,))
    check(endpoint)
    assert endpoint.connections == c.MAX_HALF_OPEN


@pytest.mark.parametrize("retry", ["auto", "always"])
def test_a_flood_that_is_answered_by_retry_leaves_answers_and_no_more(retry: str) -> None:
    endpoint = server_of(Configuration(retry=retry))
    for number in range(2500):
        Stranger(endpoint, (f"10.1.{number // 200}.{number % 200}", 999), number).say(100.0, (c.FRAME_PING,))
    check(endpoint)
    assert endpoint.connections <= c.RETRY_FREE_BURST
    assert endpoint.counters()["retried"] == c.MAX_ANSWERS


def test_strays_from_ever_new_networks_fill_the_table_of_networks_and_no_more(endpoint: Endpoint) -> None:
    buffer = bytearray(1200)
    packet = bytes((c.FIXED_BIT,)) + bytes(60)
    for number in range(6000):
        stranger = Stranger(endpoint, (f"10.{number // 40_000}.{number // 200}.{number % 200}", 999))
        stranger.send(packet, 100.0 + number)
        while endpoint.transmit(buffer, 100.0):
            pass
    check(endpoint)
    assert len(endpoint._reset_limit._each) == c.MAX_RATED_PREFIXES
