"""Loss recovery, congestion, pacing and path MTU, composed over a data path."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.congestion.bbr import Bbr
from fastmux.protocol.congestion.cubic import Cubic
from fastmux.protocol.congestion.new_reno import NewReno
from fastmux.protocol.parameters import Parameters
from fastmux.protocol.rtt import RttEstimator
from fastmux.protocol.traffic import Traffic
from protocol.joined import carry, data_path

PEER = Parameters(max_ack_delay=0.05)
BUFFER = bytearray(65536)


class Ends:
    """A sender with its policies and a receiver without."""

    def __init__(self, configuration: Configuration | None = None) -> None:
        self.sender, self.receiver = data_path(True, configuration), data_path(False, configuration)
        self.traffic = Traffic(self.sender, RttEstimator(), configuration or Configuration(), bytes)
        self.channel_id = self.sender.open(c.KIND_STREAM)

    def write(self, size: int) -> None:
        self.sender.write(self.channel_id, bytes(size))

    def fill(self, now: float, *, arrives: bool = True) -> int:
        segment_size = self.traffic.mtu.current
        size = self.traffic.fill(BUFFER, now)
        if size and arrives:
            self.receiver.receive(BUFFER, 0, size, segment_size, now)
        return size

    def acknowledge(self, now: float) -> None:
        carry(self.receiver, self.sender, now)
        self.traffic.on_batch(now)


@pytest.fixture
def ends() -> Ends:
    return Ends()


def test_no_more_than_a_window_is_in_flight(ends: Ends) -> None:
    ends.write(100_000)
    now = 1.0
    while ends.traffic.congestion.congestion_window - ends.sender.bytes_in_flight >= 1200:
        ends.fill(now, arrives=False)
        now += 0.01
        assert now < 10
    assert ends.fill(now) == 0
    assert ends.sender.bytes_in_flight <= ends.traffic.congestion.congestion_window


def test_an_acknowledgement_opens_the_window_and_gives_a_sample(ends: Ends) -> None:
    ends.write(100_000)
    sent = ends.fill(1.0)
    window = ends.traffic.congestion.congestion_window
    ends.acknowledge(1.1)
    assert ends.traffic.rtt.latest_rtt == pytest.approx(0.1)
    assert ends.traffic.congestion.congestion_window > window
    assert ends.sender.bytes_in_flight < sent
    assert ends.fill(1.1) > 0


def test_with_nothing_to_send_nothing_is_filled_and_nothing_is_due(ends: Ends) -> None:
    assert Ends().traffic.deadline() is None
    ends.fill(1.0)
    ends.acknowledge(1.1)
    assert ends.fill(1.2) == 0
    assert ends.traffic.deadline() is None


def test_a_slow_path_is_paced_and_says_when_to_go_on(ends: Ends) -> None:
    ends.traffic.rtt.update(1.0, 0.0, 0.0, True)
    ends.write(100_000)
    now, sizes = 1.0, []
    while (size := ends.fill(now, arrives=False)) > 0:
        sizes.append(size)
    assert sum(sizes) <= 12_000
    if ends.traffic.congestion.congestion_window - ends.sender.bytes_in_flight >= 1200:
        deadline = ends.traffic.deadline()
        assert deadline is not None
        assert 0.001 <= deadline - now < 1.0


def test_a_probe_timeout_sends_two_datagrams_past_the_window(ends: Ends) -> None:
    ends.write(1_000_000)
    now = 1.0
    while ends.fill(now, arrives=False) or now < 2.0:
        now += 0.01
    deadline = ends.traffic.deadline()
    assert deadline is not None
    in_flight = ends.sender.bytes_in_flight
    assert ends.traffic.handle_timeout(deadline)
    assert ends.fill(deadline, arrives=False) == 2400
    assert ends.sender.bytes_in_flight == in_flight + 2400
    assert ends.fill(deadline, arrives=False) == 0
    later = ends.traffic.deadline()
    assert later is not None
    assert later > deadline


def test_before_its_time_a_timeout_does_nothing(ends: Ends) -> None:
    ends.write(100)
    ends.fill(1.0, arrives=False)
    deadline = ends.traffic.deadline()
    assert deadline is not None
    assert not ends.traffic.handle_timeout(deadline - 0.001)


def test_a_gap_is_found_lost_when_its_time_comes(ends: Ends) -> None:
    ends.traffic.rtt.update(0.1, 0.0, 0.0, True)
    ends.traffic.on_keys()
    ends.write(1000)
    ends.fill(1.0, arrives=False)
    ends.write(1000)
    ends.fill(1.001)
    ends.write(1000)
    ends.fill(1.002)
    ends.acknowledge(1.1)
    assert ends.sender.counters()["packets_lost"] == 0
    deadline = ends.traffic.deadline()
    assert deadline is not None
    assert deadline == pytest.approx(1.0 + 0.1 * 9 / 8)
    assert not ends.traffic.handle_timeout(deadline)
    assert ends.sender.counters()["packets_lost"] == 1
    after = ends.traffic.deadline()
    assert after is None or after > deadline


def test_the_mtu_search_begins_when_the_handshake_is_confirmed(ends: Ends) -> None:
    assert ends.traffic.next_mtu_probe(1.0) is None
    ends.traffic.on_confirmed(PEER)
    assert ends.traffic.recovery.max_ack_delay == 0.05
    assert ends.traffic.next_mtu_probe(1.0) == c.MAX_PLPMTU
    assert ends.traffic.next_mtu_probe(1.0) is None  # one at a time
    ends.traffic.on_mtu_report(c.MAX_PLPMTU, True, 1.1)
    assert ends.traffic.mtu.current == c.MAX_PLPMTU
    assert ends.traffic.congestion.congestion_window == 10 * c.MAX_PLPMTU


@pytest.mark.parametrize(
    ("mine", "peers", "probed"), [(1300, 65507, 1300), (1452, 1280, 1280), (1200, 1452, None)]
)
def test_no_probe_is_larger_than_either_end_takes(mine: int, peers: int, probed: int | None) -> None:
    ends = Ends(Configuration(max_datagram_size=mine))
    ends.traffic.on_confirmed(Parameters(max_datagram_size=peers))
    assert ends.traffic.next_mtu_probe(1.0) == probed


def test_a_jumbo_probe_waits_until_data_has_room_beside_it(ends: Ends) -> None:
    ends.traffic.on_confirmed(PEER)
    ends.fill(0.5)  # the OPEN
    ends.acknowledge(0.5)
    ends.traffic.on_mtu_report(ends.traffic.next_mtu_probe(1.0) or 0, True, 1.0)
    window = ends.traffic.congestion.congestion_window
    assert ends.traffic.next_mtu_probe(1.0) == 3852 < window
    ends.traffic.on_mtu_report(3852, False, 1.0)
    ends.write(1000)
    assert window // 4 < 3852
    assert ends.traffic.next_mtu_probe(1.1) is None
    ends.fill(1.1)
    assert ends.traffic.next_mtu_probe(1.1) == 3852  # nothing waits
    assert ends.traffic.congestion.congestion_window == window


def test_a_probe_leaves_room_for_a_datagram(ends: Ends) -> None:
    ends.traffic.on_confirmed(PEER)
    ends.fill(0.5)  # the OPEN
    ends.acknowledge(0.5)
    for size in (1452, 3852):
        assert ends.traffic.next_mtu_probe(1.0) == size
        ends.traffic.on_mtu_report(size, True, 1.0)
    ends.write(2500)
    ends.fill(1.0, arrives=False)
    room = ends.traffic.congestion.congestion_window - ends.sender.bytes_in_flight
    assert 8952 < room < 8952 + 3852
    assert ends.traffic.next_mtu_probe(1.0) is None


def test_no_probe_goes_while_the_window_is_full(ends: Ends) -> None:
    ends.traffic.on_confirmed(PEER)
    ends.write(1_000_000)
    now = 1.0
    while ends.fill(now, arrives=False) or now < 2.0:
        now += 0.01
    assert ends.traffic.next_mtu_probe(now) is None


def test_three_probe_timeouts_make_the_datagrams_small_again(ends: Ends) -> None:
    ends.traffic.on_confirmed(PEER)
    assert ends.traffic.next_mtu_probe(1.0) == 1452
    ends.traffic.on_mtu_report(1452, True, 1.0)
    ends.write(100)
    ends.fill(1.0, arrives=False)
    for _ in range(3):
        deadline = ends.traffic.deadline()
        assert deadline is not None
        ends.traffic.handle_timeout(deadline)
        ends.fill(deadline, arrives=False)
    assert ends.traffic.mtu.current == c.BASE_PLPMTU


def test_a_packet_number_is_left_out_now_and_then(ends: Ends) -> None:
    numbers = set()
    buffer = bytearray(65536)
    now = 1.0
    for _ in range(400):
        ends.write(10)
        size = ends.traffic.fill(buffer, now)
        assert 0 < size < 1200
        numbers.add(int.from_bytes(buffer[9:13], "big"))
        ends.receiver.receive(buffer, 0, size, 1200, now)
        ends.acknowledge(now + 0.1)
        now += 0.2
    missing = set(range(max(numbers))) - numbers
    assert missing == {256}


def test_the_train_never_exceeds_what_one_send_call_takes() -> None:
    ends = Ends()
    ends.traffic.on_confirmed(PEER)
    ends.traffic.next_mtu_probe(1.0)
    ends.traffic.on_mtu_report(1452, True, 1.0)
    ends.traffic.rtt.update(0.0001, 0.0, 0.0, True)
    now, sizes = 1.0, []
    for _ in range(100):
        ends.write(200_000 - ends.sender.unsent_size(ends.channel_id))
        sizes.append(ends.fill(now))
        while ends.receiver.read(ends.channel_id, 1 << 20):
            continue
        for channel_id, consumed, charged, _ in ends.receiver.take_credit():
            ends.receiver.set_limit(channel_id, max(consumed, charged) + (1 << 20), 1 << 20)
        ends.acknowledge(now + 0.0001)
        now += 0.0002
    assert max(sizes) == 45 * 1452


def test_a_close_is_built_outside_window_and_pace(ends: Ends) -> None:
    ends.write(1_000_000)
    now = 1.0
    while ends.fill(now, arrives=False) or now < 2.0:
        now += 0.01
    frame = core.encode_frame((c.FRAME_CONNECTION_CLOSE, 1, b""))
    assert ends.traffic.build(BUFFER, frame, 0, 0, now) > 20


def test_where_a_round_trip_is_below_a_timers_grain_the_window_alone_limits(ends: Ends) -> None:
    ends.traffic.rtt.update(0.0001, 0.0, 0.0, True)
    ends.write(1_000_000)
    window = ends.traffic.congestion.congestion_window
    sent = 0
    while size := ends.fill(1.0, arrives=False):
        sent += size
    assert window - 1200 < sent <= window
    deadline = ends.traffic.deadline()
    assert deadline is not None  # the probe timeout and nothing sooner
    assert deadline > 1.001


def test_a_longer_ack_delay_that_is_asked_for_lengthens_the_probe_timeout_from_then_on(ends: Ends) -> None:
    traffic, now = ends.traffic, 1.0
    traffic.on_confirmed(Parameters(max_ack_delay=0.001, min_ack_delay=0.001))
    frame = None
    while frame is None:
        ends.write(400_000 - ends.sender.unsent_size(ends.channel_id))
        for step in range(40):
            ends.fill(now + step * 0.001)
        ends.acknowledge(now + 0.2)
        while ends.receiver.read(ends.channel_id, 1 << 20):
            continue
        for channel_id, consumed, charged, _ in ends.receiver.take_credit():
            ends.receiver.set_limit(channel_id, max(consumed, charged) + (1 << 20), 1 << 20)
        now += 0.3
        assert now < 10.0
        before = traffic.pto()
        frame = traffic.ask_for_acks(7, now)
    ((kind, sequence, threshold, delay_us, reordering),) = core.parse_frames(frame)
    assert (kind, sequence, delay_us, reordering) == (c.FRAME_ACK_FREQUENCY, 7, 25_000, 3)
    assert int(str(threshold)) > 1
    assert traffic.pto() == pytest.approx(before + 0.024)
    assert traffic.ask_for_acks(8, now) is None
    traffic.on_ack_request_report(7, True)
    assert traffic.pto() == pytest.approx(before + 0.024)


@pytest.mark.parametrize(("name", "kind"), [("cubic", Cubic), ("newreno", NewReno), ("bbr", Bbr)])
def test_the_controller_is_the_one_that_was_named(name: str, kind: type) -> None:
    assert type(Ends(Configuration(congestion=name)).traffic.congestion) is kind


@pytest.mark.parametrize(("name", "is_paced"), [("cubic", False), ("newreno", False), ("bbr", True)])
def test_where_a_round_trip_is_below_a_timers_grain_only_bbr_paces(
    name: str, is_paced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = 8 << 20
    ends = Ends(Configuration(congestion=name, channel_window=window, connection_window=window))
    ends.write(window)
    for step in range(10):  # acknowledged half a millisecond later: the window grows
        ends.fill(1.0 + step)
        ends.acknowledge(1.0005 + step)
    congestion = ends.traffic.congestion
    assert congestion.congestion_window > 40 * 1200
    monkeypatch.setattr(type(congestion), "pacing_rate", lambda self, rtt: 1.2e6)
    sent = 0
    while size := ends.fill(20.0, arrives=False):
        sent += size
    deadline = ends.traffic.deadline()
    assert deadline is not None
    if is_paced:
        assert sent <= 12_000 + 1200  # ten datagrams and a millisecond
        assert 20.001 <= deadline <= 20.002
    else:
        assert sent > congestion.congestion_window - 1200
        assert deadline > 20.002


class Restarts:
    """Counts how often a controller hears that nothing was in flight."""

    def __init__(self, ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at: list[float] = []
        kind = type(ends.traffic.congestion)
        monkeypatch.setattr(kind, "on_restart", lambda congestion, now: self.at.append(now))


def test_the_controller_hears_of_a_restart_before_anything_is_sent_and_only_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends = Ends()
    restarts = Restarts(ends, monkeypatch)
    ends.write(3000)
    ends.fill(1.0)
    assert restarts.at == [1.0]
    ends.write(3000)
    ends.fill(1.01)
    ends.acknowledge(1.1)
    assert restarts.at == [1.0]
    ends.write(3000)
    ends.fill(5.0)
    assert restarts.at == [1.0, 5.0]


def is_limited_after_a_pause(ends: Ends, size: int) -> bool:
    """Write `size` bytes, let them be acknowledged, write more a second later: is that flight app-limited?"""
    ends.write(size)
    while ends.fill(1.0):
        continue
    ends.acknowledge(1.1)
    ends.fill(1.1)  # as an acknowledgement makes a connection do
    ends.write(1000)
    ends.fill(2.0)
    carry(ends.receiver, ends.sender, 2.1)
    summary = ends.sender.take_ack_summary()
    assert summary is not None
    return summary.is_app_limited


@pytest.mark.parametrize("datagrams", [1, 5, 9, 10])
def test_data_that_ends_with_the_window_leaves_the_flow_app_limited_all_the_same(datagrams: int) -> None:
    ends = Ends()
    overhead = 60
    assert is_limited_after_a_pause(ends, datagrams * (1200 - overhead))


def test_while_there_is_more_to_send_the_flow_is_not_app_limited(ends: Ends) -> None:
    ends.write(100_000)
    while ends.fill(1.0):
        continue
    ends.acknowledge(1.1)
    while ends.fill(1.1):
        continue
    carry(ends.receiver, ends.sender, 1.2)
    summary = ends.sender.take_ack_summary()
    assert summary is not None
    assert not summary.is_app_limited


def test_an_end_without_anything_to_send_asks_nothing_of_the_controller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends = Ends()
    ends.fill(0.5)  # OPEN
    ends.acknowledge(0.6)
    restarts = Restarts(ends, monkeypatch)
    for step in range(10):
        assert ends.fill(1.0 + step) == 0
    assert restarts.at == []
