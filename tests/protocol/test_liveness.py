"""Whether the peer is there and behaves."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.liveness import Liveness
from fastmux.protocol.parameters import Parameters
from protocol.joined import carry, data_path


class Ends:
    def __init__(self, configuration: Configuration | None = None, *, is_client: bool = False) -> None:
        self.peer, self.data_path = data_path(True), data_path(False)
        self.liveness = Liveness(self.data_path, configuration or Configuration(), is_client=is_client)
        self.liveness.start(Parameters(max_idle_timeout=20.0), c.SUITE_NULL, 10.0)

    def hear(self, now: float) -> None:
        self.peer.queue_control(0, bytes((c.FRAME_PING,)))
        carry(self.peer, self.data_path, now)
        self.liveness.on_batch(now)


def test_the_shorter_timeout_of_both_ends_counts() -> None:
    assert Ends().liveness.timeout == 20.0
    assert Ends(Configuration(idle_timeout=5.0)).liveness.timeout == 5.0
    assert Ends(Configuration(idle_timeout=None)).liveness.timeout == 20.0


def test_every_packet_of_the_peer_restarts_the_timeout() -> None:
    ends = Ends()
    ends.hear(15.0)
    assert ends.liveness.last_seen == 15.0
    assert not ends.liveness.is_silent(34.9)
    assert ends.liveness.is_silent(35.0)


def test_a_batch_without_an_authentic_packet_restarts_nothing() -> None:
    ends = Ends()
    ends.hear(15.0)
    rubbish = b"\x40" + b"server-i" + bytes(30)
    ends.data_path.receive(rubbish, 0, len(rubbish), len(rubbish), 20.0)
    ends.liveness.on_batch(20.0)
    assert ends.liveness.last_seen == 15.0


def test_a_keep_alive_is_due_half_a_timeout_after_the_last_traffic() -> None:
    ends = Ends(Configuration(keep_alive=15.0))
    ends.hear(15.0)
    carry(ends.data_path, ends.peer, 15.1)  # the acknowledgement
    assert ends.liveness.deadline(0.1) == 25.0
    assert not ends.liveness.is_keep_alive_due(24.9)
    assert ends.liveness.is_keep_alive_due(25.0)
    ends.liveness.on_sent(25.0)
    assert not ends.liveness.is_keep_alive_due(34.9)


def test_no_keep_alive_is_due_while_something_is_in_flight() -> None:
    ends = Ends()
    ends.data_path.queue_control(0, bytes((c.FRAME_PING,)))
    assert not ends.liveness.is_keep_alive_due(1000.0)
    ends.data_path.fill(bytearray(65536), 1200, 1 << 20, 11.0)
    assert not ends.liveness.is_keep_alive_due(1000.0)
    assert ends.liveness.deadline(0.1) == 30.0  # the idle timeout alone


def test_the_timeout_is_never_shorter_than_three_pto() -> None:
    ends = Ends(Configuration(idle_timeout=1.0, keep_alive=None))
    assert ends.liveness.deadline(2.0) == 16.0


def test_before_the_start_nothing_is_due() -> None:
    liveness = Liveness(data_path(True), Configuration(), is_client=True)
    assert liveness.deadline(1.0) is None
    assert not liveness.is_silent(1e9)
    assert not liveness.is_keep_alive_due(1e9)


def test_glitches_beyond_the_budget_are_an_error() -> None:
    ends = Ends()
    channel_id = ends.peer.open(c.KIND_STREAM)
    frame = core.encode_frame((c.FRAME_MAX_CHANNEL_DATA, channel_id, 0))
    with pytest.raises(ProtocolError) as caught:
        for n in range(c.GLITCH_BURST + 200):
            ends.peer.queue_control(0, frame)
            carry(ends.peer, ends.data_path, 20.0 + n / 1000)
            ends.liveness.on_batch(20.0 + n / 1000)
    assert caught.value.code == c.GLITCH_LIMIT


def test_a_few_glitches_are_forgiven() -> None:
    ends = Ends()
    channel_id = ends.peer.open(c.KIND_STREAM)
    frame = core.encode_frame((c.FRAME_MAX_CHANNEL_DATA, channel_id, 0))
    for n in range(c.GLITCH_BURST - 100):
        ends.peer.queue_control(0, frame)
        carry(ends.peer, ends.data_path, 20.0 + n / 1000)
        ends.liveness.on_batch(20.0 + n / 1000)
    assert ends.data_path.counters()["glitches"] > 0


def probe(ends: Ends, count: int, first: int = 1, *, hears: bool = True) -> None:
    """So many probe timeouts in a row, ten seconds apart, the peer heard before each of them."""
    for number in range(first, first + count):
        if hears:
            ends.hear(100.0 + 10 * number)
        ends.liveness.on_probe_timeout(number)


def test_a_peer_that_is_heard_and_acknowledges_nothing_is_given_up() -> None:
    ends = Ends()
    probe(ends, c.MAX_UNANSWERED_PTOS)
    with pytest.raises(ProtocolError) as caught:
        probe(ends, 1, c.MAX_UNANSWERED_PTOS + 1)
    assert caught.value.code == c.NO_VIABLE_PATH


def test_an_acknowledgement_begins_that_count_anew() -> None:
    ends = Ends()
    for _ in range(10):
        probe(ends, c.MAX_UNANSWERED_PTOS)


def test_probes_that_answer_a_peer_do_not_count() -> None:
    """Guards against giving up within seconds, in a one-way outage, a peer that sends all the time."""
    ends = Ends()
    for back_off in (1, 2, 3):
        for answer in range(10 * c.MAX_UNANSWERED_PTOS):
            ends.hear(100.0 * back_off + answer / 10)
            ends.liveness.on_probe_timeout(back_off)


def test_a_peer_that_is_not_heard_is_left_to_the_idle_timeout() -> None:
    probe(Ends(), 10 * c.MAX_UNANSWERED_PTOS, hears=False)


def test_without_an_idle_timeout_probes_go_on_for_ever() -> None:
    ends = Ends(Configuration(idle_timeout=None))
    ends.liveness.start(Parameters(max_idle_timeout=0.0), c.SUITE_NULL, 10.0)
    probe(ends, 10 * c.MAX_UNANSWERED_PTOS)


@pytest.mark.parametrize(
    ("suite", "name"),
    [
        (c.SUITE_AES_128_GCM, "AES_GCM_FAILURE_LIMIT"),
        (c.SUITE_AES_256_GCM, "AES_GCM_FAILURE_LIMIT"),
        (c.SUITE_CHACHA20_POLY1305, "CHACHA20_FAILURE_LIMIT"),
    ],
)
def test_as_many_failures_as_could_break_the_key_end_the_connection(
    suite: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H11, RFC 9001 §6.6. The limit is out of reach of any test, so a small one stands in for it."""
    monkeypatch.setattr(c, name, 50)
    ends = Ends()
    ends.liveness.start(Parameters(), suite, 10.0)
    rubbish = b"\x40" + b"server-i" + bytes(30)

    def fail(count: int, now: float) -> None:
        for _ in range(count):
            ends.data_path.receive(rubbish, 0, len(rubbish), len(rubbish), now)
        ends.liveness.on_batch(now)

    fail(49, 20.0)
    with pytest.raises(ProtocolError) as caught:
        fail(1, 21.0)
    assert caught.value.code == c.AEAD_LIMIT_REACHED


def hear_much(ends: Ends, packets: int) -> None:
    """The peer sends `packets` from 15.0 on, and all of them are acknowledged."""
    for number in range(packets):
        ends.hear(15.0 + number / 10)
    carry(ends.data_path, ends.peer, 16.0)


def test_a_client_that_heard_much_and_then_nothing_asks_once_whether_there_is_more() -> None:
    ends = Ends(is_client=True)
    hear_much(ends, c.ASK_AFTER_PACKETS)
    quiet_at = 15.0 + (c.ASK_AFTER_PACKETS - 1) / 10 + c.ASK_AFTER_PTOS * 0.1
    assert ends.liveness.deadline(0.1) == pytest.approx(quiet_at)
    assert not ends.liveness.is_keep_alive_due(quiet_at - 0.01)
    assert ends.liveness.is_keep_alive_due(quiet_at + 0.01)
    ends.liveness.on_sent(quiet_at + 0.01)
    assert not ends.liveness.is_keep_alive_due(quiet_at + 1.0)


@pytest.mark.parametrize(("packets", "is_client"), [(c.ASK_AFTER_PACKETS - 1, True), (100, False)])
def test_who_heard_little_does_not_ask_and_a_server_never_does(packets: int, is_client: bool) -> None:
    ends = Ends(is_client=is_client)
    hear_much(ends, packets)
    assert not ends.liveness.is_keep_alive_due(ends.liveness.last_seen + 5.0)


def test_what_is_sent_meanwhile_does_not_put_the_question_off() -> None:
    """Guards against a reader whose credit, sent and acknowledged, would count as the question."""
    ends = Ends(is_client=True)
    hear_much(ends, c.ASK_AFTER_PACKETS)
    ends.liveness.deadline(0.1)
    ends.liveness.on_sent(ends.liveness.last_seen + 0.01)
    assert ends.liveness.is_keep_alive_due(ends.liveness.last_seen + 1.0)
