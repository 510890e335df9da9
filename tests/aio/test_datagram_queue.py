"""Datagrams wait within bounds, the newest stay."""

from __future__ import annotations

import pytest

from fastmux.aio.datagram_queue import DatagramQueue
from fastmux.constants import MAX_DATAGRAM_QUEUE, MAX_DATAGRAM_QUEUE_SIZE


def test_datagrams_come_out_in_the_order_in_which_they_came() -> None:
    queue = DatagramQueue()
    queue.extend([b"a", b"", b"c"])
    assert [queue.pop() for _ in range(3)] == [b"a", b"", b"c"]
    with pytest.raises(IndexError):
        queue.pop()


def test_too_many_datagrams_push_the_oldest_out() -> None:
    queue = DatagramQueue()
    queue.extend(str(number).encode() for number in range(MAX_DATAGRAM_QUEUE + 5))
    assert len(queue) == MAX_DATAGRAM_QUEUE
    assert queue.dropped == 5
    assert queue.pop() == b"5"


def test_too_many_bytes_push_the_oldest_out() -> None:
    queue = DatagramQueue()
    quarter = MAX_DATAGRAM_QUEUE_SIZE // 4
    queue.extend(bytes([number]) * quarter for number in range(6))
    assert len(queue) == 4
    assert queue.pop()[:1] == b"\2"


def test_a_burst_of_ordinary_traffic_is_kept_whole() -> None:
    queue = DatagramQueue()
    queue.extend(b"x" * 100 for _ in range(500))
    assert (len(queue), queue.dropped) == (500, 0)
