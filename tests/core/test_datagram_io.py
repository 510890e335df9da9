"""Both cores move rows of datagrams through a socket the same way, and leave errors to their caller."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from fastmux.constants import TRAIN_BUFFER_SIZE

SOL_UDP, UDP_GRO = 17, 104
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="GSO and GRO of Linux")
ROOM = 8 * TRAIN_BUFFER_SIZE


def udp_socket(host: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((host, 0))
    return sock


class Ends:
    """A sender and a receiver of one core."""

    def __init__(self, core: Any, host: str = "127.0.0.1") -> None:
        self.sockets = [udp_socket(host), udp_socket(host)]
        self.sender, self.receiver = (core.DatagramIO(sock) for sock in self.sockets)
        self.source, self.target = (sock.getsockname() for sock in self.sockets)
        self.buffer = bytearray(ROOM)
        if sys.platform == "linux":
            self.sockets[1].setsockopt(SOL_UDP, UDP_GRO, 1)

    def send(self, data: bytes, segment_size: int, train_size: int | None = None) -> tuple[int, int]:
        sent: tuple[int, int] = self.sender.send(data, segment_size, train_size or segment_size, self.target)
        return sent

    def rows(self, max_trains: int = 8) -> list[tuple[bytes, int, Any]]:
        rows = self.receiver.receive(self.buffer, max_trains)
        return [
            (bytes(self.buffer[start : start + size]), segment_size, address)
            for start, size, segment_size, address in rows
        ]


@pytest.fixture(params=["127.0.0.1", "::1"])
def ends(core: Any, request: pytest.FixtureRequest) -> Iterator[Ends]:
    if request.param == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6")
    ends = Ends(core, request.param)
    yield ends
    for sock in ends.sockets:
        sock.close()


def test_nothing_is_received_where_nothing_waits(ends: Ends) -> None:
    assert ends.rows() == []
    assert ends.receiver.is_drained
    assert ends.receiver.trains_received == 0


def test_datagrams_arrive_with_the_address_they_came_from(ends: Ends) -> None:
    assert ends.send(b"hello", 5) == (5, 0)
    assert ends.rows() == [(b"hello", 5, ends.source)]
    assert ends.receiver.is_drained
    assert ends.receiver.trains_received == 1


def test_datagrams_of_one_size_and_peer_are_one_row_and_a_shorter_one_ends_it(ends: Ends) -> None:
    ends.send(b"aaaabbbbc", 4)
    ends.send(b"dddd", 4)
    assert ends.rows() == [(b"aaaabbbbc", 4, ends.source), (b"dddd", 4, ends.source)]


def test_a_longer_datagram_or_another_peer_begins_a_row(ends: Ends, core: Any) -> None:
    ends.send(b"aaaa", 4)
    ends.send(b"bbbbb", 5)
    with udp_socket(ends.source[0]) as other:
        core.DatagramIO(other).send(b"ccccc", 5, 5, ends.target)
        ends.send(b"ddddd", 5)
        expected = [(b"aaaa", 4), (b"bbbbb", 5), (b"ccccc", 5), (b"ddddd", 5)]
        sources = [ends.source, ends.source, other.getsockname(), ends.source]
        rows = [(data, size, source) for (data, size), source in zip(expected, sources, strict=True)]
        assert ends.rows() == rows


def test_an_empty_datagram_is_nothing_and_breaks_no_row(ends: Ends) -> None:
    ends.send(b"aaaa", 4)
    ends.sockets[0].sendto(b"", ends.target)
    ends.send(b"bbbb", 4)
    assert ends.rows() == [(b"aaaabbbb", 4, ends.source)]


def test_at_most_so_many_trains_are_taken_and_the_rest_waits(ends: Ends) -> None:
    for size in (4, 5, 6):
        ends.send(bytes(size), size)
    assert [len(data) for data, _, _ in ends.rows(2)] == [4, 5]
    assert not ends.receiver.is_drained
    assert [len(data) for data, _, _ in ends.rows(2)] == [6]
    assert ends.receiver.is_drained


def test_no_more_is_taken_than_the_buffer_is_sure_to_hold(ends: Ends) -> None:
    ends.send(b"aaaabbbb", 4)
    assert ends.receiver.receive(bytearray(TRAIN_BUFFER_SIZE - 1), 8) == []
    assert not ends.receiver.is_drained
    assert ends.receiver.receive(bytearray(TRAIN_BUFFER_SIZE), 8) == [(0, 4, 4, ends.source)]
    assert ends.rows() == [(b"bbbb", 4, ends.source)]


@linux_only
def test_trains_leave_by_gso_and_come_joined(ends: Ends) -> None:
    data = bytes(range(250)) * 400
    assert ends.send(data, 1000, 50_000) == (len(data), 0)
    assert ends.rows() == [(data, 1000, ends.source)]
    assert ends.receiver.trains_received == 2


@linux_only
def test_a_refusal_says_how_much_went_before_it(core: Any) -> None:
    ends = Ends(core)
    # more segments than any kernel takes: the first train is refused whole
    assert ends.send(bytes(60_000), 10, 60_000) == (0, errno.EINVAL)
    # DF, and more than the path takes: the datagram after a good one is refused
    ends.sockets[0].setsockopt(socket.IPPROTO_IP, 10, 3)
    assert ends.send(bytes(70_000), 66_000)[1] == errno.EMSGSIZE
    assert ends.send(b"good", 4) == (4, 0)
    assert ends.rows() == [(b"good", 4, ends.source)]
    for sock in ends.sockets:
        sock.close()


@linux_only
def test_errors_that_the_socket_reports_are_counted_and_end_nothing(core: Any) -> None:
    ends = Ends(core)
    ends.sockets[1].close()
    ends.sockets[0].connect(ends.target)  # a connected socket hears of the closed port
    ends.sockets[0].send(b"lost")
    assert ends.sender.receive(ends.buffer, 8) == []
    assert ends.sender.receive_errors == 1
    assert ends.sender.is_drained
    ends.sockets[0].close()


def test_what_cannot_be_a_train_is_refused(ends: Ends) -> None:
    for segment_size, train_size in ((0, 10), (10, 5), (10, 15)):
        with pytest.raises(ValueError, match="whole number of segments"):
            ends.sender.send(b"x", segment_size, train_size, ends.target)
    with pytest.raises(BufferError):
        ends.receiver.receive(bytes(ROOM), 8)


def test_a_closed_socket_is_an_error_and_never_another_file(ends: Ends) -> None:
    for sock in ends.sockets:
        sock.close()
    with pytest.raises(ValueError):
        ends.send(b"x", 1)
    with pytest.raises(ValueError):
        ends.rows()
