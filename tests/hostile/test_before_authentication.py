"""Strangers (H1 to H13): what comes of their datagrams, what stays, and what others notice of it."""

from __future__ import annotations

import tracemalloc
from itertools import count, islice
from random import Random

import pytest

import fastmux
from fastmux import constants as c
from fastmux.exceptions import HandshakeError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.endpoint import Endpoint
from hostile.attacker import Attack, Attacker, host
from hostile.before_authentication import ATTACKS, garbage_in_long_headers
from hostile.runs import check
from hostile.world import World
from network import Conditions
from protocol.pairs import make_pair, transfer
from protocol.scripted import Script, ScriptedHandshake
from protocol.test_endpoint import knock, unknown


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.row} {attack.name}")
def test_an_attack_has_its_reaction_and_leaves_little_and_others_go_on(attack: Attack) -> None:
    check(attack)


def attacker_in(world: World) -> Attacker:
    return Attacker(world, world.connect("well-behaved", is_read=True))


# --- H1, H2, H3 -----------------------------------------------------------------------------------------


def test_a_first_packet_of_one_byte_too_little_is_dropped_and_a_full_one_is_answered() -> None:
    world = World()
    attacker = attacker_in(world)
    full = attacker.half(1, host(1)).knock()
    world.shoot([full._replace(data=full.data[:-1])])
    assert world.server.endpoint.counters()["too_short"] == 1
    assert world.server.endpoint.connections == 1
    world.shoot([full])
    assert world.server.endpoint.connections == 2


def test_half_open_connections_hold_less_than_64_kib_each_and_are_gone_after_their_time() -> None:
    world = World()
    attacker = attacker_in(world)
    tracemalloc.start()
    try:
        world.shoot(attacker.half(number, host(number)).knock() for number in range(100))
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert world.server.endpoint.connections == 101
    assert size / 100 < c.MAX_HANDSHAKE_BUFFER
    world.network.run_for(c.HANDSHAKE_TIMEOUT + 3 * c.MAX_PTO)
    assert world.server.endpoint.connections == 1


# --- H4, H10 --------------------------------------------------------------------------------------------


def growth_of_a_storm(shots: int) -> int:
    """Bytes that fastmux keeps of so many datagrams that come to nothing, after a tenth as many."""
    world = World()
    storm = garbage_in_long_headers(attacker_in(world))
    made = list(islice(storm, 64))
    endpoint = world.server.endpoint

    def send(many: int) -> None:
        for number in range(many):
            data, source = made[number % len(made)]
            endpoint.receive(bytearray(data), len(data), len(data), source, world.network.now)

    send(shots // 10)
    tracemalloc.start()
    try:
        send(shots)
        snapshot = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    kept = snapshot.filter_traces([tracemalloc.Filter(True, f"{fastmux.__path__[0]}/*")])
    return sum(statistic.size for statistic in kept.statistics("filename"))


def test_ignored_first_packets_leave_nothing_behind_however_many_they_are() -> None:
    """H4; `python -m bench.hostile --memory` does this with a million, and looks at the whole process."""
    assert growth_of_a_storm(600) < 4096


def test_every_datagram_is_counted_an_empty_one_as_nothing() -> None:
    endpoint = Endpoint(Configuration(), random_bytes=Random(1).randbytes)
    for _ in range(100):
        endpoint.receive(bytearray(b"?"), 1, 1, host(1), 1.0)
        endpoint.receive(bytearray(), 0, 0, host(1), 1.0)
    assert endpoint.counters()["datagrams_received"] == 100


# --- H5, H6, H7, H8 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [9000, 48_000])
def test_flights_of_ten_times_the_usual_size_pass(size: int) -> None:
    """A chain of certificates has some 4 KB; MAX_HANDSHAKE_BUFFER is 64 KiB."""
    script = Script(server_size=size, finish_size=size)
    pair = make_pair(script=script, conditions=Conditions(loss=0.05, reordering=0.2)).open()
    assert transfer(pair, bytes(1000)) == bytes(1000)


def test_handshake_bytes_up_to_the_limit_are_borne_and_one_more_ends_the_attempt() -> None:
    world = World()
    attacker = attacker_in(world)
    half = attacker.half(1)
    world.shoot([half.knock(), half.say((c.FRAME_HANDSHAKE, c.MAX_HANDSHAKE_BUFFER - 1, b"a"))])
    assert not world.errors
    world.shoot([half.say((c.FRAME_HANDSHAKE, c.MAX_HANDSHAKE_BUFFER, b"a"))])
    (error,) = world.errors.values()
    assert isinstance(error, HandshakeError)
    assert f"(code {c.HANDSHAKE_BUFFER_EXCEEDED:#x})" in str(error)


def test_parameters_are_not_looked_at_before_their_sender_has_proved_himself() -> None:
    """Malformed ones are then an error (test_handshaking.py); until then they cost what others cost."""
    world = World()
    attacker = attacker_in(world)
    world.shoot([attacker.half(1).knock(parameters=b"\x01\x04\xff")])
    assert not world.errors
    world.network.run_for(c.HANDSHAKE_TIMEOUT + 3 * c.MAX_PTO)
    assert world.server.endpoint.connections == 1


def test_a_hundred_unknown_parameters_are_no_harm() -> None:
    world = World()
    attacker = attacker_in(world)
    blob = b"".join((0x4040 + number).to_bytes(2, "big") + b"\x01?" for number in range(100))
    world.shoot([attacker.half(1).knock(parameters=blob)])
    assert not world.errors
    assert world.server.endpoint.connections == 2


def test_frames_of_the_application_under_handshake_keys_are_as_if_they_had_never_come() -> None:
    world = World()
    attacker = attacker_in(world)
    half = attacker.half(1)
    world.shoot([half.knock()])
    world.shoot(half.say((c.FRAME_STREAM, 0, 0, b"data", True)) for _ in range(50))
    assert not world.errors
    assert world.server.events[world.server.endpoint._by_first_id[half.source, b"00000001"]] == []


# --- H9, H12 --------------------------------------------------------------------------------------------


def test_no_more_answers_wait_than_the_limit_and_a_client_gets_its_own() -> None:
    """H9: whoever asks by an unknown version is answered, of many at once MAX_ANSWERS are."""
    endpoint = Endpoint(
        Configuration(), random_bytes=Random(1).randbytes, accept=lambda: ScriptedHandshake(False)
    )
    for number in range(10 * c.MAX_ANSWERS):
        endpoint.receive(bytearray(unknown()), 1200, 1200, host(number), 1.0)
    buffer = bytearray(65536)
    answered = 0
    while endpoint.transmit(buffer, 1.0) is not None:
        answered += 1
    assert answered == c.MAX_ANSWERS
    endpoint.receive(bytearray(unknown()), 1200, 1200, host(1), 1.0)
    assert endpoint.transmit(buffer, 1.0) is not None


def test_all_clients_of_a_server_that_was_restarted_are_answered_at_once() -> None:
    """H12: a thousand of them from as many networks; one more has to wait for a moment."""
    endpoint = Endpoint(
        Configuration(), random_bytes=Random(1).randbytes, accept=lambda: ScriptedHandshake(False)
    )
    buffer = bytearray(65536)

    def is_answered(number: int, now: float) -> bool:
        stray = bytes((c.FIXED_BIT,)) + bytes(50)
        endpoint.receive(bytearray(stray), len(stray), len(stray), host(256 * number), now)
        return endpoint.transmit(buffer, now) is not None

    assert all(is_answered(number, 1.0) for number in range(int(c.RESET_BURST)))
    assert not is_answered(5000, 1.0)
    assert is_answered(5000, 1.1)


# --- H11 ------------------------------------------------------------------------------------------------


def test_forged_packets_move_no_timer_no_address_and_no_estimate() -> None:
    world = World()
    attacker = attacker_in(world)
    far = attacker.victim.far
    world.transfer(attacker.victim, 10_000)
    world.network.run_for(1.0)
    before = far.deadline(), far.address, far._data.traffic.rtt.smoothed_rtt, far.last_seen
    name = far.ids.local
    dice = Random(1)
    packets = (bytes((c.FIXED_BIT,)) + name + dice.randbytes(100) for _ in count())
    shot = attacker.half(1).knock()
    world.shoot(shot._replace(data=data) for data in islice(packets, 500))
    world.shoot(
        shot._replace(data=data, source=attacker.victim.node.address) for data in islice(packets, 500)
    )
    assert (far.deadline(), far.address, far._data.traffic.rtt.smoothed_rtt, far.last_seen) == before
    assert far.data_path.counters()["undecryptable_packets"] == 1000


def test_a_knock_that_was_made_for_one_server_is_ignored_by_a_client() -> None:
    world = World()
    attacker = attacker_in(world)
    world.network.inject(knock(), host(1), attacker.victim.node)
    assert attacker.victim.node.endpoint.connections == 1
