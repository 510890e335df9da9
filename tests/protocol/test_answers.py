"""Packets of the endpoint itself wait in a bounded queue."""

from __future__ import annotations

from fastmux import constants as c
from fastmux.protocol.answers import Answers

ADDRESS = ("192.0.2.1", 1)


def test_they_are_sent_in_the_order_in_which_they_came() -> None:
    answers, buffer = Answers(), bytearray(100)
    for packet in (b"one", b"three"):
        answers.add(packet, ADDRESS)
    sent = []
    while (transmit := answers.transmit(buffer)) is not None:
        assert transmit.address == ADDRESS
        sent.append(bytes(buffer[: transmit.size]))
    assert sent == [b"one", b"three"]


def test_only_so_many_wait() -> None:
    answers, buffer = Answers(), bytearray(100)
    for _ in range(10 * c.MAX_ANSWERS):
        answers.add(b"x", ADDRESS)
    assert not answers.has_room
    count = 0
    while answers.transmit(buffer) is not None:
        count += 1
    assert count == c.MAX_ANSWERS
    assert answers.has_room
