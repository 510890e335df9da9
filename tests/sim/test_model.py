"""The oracle itself: each kind of wrong delivery must be seen, or the simulation proves nothing."""

from __future__ import annotations

import pytest

from sim.model import DatagramFlow, MessageFlow, StreamFlow, Wrong


def written_stream(size: int = 1000) -> tuple[StreamFlow, bytes]:
    flow = StreamFlow("stream")
    return flow, flow.next_piece(size)


def sent_messages(*, ordered: bool = True, reliable: bool = True) -> tuple[MessageFlow, list[bytes]]:
    flow = MessageFlow("messages", ordered=ordered, reliable=reliable)
    return flow, [flow.next_message(size) for size in (10, 300, 20)]


def test_what_was_written_is_accepted_in_any_pieces() -> None:
    flow, data = written_stream(10_000)
    for start in range(0, len(data), 77):
        flow.arrived(data[start : start + 77])
    flow.finish()
    flow.saw_end()
    flow.check()


@pytest.mark.parametrize("wrong", [b"x", b"\0" * 1000])
def test_other_bytes_than_those_written_are_wrong(wrong: bytes) -> None:
    flow, _ = written_stream()
    with pytest.raises(Wrong, match="wrong bytes"):
        flow.arrived(wrong)


def test_bytes_in_another_place_are_wrong() -> None:
    flow, data = written_stream()
    with pytest.raises(Wrong, match="wrong bytes at 0"):
        flow.arrived(data[100:200])


def test_more_bytes_than_were_written_are_wrong() -> None:
    flow, data = written_stream()
    flow.arrived(data)
    with pytest.raises(Wrong, match="nobody wrote"):
        flow.arrived(b"x")


def test_an_end_before_everything_came_is_wrong() -> None:
    flow, data = written_stream()
    flow.arrived(data[:-1])
    flow.finish()
    with pytest.raises(Wrong, match="before everything"):
        flow.saw_end()


def test_an_end_that_nobody_wrote_is_wrong() -> None:
    flow, data = written_stream()
    flow.arrived(data)
    with pytest.raises(Wrong, match="nobody wrote"):
        flow.saw_end()


def test_an_end_that_is_never_seen_is_wrong() -> None:
    flow, data = written_stream()
    flow.arrived(data)
    flow.finish()
    with pytest.raises(Wrong, match="not seen"):
        flow.check()


def test_a_reset_must_be_seen_with_its_code() -> None:
    flow, _ = written_stream()
    flow.reset(5)
    with pytest.raises(Wrong, match="not seen"):
        flow.check()
    with pytest.raises(Wrong, match="code 6"):
        flow.saw_reset(6)


def test_a_reset_that_nobody_sent_is_wrong() -> None:
    flow, _ = written_stream()
    with pytest.raises(Wrong, match="reset"):
        flow.saw_reset(0)


def test_a_stop_that_nobody_asked_for_is_wrong() -> None:
    flow, _ = written_stream()
    with pytest.raises(Wrong, match="stop"):
        flow.saw_stop(0)


def test_delivered_before_the_receiver_has_it_is_wrong() -> None:
    flow, data = written_stream()
    flow.arrived(data[:500])
    flow.waiting = lambda: 499
    with pytest.raises(Wrong, match="delivered"):
        flow.saw_delivered()


def test_a_message_that_comes_twice_is_wrong() -> None:
    for ordered in (True, False):
        flow, messages = sent_messages(ordered=ordered)
        flow.arrived(messages[0])
        with pytest.raises(Wrong, match="twice"):
            flow.arrived(messages[0])


def test_half_a_message_is_wrong() -> None:
    flow, messages = sent_messages(ordered=False, reliable=False)
    with pytest.raises(Wrong, match="never sent"):
        flow.arrived(messages[1][:128])


def test_a_reliable_ordered_message_out_of_its_turn_is_wrong() -> None:
    flow, messages = sent_messages()
    with pytest.raises(Wrong, match="left out"):
        flow.arrived(messages[1])


def test_an_unreliable_ordered_message_may_be_missing_but_not_come_late() -> None:
    flow, messages = sent_messages(reliable=False)
    flow.arrived(messages[1])
    with pytest.raises(Wrong, match="out of order"):
        flow.arrived(messages[0])


def test_a_missing_reliable_message_is_wrong_at_the_end() -> None:
    flow, messages = sent_messages(ordered=False)
    flow.arrived(messages[2])
    flow.finish()
    with pytest.raises(Wrong, match="before everything"):
        flow.saw_end()


def test_a_datagram_that_comes_twice_is_wrong() -> None:
    flow = DatagramFlow("datagrams", 100)
    data = flow.next_message(50)
    flow.arrived(data)
    with pytest.raises(Wrong, match="twice"):
        flow.arrived(data)


def test_a_small_datagram_that_is_missing_is_wrong_where_nothing_is_lost() -> None:
    flow = DatagramFlow("datagrams", 100)
    flow.next_message(101)
    flow.check()
    data = flow.next_message(100)
    with pytest.raises(Wrong, match="missing"):
        flow.check()
    flow.arrived(data)
    flow.check()
