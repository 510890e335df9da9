"""Streams, limits and channels of an authenticated peer (H25 to H36)."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from hostile.attacker import Attack, Attacker, Frame
from hostile.runs import check
from hostile.streams import ATTACKS, WINDOW, opened, stream
from hostile.world import World
from network import Conditions
from protocol.pairs import Pair, make_pair, transfer


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.row} {attack.name}")
def test_an_attack_has_its_reaction_and_leaves_little_and_others_go_on(attack: Attack) -> None:
    check(attack)


def attacker_in(world: World) -> Attacker:
    attacker = Attacker(world, world.connect("well-behaved", is_read=True))
    attacker.connect()
    return attacker


# --- H25, H26 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_channel_takes_its_window_to_the_last_byte_and_no_more(beyond: int) -> None:
    world = World()
    attacker = attacker_in(world)
    attacker.now(opened(0), stream(0, WINDOW - 1 + beyond, b"a"))
    far = attacker.client.far
    assert world.code(far) == (c.FLOW_CONTROL_ERROR if beyond else None)
    if not beyond:
        assert far.data_path.held_size == 4096  # by what came, not by where


def test_a_good_sender_uses_every_byte_of_ten_windows_and_is_not_closed() -> None:
    configuration = Configuration(connection_window=WINDOW, max_connection_window=WINDOW)
    pair = make_pair(conditions=Conditions(delay=0.002), configuration=configuration).open()
    size = 10 * WINDOW
    assert len(transfer(pair, bytes(size))) == size
    assert not pair.accepted.is_closed


def test_a_window_grows_by_what_is_read_and_not_by_where_bytes_lie() -> None:
    world = World()
    attacker = attacker_in(world)
    for _ in range(50):
        attacker.now(opened(0), stream(0, WINDOW - 1, b"a"))
        world.network.run_for(0.01)
    attacker.now(stream(0, WINDOW, b"a"))
    assert world.code(attacker.client.far) == c.FLOW_CONTROL_ERROR


def test_what_the_connection_is_granted_beyond_what_was_read_ends_with_the_budget() -> None:
    """H26, H36: bytes at the ends of the windows of very many channels, none of which is read."""
    budget = 2 * c.INITIAL_CONNECTION_WINDOW
    world = World(configuration=Configuration(budget=budget, max_message_channels=0))
    attacker = attacker_in(world)
    far = attacker.client.far
    for place in range(budget // WINDOW):
        attacker.now(opened(place), stream(place, WINDOW - 1, b"a"))
        world.network.run_for(0.01)
    assert world.code(far) is None
    attacker.now(opened(budget // WINDOW), stream(budget // WINDOW, 0, b"a"))
    assert world.code(far) == c.FLOW_CONTROL_ERROR


# --- H27, H28, H30 --------------------------------------------------------------------------------------


def read_all(attacker: Attacker, channel_id: int = 0) -> bytes:
    """What the server's application gets."""
    got = bytearray()
    while piece := attacker.client.far.data_path.read(channel_id, 65536):
        got += piece
    return bytes(got)


def test_of_two_copies_of_a_byte_the_first_is_delivered_and_no_mixture() -> None:
    attacker = attacker_in(World())
    attacker.now(opened(0), stream(0, 10, b"A" * 20))
    attacker.now(stream(0, 0, b"B" * 40))
    attacker.now(stream(0, 0, b"C" * 50, True))
    assert read_all(attacker) == b"B" * 10 + b"A" * 20 + b"B" * 10 + b"C" * 10
    assert attacker.client.far.data_path.is_finished(0)


def test_chunks_below_and_across_what_was_read_are_trimmed_and_go_on() -> None:
    attacker = attacker_in(World())
    attacker.now(opened(0), stream(0, 0, b"0123456789"))
    assert read_all(attacker) == b"0123456789"
    attacker.now(stream(0, 2, b"xxxx"))
    attacker.now(stream(0, 5, b"yyyyyabc"))
    assert attacker.client.far.data_path.held_size == 4096
    assert read_all(attacker) == b"abc"
    assert attacker.client.far.data_path.held_size == 0


@pytest.mark.parametrize(
    "frames",
    [
        [stream(0, 5, b"", True), stream(0, 5, b"", True), stream(0, 0, b"hello", True)],
        [stream(0, 0, b"hel"), stream(0, 0, b"hello"), stream(0, 4, b"o", True)],
    ],
)
def test_the_same_end_again_and_data_again_are_no_error(frames: list[Frame]) -> None:
    world = World()
    attacker = attacker_in(world)
    attacker.now(opened(0))
    for frame in frames:
        attacker.now(frame)
    assert world.code(attacker.client.far) is None
    assert read_all(attacker) == b"hello"


# --- H29 ------------------------------------------------------------------------------------------------


def test_gaps_are_kept_up_to_the_limit_and_no_packet_beyond_it_is_acknowledged() -> None:
    world = World()
    attacker = attacker_in(world)
    data_path = attacker.client.far.data_path
    attacker.now(opened(0))
    for number in range(0, c.MIN_RECEIVED_SPANS, 100):
        attacker.now(*(stream(0, 2 * (number + place) + 1, b"a") for place in range(100)))
    assert data_path.counters()["dropped_packets"] == 0
    attacker.now(stream(0, 2 * c.MIN_RECEIVED_SPANS + 1, b"a"))
    assert data_path.counters()["dropped_packets"] == 1
    attacker.now(stream(0, 0, b"a"))  # what closes a gap is always taken
    assert data_path.counters()["dropped_packets"] == 1
    assert read_all(attacker) == b"aa"


# --- H31, H32, H33 --------------------------------------------------------------------------------------


def test_every_channel_up_to_the_limit_may_be_opened_in_any_order_at_once() -> None:
    """Ten times what a busy client has: 1,000 open at once."""
    world = World()
    attacker = attacker_in(world)
    for place in range(c.DEFAULT_MAX_STREAMS - 1, -1, -1):
        attacker.now(opened(place))
    assert world.code(attacker.client.far) is None
    assert attacker.client.far.data_path.channel_count == c.DEFAULT_MAX_STREAMS


def test_channels_that_are_left_out_cost_nothing() -> None:
    attacker = attacker_in(World())
    attacker.now(opened(c.DEFAULT_MAX_STREAMS - 1), stream(c.DEFAULT_MAX_STREAMS - 1, 0, b"a"))
    assert attacker.client.far.data_path.channel_count == 1
    assert attacker.client.far.data_path.held_size == 4096


def test_a_channel_that_was_reset_keeps_its_slot_until_its_handler_lets_go() -> None:
    """H33: who resets at once gains no slot by it, whoever caused the reset."""
    world = World(configuration=Configuration(max_streams=3))
    attacker = attacker_in(world)
    far = attacker.client.far
    for place in range(3):
        number = place << 2
        attacker.now(opened(place), (c.FRAME_RESET, number, 0, 0, 0), (c.FRAME_STOP, number, 0))
    attacker.now(attacker.acknowledged())
    assert far.data_path.channel_count == 3
    far.data_path.release(0)
    attacker.now(opened(3))
    assert world.code(far) is None
    attacker.now(opened(4))
    assert world.code(far) == c.CHANNEL_LIMIT_ERROR


def churn(pair: Pair, channels: int) -> None:
    """So many channels, opened, written, ended and let go at both ends, sixteen at a time."""
    near, far = pair.connection, pair.accepted
    left, done = channels, 0
    while done < channels:
        while left and near.data_path.channel_count < 16:
            channel_id = near.data_path.open(c.KIND_STREAM)
            near.data_path.write(channel_id, b"request")
            near.data_path.finish(channel_id)
            left -= 1
        near.touch()
        pair.network.run_for(0.001)
        for end, node in ((near, pair.client), (far, pair.server)):
            for event in node.events.pop(end, []):
                for channel_id, flags in getattr(event, "ready", ()):
                    if flags & c.READY_READABLE:
                        end.data_path.read(channel_id, 100)
                    if flags & c.READY_OPENED:
                        end.data_path.finish(channel_id)
                    if flags & c.READY_DONE or (end.is_client and end.data_path.is_finished(channel_id)):
                        end.data_path.release(channel_id)
                        done += end.is_client
            end.touch()


def test_ten_times_as_many_channels_as_are_allowed_at_once_come_and_go_without_a_limit() -> None:
    pair = make_pair(
        conditions=Conditions(delay=0.0005),
        configuration=Configuration(max_streams=100),
    ).open()
    churn(pair, 1000)
    assert not pair.connection.is_closed
    assert pair.accepted.data_path.counters()["streams_opened"] == 1000
    assert pair.accepted.data_path.counters()["glitches"] == 0


# --- H34, H35 -------------------------------------------------------------------------------------------


def test_a_handshake_that_goes_on_by_a_byte_a_second_ends_with_its_time() -> None:
    world = World()
    attacker = Attacker(world, world.connect("well-behaved", is_read=True))
    half = attacker.half(1)
    start = world.network.now
    world.shoot([half.say((c.FRAME_PARAMETERS, b""), (c.FRAME_HANDSHAKE, 0, b"C"))])
    for offset in range(1, 30):
        world.network.run_for(1.0)
        world.shoot([half.say((c.FRAME_HANDSHAKE, offset, b"H"))])
        if world.errors:
            break
    assert c.HANDSHAKE_TIMEOUT - 1.5 <= world.network.now - start <= c.HANDSHAKE_TIMEOUT + 1.5


def test_a_handshake_over_a_path_ten_times_as_slow_as_is_usual_is_in_time() -> None:
    pair = make_pair(conditions=Conditions(delay=0.75)).open(timeout=c.HANDSHAKE_TIMEOUT)
    assert transfer(pair, bytes(1000)) == bytes(1000)


def test_for_each_byte_of_credit_no_more_than_a_packet_goes_and_no_more_is_held() -> None:
    """H35: a peer that gives credit by single bytes has as much work as this end."""
    world = World()
    attacker = attacker_in(world)
    far = attacker.client.far
    channel_id = attacker.have_written()
    world.network.run_for(0.1)
    for _ in range(100):  # what the first window allows
        attacker.now(attacker.acknowledged())
        world.network.run_for(0.05)
    sent, unsent = far.statistics().packets_sent, far.data_path.unsent_size(channel_id)
    assert unsent <= far.configuration.write_limit
    for number in range(200):
        attacker.now((c.FRAME_MAX_CHANNEL_DATA, channel_id, WINDOW + 1 + number), attacker.acknowledged())
    assert far.data_path.unsent_size(channel_id) == unsent - 200
    assert far.statistics().packets_sent - sent <= 2 * 200


def test_a_sender_without_credit_sends_nothing_at_all() -> None:
    world = World()
    attacker = attacker_in(world)
    far = attacker.client.far
    attacker.have_written()
    for _ in range(100):
        attacker.now(attacker.acknowledged())
        world.network.run_for(0.05)
    sent = far.statistics().packets_sent
    world.network.run_for(10.0)
    assert far.statistics().packets_sent - sent <= 2


def test_a_reader_of_a_tenth_of_the_speed_is_waited_for() -> None:
    """Its window opens by what it reads: nothing is lost, nobody is closed."""
    pair = make_pair(conditions=Conditions(delay=0.001)).open()
    data_path = pair.connection.data_path
    channel_id = data_path.open(c.KIND_STREAM)
    data_path.write(channel_id, bytes(2 * WINDOW))
    data_path.finish(channel_id)
    pair.connection.touch()
    got = 0
    while not (pair.accepted.data_path.channel_count and got == 2 * WINDOW):
        pair.network.run_for(0.01)
        got += len(pair.accepted.data_path.read(channel_id, 4096) or b"")
        pair.accepted.touch()
    assert not pair.connection.is_closed
