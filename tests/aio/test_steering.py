"""The steering program does what the rule in Python says, in an interpreter of its own and in the kernel."""

from __future__ import annotations

import socket
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aio.arrivals import arrivals, send_from_new_port
from fastmux import constants as c
from fastmux.aio import steering
from fastmux.aio.socket_options import SOL_UDP, UDP_SEGMENT
from fastmux.aio.steering import NO_SOCKET, Instruction, attach_program, check_steering, steering_program
from fastmux.aio.worker_group import WorkerPlace, bind_group
from fastmux.protocol.connection_ids import RandomIds, SteeredIds, worker_of

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="classic BPF of Linux")


# --- the program in an interpreter ---------------------------------------------------------------------


def interpret(program: list[Instruction], payload: bytes) -> int:
    """Run a program as the kernel does: a load beyond the end gives 0. Only what is used here is known."""
    accumulator = at = 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        if code == 0x80:
            accumulator = len(payload)
        elif code in (0x30, 0x20):
            size = 1 if code == 0x30 else 4
            if value + size > len(payload):
                return 0
            accumulator = int.from_bytes(payload[value : value + size], "big")
        elif code == 0x94:
            accumulator %= value
        elif code == 0x05:
            at += value
        elif code == 0x45:
            at += if_true if accumulator & value else if_false
        elif code == 0x35:
            at += if_true if accumulator >= value else if_false
        else:
            assert code in (0x06, 0x16)
            return accumulator if code == 0x16 else value


def expected(payload: bytes, workers: int) -> int:
    """The rule in Python."""
    if len(payload) < 14 or not payload[0] & c.FIXED_BIT:
        return NO_SOCKET
    start = 6 if payload[0] & c.FORM_LONG else 1
    return worker_of(payload[start : start + 8], workers)


def short_packet(connection_id: bytes, size: int = 100) -> bytes:
    return (b"\x40" + connection_id).ljust(size, b"\x5a")


def long_packet(connection_id: bytes, size: int = 1200) -> bytes:
    return (b"\xc0fmx\x01" + bytes((len(connection_id),)) + connection_id).ljust(size, b"\x5a")


@given(st.binary(max_size=64), st.integers(1, c.MAX_WORKERS))
def test_the_program_is_the_rule_for_any_payload(payload: bytes, workers: int) -> None:
    assert interpret(steering_program(workers), payload) == expected(payload, workers)


@pytest.mark.parametrize("first", [0x00, 0x40, 0x44, 0x80, 0xC0, 0xF0, 0xFF])
@pytest.mark.parametrize("size", range(40))
def test_every_short_payload_ends_well(first: int, size: int) -> None:
    payload = bytes((first,)) + b"\xab" * 39
    result = interpret(steering_program(5), payload[:size])
    assert result == expected(payload[:size], 5)
    if size < 14 or first in (0x00, 0x80):
        assert result == NO_SOCKET


@pytest.mark.parametrize("size", [8, 9, 20])
@pytest.mark.parametrize("workers", [1, 2, 3, 16])
def test_packets_to_a_steered_id_go_to_its_worker_whatever_their_header(size: int, workers: int) -> None:
    dice = Random(size)
    program = steering_program(workers)
    for index in range(workers):
        for _ in range(20):
            steered = SteeredIds(RandomIds(size), index, workers).make(dice.randbytes)
            assert interpret(program, short_packet(steered)) == index
            assert interpret(program, long_packet(steered)) == index


def test_the_shortest_packets_of_the_wire_are_long_enough_to_be_steered() -> None:
    shortest = 1 + 8 + c.PACKET_NUMBER_SIZE + 1 + c.TAG_SIZE
    assert interpret(steering_program(3), short_packet(b"\0\0\0\0\0\0\0\5", shortest)) == 2


def test_every_jump_lands_inside_and_every_path_ends_in_a_return() -> None:
    program = steering_program(9)
    for at, (code, if_true, if_false, value) in enumerate(program):
        steps = [if_true, if_false] if code in (0x45, 0x35) else [value] if code == 0x05 else [0]
        if code not in (0x06, 0x16):
            assert all(at + 1 + step < len(program) for step in steps)
    assert program[-1].code == 0x06


# --- the kernel ------------------------------------------------------------------------------------------


@pytest.fixture(params=["127.0.0.1", "::1"])
def group(request: pytest.FixtureRequest) -> Iterator[list[WorkerPlace]]:
    """Four places on loopback."""
    try:
        places = bind_group(request.param, 0, 4)
    except OSError as error:
        pytest.skip(f"no steering on {request.param}: {error}")
    yield places
    for place in places:
        place.close()


def worker_that_gets(places: list[WorkerPlace], payload: bytes) -> int:
    """Send a datagram from a new port."""
    sockets = [place.sockets[0] for place in places]
    send_from_new_port(payload, sockets[0].getsockname(), sockets[0].family)
    (worker,) = arrivals(sockets)
    return worker


@linux_only
def test_the_kernel_follows_the_rule_for_both_headers(group: list[WorkerPlace]) -> None:
    dice = Random(1)
    for _ in range(100):
        connection_id = dice.randbytes(8)
        assert worker_that_gets(group, short_packet(connection_id)) == worker_of(connection_id, 4)
        assert worker_that_gets(group, long_packet(connection_id)) == worker_of(connection_id, 4)


@linux_only
def test_a_client_that_changes_its_port_still_reaches_its_worker(group: list[WorkerPlace]) -> None:
    for index in range(4):
        steered = SteeredIds(RandomIds(), index, 4).make(Random(index).randbytes)
        assert {worker_that_gets(group, short_packet(steered)) for _ in range(30)} == {index}


@linux_only
def test_what_cannot_be_a_packet_does_not_all_go_to_one_worker(group: list[WorkerPlace]) -> None:
    dice = Random(2)
    hostile = [b"", b"\x40", b"\x40" * 13, b"\xc0" * 13, b"\x00" * 40, b"\x80" + bytes(1200)]
    for payload in hostile:
        counts = Counter(worker_that_gets(group, payload) for _ in range(60))
        assert len(counts) == 4, payload  # by the hash of the port: all in three of them is one in 10^7
    for _ in range(200):
        worker_that_gets(group, dice.randbytes(dice.randrange(30)))


@linux_only
def test_first_packets_of_clients_spread_evenly(group: list[WorkerPlace]) -> None:
    dice = Random(3)
    counts = Counter(worker_that_gets(group, long_packet(dice.randbytes(8))) for _ in range(400))
    assert all(70 <= counts[index] <= 130 for index in range(4))


@linux_only
def test_a_train_goes_whole_to_the_worker_of_its_first_packet(group: list[WorkerPlace]) -> None:
    """What the kernel joined it does not cut again: so no train may mix connections of different workers."""
    ids = [SteeredIds(RandomIds(), index, 4).make(Random(index).randbytes) for index in (2, 1, 3)]
    train = b"".join(short_packet(each) for each in ids)
    with socket.socket(group[0].sockets[0].family, socket.SOCK_DGRAM) as client:
        try:
            client.sendmsg(
                [train],
                [(SOL_UDP, UDP_SEGMENT, struct.pack("=H", 100))],
                0,
                group[0].sockets[0].getsockname(),
            )
        except OSError as error:
            pytest.skip(f"no GSO: {error}")
    assert arrivals([place.sockets[0] for place in group], count=3) == [2, 2, 2]


@linux_only
def test_a_socket_that_shares_its_address_with_nobody_cannot_be_steered() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as alone:
        alone.bind(("127.0.0.1", 0))
        with pytest.raises(
            OSError, match="this kernel does not steer datagrams to workers: Invalid argument"
        ):
            attach_program(alone, steering_program(2))


@linux_only
def test_a_kernel_without_it_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "SO_ATTACH_REUSEPORT_CBPF", 32000)
    with pytest.raises(OSError, match="does not steer datagrams to workers: Protocol not available"):
        bind_group("127.0.0.1", 0, 2)


def test_another_system_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "sunos5")
    with pytest.raises(OSError, match="on Linux only, not on sunos5"):
        check_steering()
