"""The sockets of a group stand in the order of their places, and stay there."""

from __future__ import annotations

import gc
import os
import socket
import sys
from random import Random

import pytest

from aio.arrivals import arrivals, send_from_new_port
from fastmux.aio.worker_group import WorkerPlace, bind_group
from fastmux.protocol.connection_ids import RandomIds, SteeredIds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="groups are of Linux")


def packet_for(index: int, count: int, seed: int = 0) -> bytes:
    """A packet with a short header for this worker."""
    return b"\x40" + SteeredIds(RandomIds(), index, count).make(Random(seed).randbytes) + bytes(40)


def workers_that_get(places: list[WorkerPlace], *payloads: bytes) -> list[int]:
    """Send datagrams, each from a new port, to the port of a group on 127.0.0.1."""
    for payload in payloads:
        send_from_new_port(payload, ("127.0.0.1", places[-1].port))
    return arrivals([place.sockets[0] for place in places], len(payloads))


def close(places: list[WorkerPlace]) -> None:
    for place in places:
        place.close()


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_each_place_gets_the_packets_of_its_index(workers: int) -> None:
    places = bind_group("127.0.0.1", 0, workers)
    assert [(place.index, place.count) for place in places] == [(n, workers) for n in range(workers)]
    assert len({place.port for place in places}) == 1
    for index in range(workers):
        assert workers_that_get(places, packet_for(index, workers)) == [index]
    close(places)


def test_every_address_of_a_host_is_a_group_of_its_own_on_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(2, 2, 17, "", ("127.0.0.1", 0)), (2, 2, 17, "", ("127.0.0.2", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [*found, found[0]])
    places = bind_group("both.example", 0, 3)
    monkeypatch.undo()
    port = places[0].port
    for index, place in enumerate(places):
        assert [sock.getsockname() for sock in place.sockets] == [("127.0.0.1", port), ("127.0.0.2", port)]
        for number, host in enumerate(("127.0.0.1", "127.0.0.2")):
            send_from_new_port(packet_for(index, 3, seed=number), (host, port))
            assert arrivals([each.sockets[number] for each in places]) == [index]
    close(places)


def test_a_socket_closed_in_one_process_but_open_in_another_keeps_its_place() -> None:
    """What a worker that dies leaves: its duplicate is gone, the place is not."""
    places = bind_group("127.0.0.1", 0, 3)
    places[0].sockets[0].dup().close()
    assert workers_that_get(places, packet_for(0, 3), packet_for(2, 3)) == [0, 2]
    close(places)


def test_a_place_closed_everywhere_disturbs_the_order() -> None:
    """Why the places are to be kept open: the kernel gives the number of the first to the last."""
    places = bind_group("127.0.0.1", 0, 3)
    places[0].close()
    assert workers_that_get(places[1:], packet_for(0, 3)) == [1]  # it was the third
    close(places)


def test_a_port_that_somebody_has_is_an_error_and_no_group_joins_another() -> None:
    places = bind_group("127.0.0.1", 0, 2)
    for workers in (1, 2):
        with pytest.raises(OSError, match="in use"):
            bind_group("127.0.0.1", places[0].port, workers)
    assert workers_that_get(places, packet_for(1, 2)) == [1]
    port = places[0].port
    close(places)
    close(bind_group("127.0.0.1", port, 2))


def test_an_address_that_cannot_be_bound_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(2, 2, 17, "", ("127.0.0.1", 0)), (2, 2, 17, "", ("192.0.2.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    gc.collect()  # of earlier tests
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="assign"):
        bind_group("half.example", 0, 3)
    assert len(os.listdir("/proc/self/fd")) == before


def test_one_worker_needs_no_steering_and_so_no_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "sunos5")
    with pytest.raises(OSError, match="Linux only"):
        bind_group("127.0.0.1", 0, 2)
    (place,) = bind_group("127.0.0.1", 0, 1)
    with place:
        assert place.sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 0
    assert place.sockets[0].fileno() == -1


@pytest.mark.parametrize("workers", [0, -1, 257])
def test_a_number_of_workers_that_makes_no_sense_is_refused(workers: int) -> None:
    with pytest.raises(ValueError, match="1 to 256"):
        bind_group("127.0.0.1", 0, workers)


def test_a_place_made_by_hand_is_checked() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        assert WorkerPlace(1, 2, (sock,)).sockets == (sock,)
        with pytest.raises(ValueError, match="index"):
            WorkerPlace(2, 2, (sock,))
    with pytest.raises(ValueError, match="at least one socket"):
        WorkerPlace(0, 1, ())
