"""A peer that lets every container of a data path grow, on both cores: each stops at its limit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from budget.charging import check_path
from budget.hostile import Victim, messages, opening, stream
from fastmux import constants as c
from fastmux.exceptions import ProtocolError
from fastmux.protocol.configuration import Configuration
from fastmux.records import Charges

DEFAULT = Configuration()
ROUNDS = 4000


class Case:
    """A victim, and what was there before it."""

    def __init__(self, core: Any, **limits: Any) -> None:
        self.before = core.live()
        self.core = core
        self.victim = Victim(core, **limits)

    def check(self, configuration: Configuration = DEFAULT) -> Charges:
        """The charges, after they were compared."""
        return check_path(self.core, self.victim.path, configuration, self.before)


@pytest.fixture
def case(core: Any) -> Iterator[Case]:
    case = Case(core)
    yield case
    case.victim.path.close()
    assert core.live() == case.before


# --- what is received -------------------------------------------------------------------------------------


def test_gaps_of_one_byte_in_many_streams_stop_at_the_spans_of_the_connection(core: Any) -> None:
    """Each channel may have 1,000: a thousand channels made a million of them."""
    case = Case(core, budget=2**20)
    victim = case.victim
    for index in range(12):
        for at in range(900):
            assert victim.tell((c.FRAME_STREAM, stream(index), 3 + 2 * at, b"x", False)) is None
    charges = case.check(Configuration(budget=2**20))
    most = max(c.MIN_RECEIVED_SPANS, 2**20 // c.RECEIVED_SPAN_DIVISOR) + 12 + 1
    runs_of_numbers = 1 + victim.counted("dropped_packets")
    assert most // 2 < charges.spans // c.SPAN_CHARGE <= most + min(runs_of_numbers, c.MAX_RECEIVED_RANGES)
    assert victim.counted("dropped_packets") > 8000
    victim.path.close()


def test_what_fills_a_gap_is_taken_at_the_limit(core: Any) -> None:
    case = Case(core, budget=2**20)
    victim = case.victim
    for index in range(3):
        for at in range(900):
            victim.tell((c.FRAME_STREAM, stream(index), 3 + 2 * at, b"x", False))
    dropped = victim.counted("dropped_packets")
    assert dropped > 0
    for at in range(900):
        assert victim.tell((c.FRAME_STREAM, stream(0), 2 + 2 * at, b"x", False)) is None
    assert victim.counted("dropped_packets") == dropped
    victim.path.close()


def test_partial_messages_of_many_ids_follow_the_bytes_that_came(case: Case) -> None:
    victim = case.victim
    for message_id in range(900):
        victim.tell((c.FRAME_MESSAGE, messages(0), message_id, 0, 2**17, bytes(c.FRAGMENT_UNIT)))
    charges = case.check()
    assert charges.received <= 2 * 4096, "memory follows what came, not what was announced"


def test_partial_messages_of_two_units_are_charged_as_objects(case: Case) -> None:
    victim = case.victim
    for index in range(16):
        for message_id in range(240):
            victim.tell((c.FRAME_MESSAGE, messages(index), message_id, 0, 2, bytes(c.FRAGMENT_UNIT)))
    charges = case.check()
    assert charges.messages >= 3000 * c.PARTIAL_CHARGE


def test_whole_messages_without_a_byte_are_charged_as_objects(case: Case) -> None:
    victim = case.victim
    assert victim.tell(opening(messages(0))) is None
    for message_id in range(500):
        assert victim.tell((c.FRAME_MESSAGE, messages(0), message_id, 0, 1, b"")) is None
    assert case.check().messages == 500 * c.MESSAGE_CHARGE


def test_a_byte_at_the_end_of_each_window_costs_a_block_each(case: Case) -> None:
    victim = case.victim
    for index in range(12):
        for at in range(16):
            victim.tell((c.FRAME_STREAM, stream(index), 4096 * at + 4095, b"x", False))
    assert case.check().received == 12 * 16 * 4096


def test_a_channel_at_the_highest_id_costs_one_channel(case: Case) -> None:
    victim = case.victim
    assert victim.tell(opening(stream(c.DEFAULT_MAX_STREAMS - 1))) is None
    charges = case.check()
    assert charges.channels == c.CHANNEL_CHARGE
    assert victim.tell(opening(stream(c.DEFAULT_MAX_STREAMS))) == c.CHANNEL_LIMIT_ERROR


def test_every_second_id_leaves_no_more_ranges_than_channels(case: Case) -> None:
    victim = case.victim
    for kind in (stream, messages):
        for index in range(1, c.DEFAULT_MAX_STREAMS, 2):
            assert victim.tell(opening(kind(index))) is None
    assert case.check().channels == c.DEFAULT_MAX_STREAMS * c.CHANNEL_CHARGE


def test_channels_that_are_reset_at_once_keep_their_slot_until_the_application_lets_go(case: Case) -> None:
    victim = case.victim
    code = None
    for index in range(ROUNDS):
        code = victim.tell(opening(stream(index)), (c.FRAME_RESET, stream(index), 1, 0, 0))
        if code is not None:
            break
    assert (code, index) == (c.CHANNEL_LIMIT_ERROR, c.DEFAULT_MAX_STREAMS)
    case.check()


def test_resets_and_stops_of_channels_that_come_and_go_leave_nothing_behind(case: Case) -> None:
    victim, path = case.victim, case.victim.path
    for index in range(ROUNDS):
        channel = stream(index)
        ends = (c.FRAME_RESET, channel, 1, 0, 0), (c.FRAME_STOP, channel, 1)
        assert victim.tell(opening(channel), *ends) is None
        for ready, _ in path.take_ready():
            path.release(ready)
        victim.confirm(number for number, _ in victim.packets())
    assert path.channel_count == 0
    assert case.check().total < 4096


def test_datagrams_that_nobody_takes_stop_at_the_queue(case: Case) -> None:
    for size in (0, 900):
        for _ in range(1500):
            assert case.victim.tell((c.FRAME_DATAGRAM, bytes(size))) is None
    charges = case.check()
    assert charges.datagrams <= c.MAX_DATAGRAM_QUEUE_SIZE + c.DATAGRAM_CHARGE * c.MAX_DATAGRAM_QUEUE


# --- what Python should act on ------------------------------------------------------------------------------

RARE = [
    (c.FRAME_RETIRE_ID, 5),
    (c.FRAME_NEW_ID, 1, 0, b"new-id--", bytes(16)),
    (c.FRAME_PATH_RESPONSE, b"12345678"),
    (c.FRAME_ACK_FREQUENCY, 1, 2, 3000, 1),
    (c.FRAME_CONNECTION_CLOSE, 1, bytes(c.MAX_REASON_SIZE)),
    (c.FRAME_EXTENSION_FIRST, bytes(1000)),
]


@pytest.mark.parametrize("frame", RARE, ids=lambda frame: hex(frame[0]))
def test_rare_frames_that_wait_are_charged_by_their_bytes(case: Case, frame: tuple[Any, ...]) -> None:
    """Counted by number, 4,096 frames of a packet each held a quarter of a gigabyte."""
    for _ in range(ROUNDS + 200):
        assert case.victim.tell(frame) is None
    charges = case.check()
    assert charges.reports <= c.MAX_CONTROL_REPORTS_SIZE
    assert case.victim.counted("dropped_packets") > 0
    taken = case.victim.path.take_control()
    fields = [field for report in taken for field in report]
    assert sum(len(field) for field in fields if isinstance(field, bytes)) <= charges.reports
    assert case.check().reports == 0


def test_of_challenges_the_newest_three_wait(case: Case) -> None:
    for number in range(2000):
        assert case.victim.tell((c.FRAME_PATH_CHALLENGE, number.to_bytes(8, "big"))) is None
    assert case.check().reports == c.MAX_PATH_CHALLENGES * c.REPORT_CHARGE


def test_a_packet_full_of_small_frames_waits_for_no_reports(case: Case) -> None:
    """5,000 PINGs are no reports: such a packet was dropped however often it came."""
    assert case.victim.arrive(bytes((c.FRAME_PING,)) * 5000) is None
    assert case.victim.counted("dropped_packets") == 0


# --- what this end sends ------------------------------------------------------------------------------------


def test_a_peer_that_never_confirms_the_first_byte_pins_no_more_than_the_limit(core: Any) -> None:
    """The rest of the stream was acknowledged, and kept: as much as the application would write."""
    case = Case(core)
    victim, path = case.victim, case.victim.path
    victim.tell(opening(stream(0)))
    piece = bytes(1 << 20)
    for _ in range(2 * c.MAX_UNACKED_SIZE // len(piece)):
        if path.unsent_size(stream(0)) < c.WRITE_LIMIT:
            path.write(stream(0), piece)
        for _ in range(20):
            sent = victim.packets(segment_size=60_000, size_limit=1 << 20)
            first = {number for number, frames in sent for frame in frames if _has_start(frame)}
            victim.confirm(number for number, _ in sent if number not in first)
    charges = case.check()
    assert c.MAX_UNACKED_SIZE - 2**17 <= charges.unacked <= c.MAX_UNACKED_SIZE
    assert charges.unsent >= c.WRITE_LIMIT, "and writers wait"
    path.close()


def _has_start(frame: tuple[Any, ...]) -> bool:
    return frame[0] == c.FRAME_STREAM and not frame[2]


def test_abandoned_messages_that_the_peer_does_not_hear_of_use_up_the_limit(core: Any) -> None:
    case = Case(core)
    victim, path = case.victim, case.victim.path
    victim.tell(opening(messages(0), c.UNRELIABLE))
    size = 2**20
    for _ in range(100):
        path.send_message(messages(0), bytes(size), victim.now)
        sent = victim.packets(segment_size=60_000, size_limit=1 << 21)
        kept = [at for at, frames in sent if not any(frame[0] == c.FRAME_MESSAGE for frame in frames)]
        path.queue_control(0, bytes((c.FRAME_PING,)))
        kept += [at for at, frames in victim.packets(segment_size=1200) if frames[-1][0] == c.FRAME_PING]
        if kept:
            victim.confirm(kept[-1:])
    charges = case.check()
    assert charges.unacked <= c.MAX_UNACKED_SIZE + size
    path.close()


def test_messages_that_are_over_do_not_pile_up_behind_one_that_never_is(case: Case) -> None:
    victim, path = case.victim, case.victim.path
    victim.tell(opening(messages(0), c.LIFETIME, 10**9))
    path.send_message(messages(0), b"never confirmed", victim.now)
    for _ in range(400):
        victim.packets()  # the first one again, alone
        path.send_message(messages(0), b"x", victim.now)
        victim.confirm(number for number, _ in victim.packets())
    charges = case.check()
    assert charges.messages == c.PARTIAL_CHARGE
    assert held_deadlines(path) <= 2 * 2 + c.MAX_STALE_ENTRIES + 1


def held_deadlines(path: Any) -> int:
    """Of the pure core: the compiled one unlinks a message that is over."""
    parts = getattr(path, "_parts", None)
    return 0 if parts is None else len(parts.table.channels[messages(0)].sending._deadlines)


def test_lifetimes_of_channels_that_are_gone_do_not_pile_up_behind_an_earlier_one(case: Case) -> None:
    victim, path = case.victim, case.victim.path
    victim.tell(opening(messages(0), c.LIFETIME, 10**6))
    path.send_message(messages(0), b"never confirmed", victim.now)
    for index in range(1, 300):
        victim.packets()  # the first one again, alone
        channel = messages(index)
        victim.tell(opening(channel, c.LIFETIME, 10**9), (c.FRAME_RESET, channel, 1, 0, 0))
        path.take_ready()
        path.send_message(channel, b"x", victim.now)
        path.finish(channel)
        victim.confirm(number for number, _ in victim.packets())
        path.release(channel)
    assert path.channel_count == 1
    assert case.check().total < 8192
    parts = getattr(path, "_parts", None)
    assert parts is None or len(parts.table.expiries) <= 2 + c.MAX_STALE_ENTRIES + 1


def test_control_frames_that_cannot_go_stop_at_their_queue(case: Case) -> None:
    with pytest.raises(ProtocolError, match="too many control frames waiting"):
        for _ in range(c.MAX_CONTROL_QUEUE_SIZE + 1):
            case.victim.path.queue_control(1, b"\x01")
    assert case.check().control == c.MAX_CONTROL_QUEUE_SIZE * (1 + c.CONTROL_CHARGE)
