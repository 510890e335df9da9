"""The link emulator between real sockets: what it loses, delays and drops."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from bench.emulator import EmulatedLink, compile_emulator
from bench.linkshape import HEADERS_SIZE, LinkShape
from bench.places import PlaceUnavailable

PATIENCE = 5.0
SIZE = 1000
MARKS = 3


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return compile_emulator(tmp_path_factory.mktemp("link"))
    except PlaceUnavailable as error:
        pytest.skip(str(error))


def carry(link: EmulatedLink, count: int, at_once: int = 20) -> list[int]:
    """Send numbered datagrams, a few at a time, and return the numbers that arrived, in their order.

    After each few the sender waits for a mark that it sends thrice.
    """
    arrived: list[int] = []
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 0))
        server.settimeout(PATIENCE)
        with link.route(server.getsockname()[1]) as port:
            client.connect(("127.0.0.1", port))
            for start in range(0, count, at_once):
                for number in range(start, min(start + at_once, count)):
                    client.send(number.to_bytes(4, "big").ljust(SIZE, b"."))
                arrived += until_mark(client, server, start.to_bytes(4, "big"))
    return arrived


def until_mark(client: socket.socket, server: socket.socket, mark: bytes) -> list[int]:
    found: list[int] = []
    for _ in range(MARKS):
        client.send(mark)
    marks = 0
    server.settimeout(PATIENCE)
    while True:
        try:
            data = server.recv(2048)
        except TimeoutError:
            assert marks, "nothing arrives"
            return found
        if data == mark:
            marks += 1
            server.settimeout(0.02)  # the other marks, unless they are lost
        elif len(data) == SIZE:
            found.append(int.from_bytes(data[:4], "big"))
        if marks == MARKS:
            return found


def test_a_link_without_loss_carries_everything_in_order(program: Path) -> None:
    link = EmulatedLink(program, LinkShape())
    assert carry(link, 200) == list(range(200))
    assert link.reports[0]["there"]["lost"] == link.reports[0]["there"]["dropped"] == 0


def test_loss_is_the_share_asked_for_and_the_same_again_for_the_same_seed(program: Path) -> None:
    shape = LinkShape(loss=0.1)
    first, second = (carry(EmulatedLink(program, shape), 1000) for _ in range(2))
    assert 840 <= len(first) <= 950  # 900 ± 6 standard deviations
    assert first == second


def test_each_run_of_a_link_loses_others(program: Path) -> None:
    link = EmulatedLink(program, LinkShape(loss=0.1))
    assert carry(link, 300) != carry(link, 300)
    assert len(link.reports) == 2


def test_the_queue_takes_what_it_is_said_to_and_drops_the_rest(program: Path) -> None:
    # 50 datagrams at once, one leaves every 50 ms: five wait, the first one is on its way at once.
    rate = (SIZE + HEADERS_SIZE) * 8 / 0.05
    link = EmulatedLink(program, LinkShape(rate=rate, queue_size=5.5 * (SIZE + HEADERS_SIZE)))
    arrived = []
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.5)
        with link.route(server.getsockname()[1]) as port:
            client.connect(("127.0.0.1", port))
            for number in range(50):
                client.send(number.to_bytes(4, "big").ljust(SIZE, b"."))
            with pytest.raises(TimeoutError):
                while True:
                    arrived.append(int.from_bytes(server.recv(2048)[:4], "big"))
    assert arrived[:5] == list(range(5))
    assert 5 <= len(arrived) <= 12
    report = link.reports[0]["there"]
    assert report["forwarded"] == len(arrived)
    assert report["dropped"] == 50 - len(arrived)


def test_a_round_trip_takes_the_delay_of_both_ways(program: Path) -> None:
    link = EmulatedLink(program, LinkShape(rate=1e9, delay=0.02))
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 0))
        server.settimeout(PATIENCE)
        client.settimeout(PATIENCE)
        with link.route(server.getsockname()[1]) as port:
            client.connect(("127.0.0.1", port))
            started_at = time.monotonic()
            client.send(b"there")
            data, address = server.recvfrom(100)
            server.sendto(data + b" and back", address)
            assert client.recv(100) == b"there and back"
            assert time.monotonic() - started_at >= 0.04
