"""What the targets read is what they say, and they do find what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from core.frame_examples import EXAMPLES
from fuzz.targets import TARGETS, connection, frames, handshake, ledger, strays, stream
from fuzz.targets.cursor import Cursor, outcome


def test_a_cursor_reads_zeros_and_nothing_beyond_the_end() -> None:
    cursor = Cursor(b"\x01\x02\x03")
    assert (cursor.byte(), cursor.word(), cursor.left) == (1, 0x0203, 0)
    assert (cursor.byte(), cursor.take(5), cursor.word()) == (0, b"", 0)


def test_an_error_that_the_contract_does_not_have_leaves_a_target() -> None:
    def breaks() -> None:
        raise AttributeError

    with pytest.raises(AttributeError):
        outcome(breaks)


def test_all_targets_of_the_study_are_there() -> None:
    assert sorted({target.number for target in TARGETS.values()}) == [f"T{number}" for number in range(1, 9)]


def test_seeds_of_frames_reach_every_type(core: Any) -> None:
    results = [frames.replay(core, data) for data in frames.seeds()]
    kinds = {frame[0] for kind, value in results if kind == "value" for frame in value[0]}
    assert kinds == {frame[0] for frame, _ in EXAMPLES}


def test_a_ledger_that_forgets_an_acknowledgement_differs(core: Any) -> None:
    data = ledger.seeds()[1]
    session = ledger.replay(core, data)
    assert session != ledger.replay(core, data[:-3])
    assert any(entry[0] == "value" and entry[1] for entry in session[:-1])


def test_what_arrives_of_a_stream_in_order_is_read_whole(core: Any) -> None:
    trace = stream.replay(core, stream.seeds()[0])
    assert len(trace[2]) == 99 + 80


def test_frames_reach_a_connection_in_the_state_that_calls_have_made(core: Any) -> None:
    """A channel of the peer is opened, read and told about: the seed that begins the talk."""
    for data in connection.seeds():
        trace = connection.replay(core, data)
        assert trace[-1][-2]["undecryptable_packets"] == 0
        assert trace[-1][-2]["malformed_packets"] == 0


def test_a_connection_that_keeps_something_is_a_finding(core: Any) -> None:
    class Leaking:
        """The core, but what it holds grows."""

        held = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(core, name)

        def live(self) -> tuple[int, int]:
            self.held += 1
            return self.held, 0

    with pytest.raises(AssertionError, match="left over"):
        connection.replay(Leaking(), connection.seeds()[0])


def test_a_handshake_that_nobody_touches_opens_both_ends() -> None:
    result = handshake.replay(None, b"\0")
    assert result[0] == [["open"], ["open"]]


@pytest.mark.parametrize("fate", [b"\x80", b"\x90", b"\xa0", b"\xf3"])
def test_a_handshake_with_a_datagram_lost_twice_late_or_slow_opens_too(fate: bytes) -> None:
    for before in range(6):
        assert handshake.replay(None, b"\x01" + bytes(before) + fate)[0] == [["open"], ["open"]]


def test_a_forged_close_or_version_ends_a_handshake_in_an_error_and_not_in_silence() -> None:
    ends = {end for data in handshake.seeds() for side in handshake.replay(None, data)[0] for end in side}
    assert "never open+HandshakeError" in ends
    assert all(end.startswith(("open", "never open+")) for end in ends)


def test_strays_are_counted_and_answered_where_they_should_be() -> None:
    results = [strays.replay(None, data) for data in strays.seeds()]
    moved = {
        key for result in results for counters in result[1:3] for key, count in counters.items() if count
    }
    assert {"stray", "foreign", "malformed", "unknown_version", "accepted", "too_short"} <= moved
    assert any(sum(result[0]) for result in results)
    assert any(result[3] for result in results)  # a version negotiation that a client believes
