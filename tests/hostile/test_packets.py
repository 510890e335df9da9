"""Packets, acknowledgements, ids, paths and keys of an authenticated peer (H14 to H24)."""

from __future__ import annotations

from itertools import islice

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.configuration import Configuration
from hostile.attacker import Attack, Attacker, Frame, Shots
from hostile.packets import ATTACKS, acknowledgements_withheld, replays
from hostile.runs import Run, check
from hostile.world import World
from network import Conditions
from protocol.pairs import make_pair, transfer

PING: Frame = (c.FRAME_PING,)
REQUESTS = c.GLITCH_BURST + 200  # each may be a glitch: more than are forgiven at once


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.row} {attack.name}")
def test_an_attack_has_its_reaction_and_leaves_little_and_others_go_on(attack: Attack) -> None:
    check(attack)


def attacker_in(world: World) -> Attacker:
    attacker = Attacker(world, world.connect("well-behaved", is_read=True))
    attacker.connect()
    return attacker


# --- H14 ------------------------------------------------------------------------------------------------


def test_ten_thousand_replays_have_no_effect_but_a_count() -> None:
    run = Run(Attack("H14", "replays", replays))
    run.shoot(1000)  # what is new among them is known now
    far, own = run.victim.far, run.attacker.client.far
    before = far.statistics(), far.data_path.held_size, own.data_path.held_size
    duplicates = [each.data_path.counters()["duplicate_packets"] for each in (far, own)]
    run.shoot(10_000)
    assert far.statistics().packets_received == before[0].packets_received
    assert (far.data_path.held_size, own.data_path.held_size) == before[1:]
    after = [each.data_path.counters()["duplicate_packets"] for each in (far, own)]
    assert sum(after) - sum(duplicates) == 10_000


# --- H15, H16 -------------------------------------------------------------------------------------------


def test_the_newest_number_may_be_acknowledged_and_the_next_one_not() -> None:
    world = World()
    attacker = attacker_in(world)
    client = attacker.client
    client.far.ping(world.network.now)
    world.network.run_for(0.0)
    attacker.now(attacker.acknowledged())
    assert world.code(client.far) is None
    _, _, ranges = attacker.acknowledged()
    assert isinstance(ranges, tuple)
    next_number = ranges[0][1]
    attacker.now((c.FRAME_ACK, 0.0, ((next_number, next_number + 1),)))
    assert world.code(client.far) == c.PROTOCOL_VIOLATION


def test_numbers_are_left_out_often_enough_to_catch_who_acknowledges_ahead() -> None:
    """H15: one in MIN_SKIP_INTERVAL packets at the most, one in 65,792 at the least."""
    pair = make_pair(conditions=Conditions(delay=0.001)).open()
    size = 1200 * c.MIN_SKIP_INTERVAL
    assert transfer(pair, bytes(size)) == bytes(size)
    assert pair.connection._data.traffic._skip_at <= pair.connection._data.traffic.sent_packets + 65_792


@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_acknowledgements_of_ten_times_the_usual_loss_are_all_taken(loss: float) -> None:
    """H15, H16: gaps without number, and never more ranges than are taken."""
    conditions = Conditions(delay=0.002, loss=loss, reordering=0.2, duplication=0.1)
    pair = make_pair(conditions=conditions).open()
    assert transfer(pair, bytes(60_000), timeout=300.0) == bytes(60_000)


# --- H17, H18 -------------------------------------------------------------------------------------------


def silence(world: World, shots: Shots, seconds: int) -> None:
    """A shot each second."""
    for shot in islice(shots, seconds):
        world.shoot([shot])
        world.network.run_for(1.0)


def test_a_peer_that_talks_and_acknowledges_nothing_is_given_up() -> None:
    world = World()
    attacker = Attacker(world, world.connect("well-behaved", is_read=True))
    shots = acknowledgements_withheld(attacker)
    silence(world, shots, 60)
    assert world.code(attacker.client.far) is None
    silence(world, shots, 140)
    assert world.code(attacker.client.far) == c.NO_VIABLE_PATH


def test_a_peer_that_acknowledges_anything_now_and_then_is_not() -> None:
    world = World()
    attacker = Attacker(world, world.connect("well-behaved", is_read=True))
    shots = acknowledgements_withheld(attacker)
    for _ in range(4):
        silence(world, shots, 60)
        attacker.now(attacker.acknowledged())
    assert world.code(attacker.client.far) is None


def test_without_an_idle_timeout_nobody_is_given_up_for_want_of_acknowledgements() -> None:
    """Who sets none wants to wait for ever, through a path that is dead in one direction too."""
    world = World(configuration=Configuration(idle_timeout=None, keep_alive=None))
    attacker = Attacker(world, world.connect("well-behaved", is_read=True))
    attacker.connect()
    channel_id = attacker.have_written()
    for _ in range(200):
        attacker.now((c.FRAME_MAX_CHANNEL_DATA, channel_id, 1 << 40), PING)
        world.network.run_for(1.0)
    assert world.code(attacker.client.far) is None


@pytest.mark.parametrize("delay", [0.0, 3600.0])
def test_no_claim_of_a_delay_moves_the_probe_timeout_out_of_its_bounds(delay: float) -> None:
    world = World()
    attacker = attacker_in(world)
    far = attacker.client.far
    for _ in range(50):
        far.ping(world.network.now)
        world.network.run_for(0.02)
        kind, _, ranges = attacker.acknowledged()
        attacker.now((kind, delay, ranges))
    traffic = far._data.traffic
    assert traffic.rtt.smoothed_rtt >= 0.019
    probe_at = traffic.recovery.probe_at(0.0, traffic.recovery.max_ack_delay)
    assert probe_at is not None
    assert c.MIN_PTO <= probe_at <= c.MAX_PTO


# --- H21 ------------------------------------------------------------------------------------------------


def glitches_of(attacker: Attacker, *frames: Frame) -> int:
    """Glitches of one packet of these frames."""
    before = attacker.client.far.data_path.counters()["glitches"]
    attacker.now(*frames)
    after: int = attacker.client.far.data_path.counters()["glitches"]
    return after - before


def test_few_frames_for_python_are_in_a_packet_of_use_and_one_more_is_a_glitch() -> None:
    attacker = attacker_in(World())
    frame: Frame = (c.FRAME_EXTENSION_FIRST, b"")
    assert glitches_of(attacker, *[frame] * c.MAX_REPORTED_FRAMES) == 0
    assert glitches_of(attacker, *[frame] * (c.MAX_REPORTED_FRAMES + 1)) == 1
    raises = [(c.FRAME_MAX_CHANNELS, c.KIND_STREAM, 2000 + place) for place in range(40)]
    assert glitches_of(attacker, *raises) == 1


def test_ten_times_the_usual_pings_are_all_answered_and_no_glitch() -> None:
    """A thousand a second, where one in a round trip is plenty."""
    pair = make_pair(conditions=Conditions(delay=0.001)).open()
    tokens = []
    for _ in range(500):
        tokens.append(pair.connection.ping(pair.network.now))
        pair.network.run_for(0.001)
    pair.network.run_for(0.1)
    answered = [event for event in pair.client.events[pair.connection] if hasattr(event, "round_trip")]
    assert len(answered) == len(tokens)
    assert pair.accepted.data_path.counters()["glitches"] == 0


# --- H22 ------------------------------------------------------------------------------------------------

OPENED: tuple[Frame, ...] = tuple(
    (c.FRAME_OPEN, channel_id, 0, True, 0, 0, b"") for channel_id in (0, 4, 8, 2, 6)
)


@pytest.mark.parametrize(
    "frame",
    [
        (c.FRAME_STREAM, 0, 3, b"", True),
        (c.FRAME_RESET, 4, 7, 3, 3),
        (c.FRAME_STOP, 8, 7),
        (c.FRAME_MESSAGE_FIN, 2, 5),
        (c.FRAME_MESSAGE_ABANDON, 2, ((0, 1), (3, 2))),
        (c.FRAME_RESET, 6, 7, 0, 0),
        (c.FRAME_MAX_CHANNEL_DATA, 8, 1 << 30),
        (c.FRAME_MAX_CHANNELS, c.KIND_MESSAGE, 5000),
        (c.FRAME_MAX_DATA, 1 << 40),
        (c.FRAME_OPEN, 12, 0, True, 0, 0, b""),
    ],
)
def test_what_changes_something_is_of_use_and_the_same_again_is_a_glitch(frame: Frame) -> None:
    attacker = attacker_in(World())
    attacker.now(*OPENED)
    assert glitches_of(attacker, frame) == 0
    assert glitches_of(attacker, frame) == 1
    assert glitches_of(attacker, frame, frame) == 1
    assert glitches_of(attacker, frame, PING) == 1


def test_a_stop_after_everything_was_delivered_is_a_glitch() -> None:
    world = World()
    attacker = attacker_in(world)
    data_path = attacker.client.far.data_path
    attacker.now(OPENED[0])
    data_path.finish(0)
    attacker.client.far.touch()
    world.network.run_for(0.0)
    attacker.now(attacker.acknowledged())
    assert glitches_of(attacker, (c.FRAME_STOP, 0, 7)) == 1


def test_a_client_that_gives_up_ten_times_as_many_requests_as_is_usual_meets_no_limit() -> None:
    """Two thousand a second, opened, written to, and given up a round trip later, when STOP may come late."""
    pair = make_pair(conditions=Conditions(delay=0.002, loss=0.02)).open()
    waiting: list[int] = []
    near, far = pair.connection, pair.accepted
    given_up = c.READY_RESET | c.READY_STOPPED

    def serve() -> None:
        for event in pair.server.events.pop(far, []):
            for channel_id, flags in getattr(event, "ready", ()):
                if flags & c.READY_OPENED and not flags & given_up:
                    far.data_path.write(channel_id, b"answer")
                    far.data_path.finish(channel_id)
                if flags & c.READY_DONE:
                    far.data_path.release(channel_id)
        far.touch()

    for _ in range(REQUESTS):
        channel_id = near.data_path.open(c.KIND_STREAM)
        near.data_path.write(channel_id, b"request")
        waiting.append(channel_id)
        if len(waiting) > 4:
            near.data_path.release(waiting.pop(0))
        near.touch()
        pair.network.run_for(0.0005)
        serve()
    pair.network.run_for(1.0)
    assert not near.is_closed
    assert not far.is_closed
    assert far.data_path.counters()["streams_opened"] == REQUESTS


# --- H23, H24 -------------------------------------------------------------------------------------------


def test_addresses_in_turn_cost_few_paths_and_little_traffic_to_others() -> None:
    world = World()
    attacker = attacker_in(world)
    frame = core.encode_frame(PING)
    for number in range(1000):
        world.shoot([attacker.raw(frame, ("192.0.2.9", number + 1))])
        world.network.run_for(0.001)
    strangers = [link for (_, target), link in world.network._links.items() if target[0] == "192.0.2.9"]
    assert 0 < len(strangers) <= c.PATH_BURST + c.PATH_RATE
    mobility = attacker.client.far._mobility
    assert mobility is not None
    assert len(mobility._all) <= c.MAX_PATHS
    assert world.code(attacker.client.far) is None
