"""What is asked of a peer about its acknowledgements, and what is done for one that asks."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ConnectionClosed, ProtocolError
from fastmux.protocol.ack_frequency import (
    FLIGHT_SHARE,
    LITTLE,
    RAISE_INTERVAL,
    AckFrequency,
    AckRequest,
    AckRequests,
    suitable,
)
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.events import PingAcknowledged
from network import Conditions
from protocol.joined import carry, data_path
from protocol.pairs import Pair, make_pair, transfer

MANY = AckRequest(44, 0.005, c.K_PACKET_THRESHOLD)
DEFAULT = AckRequest(1, 0.025, 1)
FEW = suitable(3000, 1452, 0.02)


def asking() -> AckFrequency:
    return AckFrequency(0.001, 0.025)


def settled(*requests: AckRequest) -> AckFrequency:
    """A sender whose requests all arrived."""
    frequency = asking()
    for sequence, request in enumerate(requests):
        frequency.on_sent(sequence, request)
        frequency.on_acked(sequence)
    return frequency


# --- what suits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("datagram_size", "packets"), [(1200, 54), (1452, 45), (8952, 7), (65507, 2)])
def test_a_sender_of_much_tolerates_one_train(datagram_size: int, packets: int) -> None:
    assert suitable(1 << 30, datagram_size, 0.02) == AckRequest(packets - 1, 0.005, c.K_PACKET_THRESHOLD)


@pytest.mark.parametrize("packets", [0, 2, 10, 63, 64, 100, 300, 700, 1400])
def test_no_tolerance_is_more_than_its_share_of_the_flight_nor_less_than_two(packets: int) -> None:
    threshold = suitable(packets * 1452, 1452, 0.02).threshold
    assert threshold + 1 == max(2, packets // FLIGHT_SHARE)


def test_no_delay_is_more_than_its_share_of_the_round_trip_nor_25_ms() -> None:
    assert suitable(1 << 20, 1452, 0.04).max_ack_delay == pytest.approx(0.01)
    assert suitable(1 << 20, 1452, 10.0).max_ack_delay == c.MAX_ACK_DELAY


# --- when it is asked for -----------------------------------------------------------------------------


def test_a_peer_that_does_not_offer_it_is_never_asked() -> None:
    assert AckFrequency(None, 0.025).next_request(MANY, 1.0) is None


def test_a_sender_of_little_asks_for_nothing() -> None:
    assert asking().next_request(FEW, 1.0) is None


def test_one_request_is_on_its_way_at_a_time() -> None:
    frequency = asking()
    request = frequency.next_request(MANY, 1.0)
    assert request == MANY
    frequency.on_sent(5, request)
    assert frequency.next_request(FEW, 2.0) is None
    frequency.on_acked(5)
    assert frequency.next_request(FEW, 2.0) == DEFAULT


def test_the_same_again_is_not_asked_for() -> None:
    assert settled(MANY).next_request(MANY, 9.0) is None


@pytest.mark.parametrize(
    ("threshold", "delay", "asks"),
    [(30, 0.005, False), (21, 0.005, True), (44, 0.009, False), (44, 0.0101, True), (88, 0.005, False)]
    + [(89, 0.005, True), (44, 0.0025, True)],
)
def test_a_change_by_less_than_a_factor_of_two_is_none(threshold: int, delay: float, asks: bool) -> None:
    wanted = AckRequest(threshold, delay, c.K_PACKET_THRESHOLD)
    assert settled(MANY).next_request(wanted, 9.0) == (wanted if asks else None)


def test_less_is_asked_for_at_once_and_more_only_now_and_then() -> None:
    frequency, now = asking(), 1.0
    few = AckRequest(3, 0.005, c.K_PACKET_THRESHOLD)
    for sequence, wanted in enumerate((MANY, few)):
        request = frequency.next_request(wanted, now)
        assert request == wanted
        frequency.on_sent(sequence, request)
        frequency.on_acked(sequence)
    assert frequency.next_request(MANY, now + 0.9 * RAISE_INTERVAL) is None
    assert frequency.next_request(MANY, now + RAISE_INTERVAL) == MANY


def test_no_delay_shorter_than_the_peer_offers_is_asked_for() -> None:
    frequency = AckFrequency(0.004, 0.025)
    assert frequency.next_request(MANY._replace(max_ack_delay=0.0001), 1.0) == AckRequest(44, 0.004, 3)


def test_a_lost_request_is_replaced_by_what_is_wanted_then() -> None:
    frequency = asking()
    frequency.on_sent(5, MANY)
    frequency.on_lost(5)
    fewer = MANY._replace(threshold=40)
    assert frequency.next_request(fewer, 2.0) == fewer
    frequency.on_sent(6, fewer)
    frequency.on_lost(5)  # reported once more
    frequency.on_acked(5)  # it had arrived after all: the newer one says what holds
    assert frequency.next_request(FEW, 9.0) is None
    frequency.on_acked(6)
    assert frequency.next_request(FEW, 9.0) == DEFAULT


# --- what the PTO must allow for ------------------------------------------------------------------------


def test_a_longer_delay_counts_from_its_sending_and_a_shorter_one_from_its_arrival() -> None:
    frequency = AckFrequency(0.001, 0.002)
    assert frequency.max_ack_delay == 0.002
    frequency.on_sent(0, AckRequest(44, 0.025, 3))
    assert frequency.max_ack_delay == 0.025
    frequency.on_acked(0)
    assert frequency.max_ack_delay == 0.025
    frequency.on_sent(1, AckRequest(44, 0.010, 3))
    assert frequency.max_ack_delay == 0.025
    frequency.on_lost(1)  # it may have arrived, it may not
    frequency.on_sent(2, AckRequest(44, 0.005, 3))
    assert frequency.max_ack_delay == 0.025
    frequency.on_acked(1)  # a late word on one that is not the newest
    assert frequency.max_ack_delay == 0.025
    frequency.on_acked(2)
    assert frequency.max_ack_delay == 0.005


def test_a_shorter_delay_than_the_parameter_leaves_the_probe_timeout_as_it_was() -> None:
    assert settled(MANY).max_ack_delay == 0.025


def test_a_gap_for_an_immediate_ack_is_left_only_while_it_is_needed() -> None:
    frequency = asking()
    assert frequency.gap == 0
    frequency.on_sent(0, MANY)
    assert frequency.gap == 3
    frequency.on_acked(0)
    assert frequency.gap == 3
    frequency.on_sent(1, DEFAULT)
    assert frequency.gap == 3  # the peer may not have it yet
    frequency.on_acked(1)
    assert frequency.gap == 0


# --- what a peer may ask --------------------------------------------------------------------------------


class Receiver:
    """An end that is asked, and a peer that sends it packets."""

    def __init__(self) -> None:
        self.sender, self.path = data_path(True), data_path(False)
        self.requests = AckRequests(self.path, 0.001)

    def delay(self) -> float | None:
        """How long the ACK of one packet that comes now would wait."""
        self.sender.queue_control(0, b"\x01")
        carry(self.sender, self.path, 100.0)
        ack_at = self.path.deadlines().ack_at
        carry(self.path, self.sender, 200.0)
        return None if ack_at is None else ack_at - 100.0


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


def test_a_request_is_in_force_at_once(receiver: Receiver) -> None:
    receiver.requests.on_frame(0, 10, 7000, 3, 1.0)
    assert receiver.delay() == pytest.approx(0.007)
    receiver.requests.on_frame(1, 0, 7000, 3, 1.0)
    assert receiver.delay() == 0.0


@pytest.mark.parametrize("sequence", [4, 5])
def test_an_older_request_is_ignored_even_if_it_makes_no_sense(receiver: Receiver, sequence: int) -> None:
    receiver.requests.on_frame(5, 10, 7000, 3, 1.0)
    receiver.requests.on_frame(sequence, 10, 9000, 3, 1.0)
    receiver.requests.on_frame(sequence, 10, 0, 3, 1.0)
    assert receiver.delay() == pytest.approx(0.007)


@pytest.mark.parametrize(("delay_us", "is_valid"), [(0, False), (999, False), (1000, True), (25_000, True)])
@pytest.mark.parametrize("threshold", [0, 1, 2**62 - 1])
def test_a_delay_below_what_was_offered_is_a_violation(
    receiver: Receiver, threshold: int, delay_us: int, is_valid: bool
) -> None:
    if is_valid:
        receiver.requests.on_frame(0, threshold, delay_us, 2**62 - 1, 1.0)
        return
    with pytest.raises(ProtocolError) as caught:
        receiver.requests.on_frame(0, threshold, delay_us, 1, 1.0)
    assert caught.value.code == c.PROTOCOL_VIOLATION


def test_a_delay_that_no_parameter_could_have_is_a_violation(receiver: Receiver) -> None:
    receiver.requests.on_frame(0, 1, 16_383_999, 1, 1.0)
    for delay_us in (16_384_000, 2**62 - 1):
        with pytest.raises(ProtocolError) as caught:
            receiver.requests.on_frame(1, 1, delay_us, 1, 1.0)
        assert caught.value.code == c.PROTOCOL_VIOLATION


def test_a_flood_of_requests_closes_the_connection(receiver: Receiver) -> None:
    with pytest.raises(ProtocolError) as caught:
        for sequence in range(c.ACK_FREQUENCY_BURST + 1):
            receiver.requests.on_frame(sequence, 10, 7000, 3, 1.0)
    assert caught.value.code == c.GLITCH_LIMIT


def test_ten_times_the_requests_that_a_sender_can_make_are_taken_for_ever(receiver: Receiver) -> None:
    per_second = round(10 * 2 / RAISE_INTERVAL)  # each more may be followed by a less
    for sequence in range(20 * per_second):
        receiver.requests.on_frame(sequence, 10, 7000, 3, sequence / per_second)


# --- over the network -------------------------------------------------------------------------------------

ORDINARY = ((0.0, 1452),)
FAR = Conditions(delay=0.01, rate=12_500_000, mtu=ORDINARY)
NEAR = Conditions(delay=0.00005, rate=25_000_000, mtu=ORDINARY)


def acks_per_packet(pair: Pair) -> float:
    """ACKs of the server for each packet of the client."""
    sent = pair.connection.data_path.counters()["packets_sent"]
    return pair.accepted.data_path.counters()["acks_sent"] / sent


def bulk(conditions: Conditions, monkeypatch: pytest.MonkeyPatch, *, asks: bool) -> tuple[float, float]:
    """The time of a transfer, and ACKs for each packet."""
    with monkeypatch.context() as patch:
        if not asks:
            patch.setattr(AckFrequency, "next_request", lambda *_: None)
        pair = make_pair(conditions=conditions).open()
        start = pair.network.now
        assert transfer(pair, bytes(6_000_000)) == bytes(6_000_000)
        return pair.network.now - start, acks_per_packet(pair)


@pytest.mark.parametrize("conditions", [FAR, NEAR], ids=["20 ms", "0.1 ms"])
def test_a_bulk_transfer_has_half_the_acks_and_takes_no_longer(
    conditions: Conditions, monkeypatch: pytest.MonkeyPatch
) -> None:
    time_before, acks_before = bulk(conditions, monkeypatch, asks=False)
    time_after, acks_after = bulk(conditions, monkeypatch, asks=True)
    assert acks_before > 0.45
    assert acks_after < 0.5 * acks_before
    assert time_after < 1.01 * time_before


def converse(pair: Pair, seconds: float) -> None:
    """Send a little, and let time pass."""
    data_path = pair.connection.data_path
    channel_id = data_path.open(c.KIND_STREAM)
    data_path.write(channel_id, bytes(2000))
    pair.connection.touch()
    pair.network.run_for(seconds)


def test_conversation_is_acknowledged_as_ever_after_a_bulk_transfer() -> None:
    pair = make_pair(conditions=FAR).open()
    transfer(pair, bytes(4_000_000))
    assert acks_per_packet(pair) < 0.3
    for _ in range(20):
        converse(pair, 0.5)  # so long that no question whether there is more falls into the next
    converse(pair, 0.0205)  # one round trip
    assert pair.connection.data_path.bytes_in_flight == 0


def test_a_ping_does_not_wait_for_the_delay_that_was_asked_for() -> None:
    """With 200 ms of round trip 25 ms are asked for: by them a ping would be late."""
    pair = make_pair(conditions=Conditions(delay=0.1, rate=12_500_000, mtu=ORDINARY)).open()
    transfer(pair, bytes(4_000_000))
    assert acks_per_packet(pair) < 0.3
    token = pair.connection.ping(pair.network.now)
    pair.network.run_for(1.0)
    events = [e for e in pair.client.events[pair.connection] if isinstance(e, PingAcknowledged)]
    assert [event.token for event in events] == [token]
    assert events[0].round_trip == pytest.approx(0.2, abs=0.001)


def test_a_request_lost_on_the_way_goes_again_with_a_higher_number() -> None:
    pair = make_pair(conditions=FAR).open()
    dropped: list[tuple[object, ...]] = []
    taken: list[int] = []

    def drop(_: int, data: bytes) -> bool:
        frames = frames_of(data, pair)
        asked = [frame for frame in frames if frame[0] == c.FRAME_ACK_FREQUENCY]
        taken.extend(int(str(frame[1])) for frame in asked)
        if asked and len(dropped) < 2:
            dropped.extend(asked)
            return True
        return False

    pair.network.drop = drop
    assert transfer(pair, bytes(4_000_000)) == bytes(4_000_000)
    assert len(dropped) == 2
    assert len(taken) >= 3
    assert taken == sorted(set(taken))
    assert acks_per_packet(pair) < 0.4


def frames_of(data: bytes, pair: Pair) -> list[tuple[object, ...]]:
    """The frames of a packet of the client under the null suite; none of any other packet."""
    is_long = data[0] & c.FORM_LONG
    is_clients = bool(pair.server.accepted) and data[1:9] == pair.accepted.ids.local
    return [] if is_long or not is_clients else core.parse_frames(data[13:-16])


def test_a_peer_that_asks_for_what_was_not_offered_is_refused() -> None:
    pair = make_pair(conditions=FAR).open()
    frame = core.encode_frame((c.FRAME_ACK_FREQUENCY, 0, 10, 10, 3))
    pair.connection.data_path.queue_control(0, frame)
    pair.connection.touch()
    pair.network.run_for(1.0)
    error = pair.server.closed(pair.accepted)
    assert isinstance(error, ConnectionClosed)
    assert error.code == c.PROTOCOL_VIOLATION


def test_no_delay_at_all_can_be_offered() -> None:
    pair = make_pair(conditions=FAR, configuration=Configuration(max_ack_delay=0.0)).open()
    assert transfer(pair, bytes(2_000_000)) == bytes(2_000_000)
    assert pair.client.closed(pair.connection) is None


@pytest.mark.parametrize("datagram_size", [1200, 1452, 8952])
def test_little_on_the_way_is_what_asks_for_nothing(datagram_size: int) -> None:
    flights = range(0, 200 * datagram_size, datagram_size // 2)
    little = [flight for flight in flights if flight < LITTLE * datagram_size]
    assert little
    assert all(suitable(flight, datagram_size, 0.1).threshold == 1 for flight in little)
    assert flights[-1] >= LITTLE * datagram_size
