"""Peers that keep the rules never meet a limit at ten times the usual rate: nothing is dropped."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import Any

import pytest

from budget.charging import check_path
from budget.hostile import DEFAULTS, Victim, messages, opening, stream
from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.timers import Timers
from network import Conditions
from protocol.pairs import make_pair, transfer

WINDOW = 2**20


def no_limit_was_met(victim: Victim) -> bool:
    return victim.counted("dropped_packets") == 0


def test_ten_times_the_usual_reordering_makes_no_packet_too_many(core: Any) -> None:
    """A window of packets in any order at all, over ten streams: a run in two packets at the most."""
    before = core.live()
    victim = Victim(core, max_channel_data=WINDOW // 10, max_data=WINDOW)
    packets = [(index, at) for index in range(10) for at in range(0, WINDOW // 10 - 1000, 1000)]
    Random(1).shuffle(packets)
    for index, at in packets:
        assert victim.tell((c.FRAME_STREAM, stream(index), at, bytes(1000), False)) is None
    assert no_limit_was_met(victim)
    check_path(core, victim.path, Configuration(), before)
    victim.path.close()


def test_half_of_all_packets_lost_on_every_stream_is_no_limit(core: Any) -> None:
    """1,024 streams with a hole in each window of 64 KiB, ten times as many holes as a bad path makes."""
    victim = Victim(core, max_data=64 * 2**20)
    for index in range(0, c.DEFAULT_MAX_STREAMS, 8):
        for at in range(1200, c.INITIAL_CHANNEL_WINDOW - 1200, 2400):
            assert victim.tell((c.FRAME_STREAM, stream(index), at, bytes(1200), False)) is None
    assert no_limit_was_met(victim)
    victim.path.close()


def test_messages_of_a_packet_each_half_of_them_lost_are_no_limit(core: Any) -> None:
    victim = Victim(core, max_channel_data=WINDOW, max_data=WINDOW)
    victim.tell(opening(messages(0)))
    for message_id in range(1, WINDOW // 1152, 2):
        assert victim.tell((c.FRAME_MESSAGE, messages(0), message_id, 0, 9, bytes(1152))) is None
    for message_id in range(0, WINDOW // 1152, 2):
        for first, units in ((0, 4), (4, 5)):
            data = bytes(units * c.FRAGMENT_UNIT)
            assert victim.tell((c.FRAME_MESSAGE, messages(0), message_id, first, 9, data)) is None
    assert no_limit_was_met(victim)
    assert len(victim.path.take_messages(messages(0), 10_000)) == WINDOW // 1152
    victim.path.close()


def test_a_thousand_rare_frames_between_two_turns_wait_for_them(core: Any) -> None:
    """A migration takes five; CONNECTION_CLOSE comes once, with half a kilobyte of words."""
    victim = Victim(core)
    for number in range(1000):
        assert victim.tell((c.FRAME_NEW_ID, number, 0, b"new-id--", bytes(16))) is None
    for _ in range(10):
        assert victim.tell((c.FRAME_CONNECTION_CLOSE, 1, bytes(c.MAX_REASON_SIZE))) is None
    assert no_limit_was_met(victim)
    assert len(victim.path.take_control()) == 1010
    victim.path.close()


def test_a_window_of_32_mib_on_the_way_ten_times_over_waits_for_no_confirmation(core: Any) -> None:
    """What MAX_CONNECTION_WINDOW lets stand, with a late packet at the front of each window."""
    victim = Victim(core, peer={**DEFAULTS, "max_data": c.MAX_VARINT, "max_channel_data": c.MAX_VARINT})
    path = victim.path
    victim.tell(opening(stream(0)))
    for _ in range(10):
        waiting: list[int] = []
        sent = path.charges().unacked
        while path.charges().unacked - sent < c.MAX_CONNECTION_WINDOW:
            path.write(stream(0), bytes(2**20))
            while path.has_pending:
                waiting += (number for number, _ in victim.packets(2**20, 60_000))
            assert path.unsent_size(stream(0)) == 0, "something held it back"
        victim.confirm(waiting[1:])
        victim.confirm(number for number, _ in victim.packets(2**20, 60_000))
        assert path.charges().unacked == 0
    path.close()


def test_early_packets_of_a_client_that_may_send_at_once_all_wait() -> None:
    pair = make_pair()
    handshaking = pair.connection._handshaking
    assert handshaking is not None
    assert all(handshaking.keep_early(bytes(c.MAX_PLPMTU)) for _ in range(c.MAX_EARLY_PACKETS))


def test_a_deadline_that_moves_earlier_ten_times_a_round_trip_is_still_found() -> None:
    class Item:
        at = 1000.0

        def deadline(self) -> float | None:
            return self.at

    item, timers = Item(), Timers[Item]()
    timers.add(item)
    for moved in count():
        if moved == 10 * c.MAX_TIMER_ENTRIES:
            break
        item.at -= 0.5
        timers.changed(item)
        assert timers.deadline() == item.at
        assert len(timers) <= 3 * c.MAX_TIMER_ENTRIES
    assert timers.take_due(item.at - 0.1) == []
    assert timers.take_due(item.at) == [item]
    item.at = 5000.0
    timers.changed(item)
    assert timers.take_due(4999.0) == []
    assert timers.take_due(5000.0) == [item]


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_a_transfer_over_a_bad_path_leaves_nothing_behind(loss: float) -> None:
    pair = make_pair(seed=3, conditions=Conditions(delay=0.01, loss=loss, reordering=0.2)).open()
    assert transfer(pair, bytes(500_000), timeout=120.0) == bytes(500_000)
    pair.network.run_for(3.0)
    for end in (pair.connection, pair.accepted):
        held = end.budget()
        assert held.core.received == held.core.unacked == held.core.unsent == held.core.ledger == 0
        assert end.statistics().dropped_packets == 0
