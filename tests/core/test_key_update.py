"""Key update: the phase bit, what opens with which keys, and what a peer may not do."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from conftest import CORES, load_core
from core.pump import Pump, read_all
from fastmux import constants as c
from fastmux.exceptions import ClosedResourceError, ProtocolError

SUITES = [c.SUITE_AES_128_GCM, c.SUITE_AES_256_GCM, c.SUITE_CHACHA20_POLY1305]
PING = (c.FRAME_PING,)
UPDATED = (c.CONTROL_KEYS_UPDATED, 0)
HIGHER_NUMBER = "older keys for a higher packet number"


@pytest.fixture
def pump(make_pump: Callable[..., Pump]) -> Pump:
    """AES-128-GCM, with the next keys on both ends and a packet of each acknowledged."""
    pump = make_pump(suite=c.SUITE_AES_128_GCM)
    pump.supply(*pump.paths)
    settle(pump)
    return pump


def settle(pump: Pump) -> None:
    """One packet and its acknowledgement each way."""
    for path in pump.paths:
        path.queue_control(0, b"\x01")
    pump.pump()
    pump.advance(1.0)


def ping(pump: Pump, path: Any) -> bytes:
    """A packet that the path has sealed now, and that nobody has received yet."""
    path.queue_control(0, b"\x01")
    (packet,) = pump.packets(path)
    return packet


def phase(packet: bytes) -> int:
    return packet[0] & c.KEY_PHASE_BIT


def number_of(packet: bytes) -> int:
    return int.from_bytes(packet[9:13], "big")


def updates(pump: Pump) -> list[int]:
    return [path.counters()["key_updates"] for path in pump.paths]


def lost(path: Any) -> int:
    count: int = path.counters()["undecryptable_packets"]
    return count


def update(pump: Pump, path: Any) -> None:
    """A whole update begun by `path`, next keys included."""
    assert path.update_keys()
    settle(pump)
    pump.supply(*pump.paths)


def refusal(pump: Pump, path: Any, packet: bytes) -> str:
    """The reason with which the path closes for a KEY_UPDATE_ERROR."""
    with pytest.raises(ProtocolError) as caught:
        pump.deliver(path, [packet])
    assert caught.value.code == c.KEY_UPDATE_ERROR
    return caught.value.reason


# --- an update ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", SUITES)
def test_an_update_takes_both_directions_to_new_keys(make_pump: Callable[..., Pump], suite: int) -> None:
    pump = make_pump(suite=suite)
    pump.supply(*pump.paths)
    settle(pump)
    assert pump.client.update_keys()
    settle(pump)
    assert updates(pump) == [1, 1]
    for path in pump.paths:
        packet = ping(pump, path)
        assert phase(packet) == c.KEY_PHASE_BIT
        protection = pump.core.PacketProtection(suite, *pump.keys(path, 1))
        assert protection.open(number_of(packet), packet[:13], packet[13:]) is not None
        pump.deliver(pump.peer(path), [packet])
    assert [lost(path) for path in pump.paths] == [0, 0]


def test_the_first_packet_after_the_beginning_has_the_bit_and_not_one_before(pump: Pump) -> None:
    assert phase(ping(pump, pump.client)) == 0
    assert pump.client.update_keys()
    assert phase(ping(pump, pump.client)) == c.KEY_PHASE_BIT


def test_the_peer_answers_with_its_very_next_packet(pump: Pump) -> None:
    pump.client.update_keys()
    packet = ping(pump, pump.client)
    assert phase(ping(pump, pump.server)) == 0
    pump.deliver(pump.server, [packet])
    assert phase(ping(pump, pump.server)) == c.KEY_PHASE_BIT


def test_each_end_is_told_once(pump: Pump) -> None:
    for path in pump.paths:
        pump.control[path].clear()
    pump.server.update_keys()
    assert pump.server.take_control() == []
    settle(pump)
    settle(pump)
    assert [pump.control[path] for path in pump.paths] == [[UPDATED], [UPDATED]]


def test_phases_alternate_over_many_updates(pump: Pump) -> None:
    for count in range(1, 12):
        update(pump, pump.paths[count % 3 % 2])
        assert updates(pump) == [count, count]
        assert phase(ping(pump, pump.client)) == (c.KEY_PHASE_BIT if count % 2 else 0)
        settle(pump)


def test_both_ends_may_begin_at_the_same_time(pump: Pump) -> None:
    assert pump.client.update_keys()
    assert pump.server.update_keys()
    crossing = [(pump.server, ping(pump, pump.client)), (pump.client, ping(pump, pump.server))]
    for path, packet in crossing:
        pump.deliver(path, [packet])
    settle(pump)
    assert updates(pump) == [1, 1]
    pump.supply(*pump.paths)
    update(pump, pump.client)
    assert updates(pump) == [2, 2]
    assert [lost(path) for path in pump.paths] == [0, 0]


def test_an_answer_that_gets_lost_is_no_harm(pump: Pump) -> None:
    pump.client.update_keys()
    pump.deliver(pump.server, [ping(pump, pump.client)])
    assert phase(ping(pump, pump.server)) == c.KEY_PHASE_BIT  # and nobody gets it
    settle(pump)
    assert updates(pump) == [1, 1]


# --- when an update may begin -------------------------------------------------------------------------


def test_no_update_begins_before_a_packet_is_acknowledged(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(suite=c.SUITE_AES_128_GCM)
    pump.supply(*pump.paths)
    assert not pump.client.update_keys()
    pump.deliver(pump.server, [ping(pump, pump.client)])
    assert not pump.client.update_keys()
    settle(pump)
    assert pump.client.update_keys()


def test_no_update_begins_before_the_last_one_is_through(pump: Pump) -> None:
    assert pump.client.update_keys()
    assert not pump.client.update_keys()
    packet = ping(pump, pump.client)
    assert not pump.client.update_keys()
    pump.deliver(pump.server, [packet])
    pump.supply(pump.server)
    assert not pump.server.update_keys()  # it has answered, which is not acknowledged yet
    settle(pump)
    pump.supply(pump.client)
    assert pump.server.update_keys()
    assert updates(pump) == [1, 1]


def test_without_next_keys_no_update_begins(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(suite=c.SUITE_AES_128_GCM)
    settle(pump)
    assert not pump.client.update_keys()
    assert phase(ping(pump, pump.client)) == 0


def test_an_update_that_comes_before_the_next_keys_is_lost_until_they_are_there(
    make_pump: Callable[..., Pump],
) -> None:
    pump = make_pump(suite=c.SUITE_AES_128_GCM)
    pump.supply(pump.client)
    settle(pump)
    pump.client.update_keys()
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, b"data")
    for _ in range(3):
        pump.round()
    assert (lost(pump.server), updates(pump)) == (1, [0, 0])
    pump.supply(pump.server)
    pump.pump()
    assert read_all(pump.server, stream) == b"data"
    assert updates(pump) == [1, 1]


def test_next_keys_are_refused_where_they_cannot_be(make_pump: Callable[..., Pump], core: Any) -> None:
    key, iv = bytes(16), bytes(12)
    bare = core.DataPath(True, b"12345678")
    with pytest.raises(ValueError):
        bare.set_next_keys(key, iv, key, iv)
    assert not bare.update_keys()
    bare.close()
    with pytest.raises(ClosedResourceError):
        bare.set_next_keys(key, iv, key, iv)
    with pytest.raises(ValueError):
        make_pump(suite=c.SUITE_NULL).client.set_next_keys(b"", iv, b"", iv)
    pump = make_pump(suite=c.SUITE_AES_128_GCM)
    for wrong in ((key[1:], iv, key, iv), (key, iv, key, iv[1:])):
        with pytest.raises(ValueError):
            pump.client.set_next_keys(*wrong)
    settle(pump)
    assert not pump.client.update_keys()  # what was refused left nothing behind
    pump.supply(*pump.paths)
    with pytest.raises(ValueError):
        pump.client.set_next_keys(key, iv, key, iv)
    assert pump.client.update_keys()
    with pytest.raises(ValueError):  # the peer may need those that are set
        pump.client.set_next_keys(key, iv, key, iv)
    settle(pump)
    assert updates(pump) == [1, 1]


def test_first_keys_set_anew_start_again_at_the_first_phase(pump: Pump) -> None:
    update(pump, pump.client)
    for path in pump.paths:
        path.set_keys(pump.suite, *pump.keys(path, 0), *pump.keys(pump.peer(path), 0))
        pump.generations[path] = 0
    assert phase(ping(pump, pump.client)) == 0
    settle(pump)
    pump.supply(*pump.paths)
    update(pump, pump.server)
    assert [lost(path) for path in pump.paths] == [0, 0]


def test_a_phase_bit_under_the_null_suite_opens_nothing(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(suite=c.SUITE_NULL)
    pump.deliver(pump.server, [pump.sealed(pump.client, 0, 0, PING, phase=1)])
    assert (lost(pump.server), pump.server.counters()["packets_received"]) == (1, 0)


# --- what comes late ----------------------------------------------------------------------------------


def test_late_packets_open_with_the_old_keys_until_these_are_dropped(pump: Pump) -> None:
    late = [ping(pump, pump.client) for _ in range(3)]
    update(pump, pump.client)
    received = pump.server.counters()["packets_received"]
    pump.deliver(pump.server, late[:2])
    assert pump.server.counters()["packets_received"] == received + 2
    pump.server.drop_old_keys()
    pump.server.drop_old_keys()
    pump.deliver(pump.server, late[2:])
    assert (pump.server.counters()["packets_received"], lost(pump.server)) == (received + 2, 1)
    pump.deliver(pump.server, [ping(pump, pump.client)])
    assert lost(pump.server) == 1
    assert updates(pump) == [1, 1]


def test_a_second_update_lets_the_oldest_keys_go(pump: Pump) -> None:
    first = ping(pump, pump.client)
    update(pump, pump.client)
    second = ping(pump, pump.client)
    update(pump, pump.server)
    pump.deliver(pump.server, [first, second])
    assert lost(pump.server) == 1


def test_packets_of_an_update_may_overtake_each_other(pump: Pump) -> None:
    before = [ping(pump, pump.client) for _ in range(3)]
    pump.client.update_keys()
    after = [ping(pump, pump.client) for _ in range(3)]
    received = pump.server.counters()["packets_received"]
    pump.deliver(pump.server, [after[2], before[1], after[0], before[2], after[1], before[0]])
    assert pump.server.counters()["packets_received"] == received + 6
    assert (lost(pump.server), updates(pump)[1]) == (0, 1)


# --- what is forged or sent again ---------------------------------------------------------------------


@pytest.mark.parametrize("is_updated", [False, True])
def test_a_forged_phase_bit_changes_nothing_but_one_counter(pump: Pump, is_updated: bool) -> None:
    if is_updated:
        update(pump, pump.client)
    before = updates(pump)
    packet = ping(pump, pump.client)
    forged = bytes([packet[0] ^ c.KEY_PHASE_BIT]) + packet[1:]
    far = forged[:9] + (2**30).to_bytes(4, "big") + forged[13:]
    rubbish = forged[:13] + bytes(100)
    short = forged[:13] + bytes(16)
    pump.deliver(pump.server, [forged, far, rubbish, short] * 5)
    assert lost(pump.server) == 20
    pump.deliver(pump.server, [packet])
    assert updates(pump) == before
    assert lost(pump.server) == 20
    assert phase(ping(pump, pump.server)) == phase(packet)
    settle(pump)
    update(pump, pump.server)


def test_replayed_packets_of_either_phase_are_duplicates(pump: Pump) -> None:
    old = ping(pump, pump.client)
    pump.deliver(pump.server, [old])
    pump.client.update_keys()
    new = ping(pump, pump.client)
    pump.deliver(pump.server, [new])
    before = pump.server.counters()
    pump.deliver(pump.server, [new, old] * 3)
    after = pump.server.counters()
    assert after["duplicate_packets"] == before["duplicate_packets"] + 6
    assert {**after, "duplicate_packets": 0} == {**before, "duplicate_packets": 0}
    settle(pump)
    pump.supply(*pump.paths)
    update(pump, pump.client)
    pump.deliver(pump.server, [new, old])  # one phase ago, and two
    assert (pump.server.counters()["duplicate_packets"], lost(pump.server)) == (
        after["duplicate_packets"] + 1,
        1,
    )
    assert updates(pump) == [2, 2]


def test_failures_are_counted_across_keys(pump: Pump) -> None:
    for count in range(1, 5):
        pump.deliver(pump.server, [ping(pump, pump.client)[:-1]])
        update(pump, pump.client)
        assert lost(pump.server) == count


# --- what closes the connection -----------------------------------------------------------------------


def test_old_keys_on_a_higher_number_are_an_error(pump: Pump) -> None:
    update(pump, pump.client)
    packet = pump.sealed(pump.client, 0, number_of(ping(pump, pump.client)) + 1, PING)
    assert refusal(pump, pump.server, packet) == HIGHER_NUMBER


def test_old_keys_that_were_dropped_are_no_error_any_more(pump: Pump) -> None:
    update(pump, pump.client)
    pump.server.drop_old_keys()
    pump.deliver(pump.server, [pump.sealed(pump.client, 0, number_of(ping(pump, pump.client)) + 1, PING)])
    assert lost(pump.server) == 1


def test_new_keys_on_a_lower_number_are_an_error(pump: Pump) -> None:
    low = number_of(ping(pump, pump.client))
    pump.deliver(pump.server, [ping(pump, pump.client)])
    assert refusal(pump, pump.server, pump.sealed(pump.client, 1, low, PING)) == HIGHER_NUMBER
    assert updates(pump) == [0, 0]


def test_the_order_of_arrival_makes_no_difference_to_that(pump: Pump) -> None:
    start = number_of(ping(pump, pump.client)) + 1
    pump.deliver(pump.server, [pump.sealed(pump.client, 1, start + 9, PING)])
    pump.deliver(pump.server, [pump.sealed(pump.client, 0, start + 5, PING)])
    pump.deliver(pump.server, [pump.sealed(pump.client, 1, start + 6, PING)])
    assert refusal(pump, pump.server, pump.sealed(pump.client, 1, start + 4, PING)) == HIGHER_NUMBER
    assert refusal(pump, pump.server, pump.sealed(pump.client, 0, start + 7, PING)) == HIGHER_NUMBER


def test_new_keys_below_what_came_before_the_update_are_an_error(pump: Pump) -> None:
    start = number_of(ping(pump, pump.client)) + 1
    pump.deliver(pump.server, [pump.sealed(pump.client, 0, start + 3, PING)])
    pump.deliver(pump.server, [pump.sealed(pump.client, 1, start + 9, PING)])
    assert refusal(pump, pump.server, pump.sealed(pump.client, 1, start + 2, PING)) == HIGHER_NUMBER


def test_next_keys_are_not_tried_on_numbers_that_cannot_have_them(pump: Pump) -> None:
    update(pump, pump.client)
    low = number_of(ping(pump, pump.client))
    for _ in range(3):
        ping(pump, pump.client)
    update(pump, pump.client)
    pump.deliver(pump.server, [pump.sealed(pump.client, 3, low, PING)])
    assert (lost(pump.server), updates(pump)) == (1, [2, 2])


@pytest.mark.parametrize("has_old_keys", [False, True])
def test_an_acknowledgement_under_older_keys_than_what_it_acknowledges_is_an_error(
    pump: Pump, has_old_keys: bool
) -> None:
    number = number_of(ping(pump, pump.server)) + 1
    pump.client.update_keys()
    acked = number_of(ping(pump, pump.client))
    frame = (c.FRAME_ACK, 0.0, ((acked, acked + 1),))
    generation = 0
    if has_old_keys:  # the answer has come before it
        pump.deliver(pump.client, [pump.sealed(pump.server, 1, number + 1, PING)])
        assert updates(pump)[0] == 1
    packet = pump.sealed(pump.server, generation, number, PING, frame)
    assert refusal(pump, pump.client, packet) == "newer keys acknowledged under older ones"
    fine = (c.FRAME_ACK, 0.0, ((acked - 1, acked),))
    pump.deliver(pump.client, [pump.sealed(pump.server, generation, number, PING, fine)])
    assert lost(pump.client) == 0


def test_a_second_update_before_any_acknowledgement_is_an_error(pump: Pump) -> None:
    start = number_of(ping(pump, pump.client)) + 1
    pump.deliver(pump.server, [pump.sealed(pump.client, 1, start, PING)])
    pump.supply(pump.server)
    reason = refusal(pump, pump.server, pump.sealed(pump.client, 2, start + 1, PING))
    assert reason == "a key update before the last one was acknowledged"
    assert updates(pump)[1] == 1


def test_the_first_update_may_come_before_the_other_end_has_sent_anything(
    make_pump: Callable[..., Pump],
) -> None:
    pump = make_pump(suite=c.SUITE_AES_128_GCM)
    pump.supply(pump.server)
    pump.deliver(pump.server, [pump.sealed(pump.client, 1, 0, PING)])
    assert updates(pump) == [0, 1]


# --- everything at once -------------------------------------------------------------------------------


def shuffled_transfer(client: Any, server: Any, suite: int, seed: int) -> tuple[int, int]:
    """Streams both ways over a wire that loses, swaps and repeats, with updates by both ends all the time."""
    rng = random.Random(seed)
    pump = Pump(client, server, suite=suite)
    pump.supply(*pump.paths)
    contents = {}
    for path in pump.paths:
        stream = path.open(c.KIND_STREAM)
        contents[stream] = (pump.peer(path), rng.randbytes(60_000))
        path.write(stream, contents[stream][1])
    wire: list[tuple[Any, bytes]] = []
    for _ in range(2000):
        for path in pump.paths:
            wire += [(pump.peer(path), packet) for packet in pump.packets(path, 2400)]
        rng.shuffle(wire)
        wire, now = wire[len(wire) // 2 :], wire[: len(wire) // 2]
        for path, packet in now:
            for _ in range(rng.choice((0, 1, 1, 1, 2))):
                pump.deliver(path, [packet])
        for path in pump.paths:
            if UPDATED in path.take_control():
                pump.supply(path)
            path.update_keys()
        pump.advance(0.02)
        if all(path.is_idle for path in pump.paths) and not wire:
            break
    for stream, (path, data) in contents.items():
        assert read_all(path, stream) == data
    counts = (pump.client.counters()["key_updates"], pump.server.counters()["key_updates"])
    pump.close()
    return counts


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("names", [(one, other) for one in CORES for other in CORES])
def test_what_was_written_arrives_through_many_updates(names: tuple[str, str], suite: int) -> None:
    client, server = map(load_core, names)
    for seed in range(3):
        counts = shuffled_transfer(client, server, suite, seed)
        assert min(counts) > 10
        assert abs(counts[0] - counts[1]) <= 1
