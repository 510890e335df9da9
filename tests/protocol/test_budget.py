"""What one connection may hold at the most, and what it says that it holds."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ClosedResourceError
from fastmux.protocol.budget import Budget, budget_of
from fastmux.protocol.configuration import Configuration
from fastmux.records import Charges
from protocol.pairs import make_pair

MIB = 2**20


def test_the_sum_is_that_of_all_parts() -> None:
    charges = Charges(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    assert charges.total == 55
    assert Budget(charges, 100, 1000).total == 1155


def test_by_default_a_peer_can_make_a_connection_hold_so_much() -> None:
    most = budget_of(Configuration())
    assert most.core.received == 64 * MIB + 16 * MIB + 8192 * 2048
    assert most.core.unacked == 64 * MIB + 16 * MIB
    assert most.core.unsent == 0
    assert 460 * MIB < most.total < 470 * MIB, "docs/limits.md says it"
    assert most.handshake < 176 * 1024


def test_who_takes_no_messages_needs_no_room_for_the_largest() -> None:
    streams_only = budget_of(Configuration(max_message_channels=1, max_message_size=1))
    assert streams_only.core.received == 64 * MIB + c.FRAGMENT_UNIT + 8192 * 1025


def test_a_larger_budget_counts_for_what_is_sent_too() -> None:
    assert budget_of(Configuration(budget=MIB)).core.unacked == 80 * MIB
    assert budget_of(Configuration(budget=256 * MIB)).core.unacked == 272 * MIB


def test_own_channels_count() -> None:
    none, ten = budget_of(Configuration()).core, budget_of(Configuration(), own_channels=10).core
    assert ten.channels - none.channels == 10 * c.CHANNEL_CHARGE


def test_a_connection_says_what_it_holds() -> None:
    pair = make_pair()
    before = pair.connection.budget()
    assert before.handshake > 300, "its hello is not confirmed"
    assert before.core.total == 0
    pair.open()
    channel_id = pair.connection.data_path.open(c.KIND_STREAM)
    pair.connection.data_path.write(channel_id, bytes(5000))
    pair.connection.touch()
    assert pair.connection.budget().core.unsent == 5000
    pair.network.run_for(1.0)
    held = pair.accepted.budget()
    assert held.core.received == 8192
    assert held.core.channels == c.CHANNEL_CHARGE
    assert held.handshake == held.kept == 0
    assert held.core == pair.accepted.data_path.charges()


def test_frames_that_must_be_confirmed_are_charged_until_they_are() -> None:
    pair = make_pair().open()
    frame = core.encode_frame((c.FRAME_RETIRE_ID, 1))
    pair.accepted._data.control.keep(frame)
    assert pair.accepted.budget().kept >= c.CONTROL_CHARGE + len(frame)


def test_afterwards_nothing_is_held() -> None:
    pair = make_pair().open()
    pair.connection.close(1, "", pair.network.now)
    with pytest.raises(ClosedResourceError):
        pair.connection.budget()
