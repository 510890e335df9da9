"""The handshake packet-number space: two of them, joined in memory."""

from __future__ import annotations

from random import Random

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.handshake_packets import HandshakePackets
from fastmux.protocol.handshake_space import PACKET_SIZE, Arrival, HandshakeSpace
from fastmux.protocol.rtt import RttEstimator

UNLIMITED = 1 << 20
RTT = 0.333


class End:
    """A space with its packets, and what came in order."""

    def __init__(self, is_client: bool) -> None:
        ids = (b"client-i", b"server-i")
        local_id, remote_id = ids if is_client else ids[::-1]
        self.packets = HandshakePackets(
            is_client=is_client,
            version=c.VERSION_1,
            local_id=local_id,
            remote_id=remote_id,
            first_id=b"first-id",
        )
        self.rtt = RttEstimator(RTT)
        self.space = HandshakeSpace(self.packets, self.rtt, is_client=is_client)
        self.data = b""

    def send(self, now: float, limit: int = UNLIMITED) -> list[bytes]:
        buffer = bytearray(65536)
        packets: list[bytes] = []
        while size := self.space.fill(buffer, limit, now):
            segments = range(0, size, PACKET_SIZE)
            packets += [bytes(buffer[at : min(at + PACKET_SIZE, size)]) for at in segments]
            limit -= size
        return packets

    def receive(self, packet: bytes, now: float) -> Arrival | None:
        header = core.parse_long_header(packet, 0, len(packet))
        arrival = self.space.receive(header, packet, now)
        self.data += b"" if arrival is None else arrival.data
        return arrival

    def sealed(self, number: int, *frames: tuple[object, ...]) -> bytes:
        return self.packets.seal(number, b"".join(core.encode_frame(frame) for frame in frames))


def payload_of(packet: bytes) -> bytes:
    """What a packet of the client holds."""
    header = core.parse_long_header(packet, 0, len(packet))
    opened = End(False).packets.open(header, packet, -1)
    assert opened is not None
    return b"".join(core.encode_frame(frame) for frame in opened.frames)


@pytest.fixture
def client() -> End:
    return End(True)


@pytest.fixture
def server() -> End:
    return End(False)


def test_what_is_written_arrives_in_order(client: End, server: End) -> None:
    client.space.flight.write(b"hello")
    for packet in client.send(1.0):
        server.receive(packet, 1.1)
    assert server.data == b"hello"


def test_every_datagram_of_a_client_has_1200_bytes_even_an_acknowledgement(client: End, server: End) -> None:
    client.space.flight.write(bytes(3000))
    server.space.flight.write(b"x")
    packets = client.send(1.0)
    client.receive(server.send(1.0)[0], 1.1)
    packets += client.send(1.1)
    assert len(packets) == 4
    assert {len(packet) for packet in packets} == {1200}


def test_all_packets_of_a_servers_train_but_the_last_have_1200_bytes(server: End) -> None:
    server.space.flight.write(bytes(3000))
    sizes = [len(packet) for packet in server.send(1.0)]
    assert sizes[:-1] == [1200, 1200]
    assert sizes[-1] < 1200


def test_an_acknowledgement_alone_is_small_and_is_not_acknowledged(client: End, server: End) -> None:
    client.space.flight.write(b"hello")
    server.receive(client.send(1.0)[0], 1.1)
    (ack,) = server.send(1.1)
    assert len(ack) < 100
    client.receive(ack, 1.2)
    assert client.send(1.2) == []


def test_an_acknowledgement_gives_a_round_trip_sample(client: End, server: End) -> None:
    client.space.flight.write(b"hello")
    server.receive(client.send(1.0)[0], 1.1)
    client.receive(server.send(1.1)[0], 1.2)
    assert client.rtt.latest_rtt == pytest.approx(0.2)


def test_an_acknowledgement_that_comes_late_because_others_were_lost_is_no_sample(
    client: End, server: End
) -> None:
    client.space.flight.write(b"hello")
    server.space.flight.write(b"world")
    server.receive(client.send(1.0)[0], 1.1)
    server.send(1.1)  # lost, with its ACK
    deadline = server.space.deadline(can_send=True)
    assert deadline is not None
    server.space.handle_timeout(deadline, can_send=True)
    client.receive(server.send(deadline)[0], deadline + 0.1)
    assert not client.rtt.has_sample


def test_nothing_goes_beyond_the_limit(server: End) -> None:
    server.space.flight.write(bytes(9000))
    assert sum(map(len, server.send(1.0, limit=3600))) == 3600
    assert server.send(1.0, limit=1199) == []
    assert server.space.has_pending


def test_a_probe_sends_again_what_is_outstanding(client: End, server: End) -> None:
    client.space.flight.write(b"hello")
    client.send(1.0)
    deadline = client.space.deadline(can_send=True)
    assert deadline == pytest.approx(1.0 + 3 * RTT)
    assert deadline is not None
    client.space.handle_timeout(deadline, can_send=True)
    packets = client.send(deadline)
    assert len(packets) == 2
    server.receive(packets[1], deadline)  # either will do
    assert server.data == b"hello"


def test_a_client_probes_with_nothing_in_flight_and_a_server_does_not(client: End, server: End) -> None:
    client.space.flight.write(b"hello")
    server.receive(client.send(1.0)[0], 1.1)
    client.receive(server.send(1.1)[0], 1.2)
    assert server.space.deadline(can_send=True) is None
    deadline = client.space.deadline(can_send=True)
    assert deadline is not None
    client.space.handle_timeout(deadline, can_send=True)
    probes = client.send(deadline)
    assert [len(probe) for probe in probes] == [1200, 1200]
    server.receive(probes[0], deadline)
    assert server.space.has_pending  # it acknowledges


def test_probes_back_off(client: End) -> None:
    client.space.flight.write(b"hello")
    client.send(0.0)
    times = [0.0]
    for _ in range(4):
        deadline = client.space.deadline(can_send=True)
        assert deadline is not None
        client.space.handle_timeout(deadline, can_send=True)
        assert len(client.send(deadline)) == 2
        times.append(deadline)
    assert [round(b - a, 3) for a, b in zip(times, times[1:], strict=False)] == [
        0.999,
        1.998,
        3.996,
        7.992,
    ]


def test_probes_back_off_though_the_peer_acknowledges_them(client: End, server: End) -> None:
    # found by fuzzing (handshake-ea16db7ff652): two packets every 5 ms, as long as a peer only acknowledged
    client.space.flight.write(b"hello")
    server.receive(client.send(0.0)[0], 0.0)
    client.receive(server.send(0.0)[0], 0.001)
    at, probes = 0.001, 0
    while (deadline := client.space.deadline(can_send=True)) is not None and deadline < 10.0:
        at = deadline
        client.space.handle_timeout(at, can_send=True)
        for probe in client.send(at):
            server.receive(probe, at)
            probes += 1
        for answer in server.send(at):
            client.receive(answer, at + 0.001)
    assert 10 < probes <= 26


def test_what_is_acknowledged_after_probes_ends_the_back_off(client: End, server: End) -> None:
    client.space.flight.write(b"hello")
    server.receive(client.send(0.0)[0], 0.0)
    client.receive(server.send(0.0)[0], 0.1)
    now = 0.1
    for _ in range(6):
        deadline = client.space.deadline(can_send=True)
        assert deadline is not None
        now = deadline
        client.space.handle_timeout(now, can_send=True)
        client.send(now)
    client.space.flight.write(b"more")
    server.receive(client.send(now)[0], now)
    client.receive(server.send(now)[0], now + 0.1)
    probe_at = client.space.deadline(can_send=True)
    assert probe_at is not None
    assert probe_at - now < 1.0


def test_whoever_may_not_send_waits_for_no_probe(server: End) -> None:
    server.space.flight.write(bytes(9000))
    server.send(1.0, limit=3600)
    assert server.space.deadline(can_send=False) is None
    assert server.space.deadline(can_send=True) is not None


def test_a_lost_packet_is_found_by_those_that_arrived_later(client: End, server: End) -> None:
    client.space.flight.write(bytes(range(256)) * 20)
    packets = client.send(1.0)
    for packet in packets[1:]:
        server.receive(packet, 1.1)
    for packet in server.send(1.1):
        client.receive(packet, 1.2)
    for packet in client.send(1.2):
        server.receive(packet, 1.3)
    assert server.data == bytes(range(256)) * 20


def test_a_duplicate_counts_for_nothing(client: End, server: End) -> None:
    client.space.flight.write(b"hello")
    (packet,) = client.send(1.0)
    assert server.receive(packet, 1.1) is not None
    assert server.receive(packet, 1.2) is None
    assert server.data == b"hello"


def test_a_path_challenge_is_answered_and_only_the_newest_three_are(client: End, server: End) -> None:
    challenges = [(c.FRAME_PATH_CHALLENGE, bytes((n,)) * 8) for n in range(5)]
    client.receive(server.sealed(0, *challenges), 1.0)
    (packet,) = client.send(1.0)
    opened = server.packets.open(core.parse_long_header(packet, 0, 1200), packet, -1)
    assert opened is not None
    answers = [frame[1] for frame in opened.frames if frame[0] == c.FRAME_PATH_RESPONSE]
    assert answers == [bytes((n,)) * 8 for n in (2, 3, 4)]


def test_a_path_response_is_handed_up(client: End, server: End) -> None:
    arrival = server.receive(client.sealed(0, (c.FRAME_PATH_RESPONSE, b"12345678")), 1.0)
    assert arrival is not None
    assert arrival.path_responses == [b"12345678"]


def test_parameters_and_a_close_are_handed_up(client: End, server: End) -> None:
    packet = server.sealed(0, (c.FRAME_PARAMETERS, b"blob"), (c.FRAME_CONNECTION_CLOSE, 0x128, b"why\xff"))
    arrival = client.receive(packet, 1.0)
    assert arrival is not None
    assert arrival.parameters == b"blob"
    assert arrival.close == (0x128, "why\ufffd")


def test_bytes_beyond_the_limit_of_a_handshake_are_an_error(client: End, server: End) -> None:
    packet = server.sealed(0, (c.FRAME_HANDSHAKE, c.MAX_HANDSHAKE_BUFFER - 3, b"1234"))
    with pytest.raises(ProtocolError) as caught:
        client.receive(packet, 1.0)
    assert caught.value.code == c.HANDSHAKE_BUFFER_EXCEEDED


def test_bytes_out_of_order_are_held_up_to_a_limit_and_then_not_acknowledged(
    client: End, server: End
) -> None:
    held = 0
    for number in range(20):
        frame = (c.FRAME_HANDSHAKE, 1 + number * 1000, bytes(1000))
        if client.receive(server.sealed(number, frame), 1.0) is not None:
            held += 1000
    assert held == c.MAX_HANDSHAKE_BUFFER_AFTER // 1000 * 1000
    assert client.receive(server.sealed(30, (c.FRAME_HANDSHAKE, 0, b"x")), 1.0) is not None
    assert len(client.data) == held + 1


def test_an_acknowledgement_of_what_was_not_sent_is_an_error(client: End, server: End) -> None:
    with pytest.raises(ProtocolError) as caught:
        client.receive(server.sealed(0, (c.FRAME_ACK, 0.0, ((0, 1),))), 1.0)
    assert caught.value.code == c.PROTOCOL_VIOLATION


def test_the_last_packets_hold_what_the_peer_may_lack_and_the_close(client: End, server: End) -> None:
    server.space.flight.write(b"z" * 2500)
    server.send(1.0)
    server.space.flight.write(b"alert")
    close = core.encode_frame((c.FRAME_CONNECTION_CLOSE, 0x12A, b"no"))
    for packet in server.space.last_packets(close, UNLIMITED, 1.0):
        arrival = client.receive(packet, 1.1)
        assert arrival is not None
        assert arrival.close == (0x12A, "no")
    assert client.data == b"z" * 2500 + b"alert"


def test_the_last_packets_are_a_close_alone_when_there_is_nothing_else(client: End, server: End) -> None:
    close = core.encode_frame((c.FRAME_CONNECTION_CLOSE, 0, b""))
    (packet,) = client.space.last_packets(close, UNLIMITED, 1.0)
    arrival = server.receive(packet, 1.0)
    assert arrival is not None
    assert arrival.close == (0, "")


@pytest.mark.parametrize("seed", range(30))
def test_any_loss_and_order_gets_everything_across(client: End, server: End, seed: int) -> None:
    random = Random(seed)
    sent = {True: random.randbytes(20000), False: random.randbytes(20000)}
    client.space.flight.write(sent[True])
    server.space.flight.write(sent[False])
    now, way = 1.0, [(client, server), (server, client)]
    while (client.data, server.data) != (sent[False], sent[True]):
        assert now < 500
        for sender, receiver in way:
            deadline = sender.space.deadline(can_send=True)
            if deadline is not None and deadline <= now:
                sender.space.handle_timeout(now, can_send=True)
            packets = [packet for packet in sender.send(now) if random.random() < 0.6]
            random.shuffle(packets)
            for packet in packets:
                receiver.receive(packet, now + 0.01)
        now += 0.05


def test_bytes_behind_many_gaps_are_as_if_lost_until_gaps_are_filled(client: End, server: End) -> None:
    """Guards: bytes at every other offset took ten to a hundred times what they were charged."""
    for number in range(c.MAX_HANDSHAKE_SPANS):
        assert client.receive(server.sealed(number, (c.FRAME_HANDSHAKE, 1 + 2 * number, b"x")), 1.0)
    more = (c.FRAME_HANDSHAKE, 1001, b"x")
    assert client.receive(server.sealed(50, more), 1.0) is None
    assert client.space.held_size >= c.MAX_HANDSHAKE_SPANS * c.SPAN_CHARGE
    assert client.receive(server.sealed(51, (c.FRAME_HANDSHAKE, 0, b"xxx")), 1.0) is not None
    assert client.receive(server.sealed(52, more), 1.0) is not None
    assert client.data == b"x" * 4


def test_one_packet_makes_no_more_gaps_than_many(client: End, server: End) -> None:
    frames = [(c.FRAME_HANDSHAKE, 1 + 2 * place, b"x") for place in range(c.MAX_HANDSHAKE_SPANS + 1)]
    assert client.receive(server.sealed(0, *frames), 1.0) is None
    assert client.receive(server.sealed(1, *frames[1:]), 1.0) is not None


def test_a_peer_that_acknowledges_nothing_is_sent_so_many_packets_and_no_more(
    client: End, server: End
) -> None:
    """Guards: every challenge was answered by one more packet that is kept until acknowledged."""
    now, sent = 1.0, 0
    for number in range(3 * c.MAX_HANDSHAKE_UNACKED):
        challenge = (c.FRAME_PATH_CHALLENGE, number.to_bytes(8, "big"))
        client.receive(server.sealed(number, challenge), now)
        sent += len(client.send(now))
    assert len(client.space._carried) == c.MAX_HANDSHAKE_UNACKED
    assert client.space.held_size >= c.MAX_HANDSHAKE_UNACKED * c.PACKET_CHARGE
    assert sent == 3 * c.MAX_HANDSHAKE_UNACKED  # those above are bare ACKs
    deadline = client.space.deadline(can_send=True)
    assert deadline is not None
    client.space.handle_timeout(deadline, can_send=True)
    assert not client.space.has_pending
    everything = (c.FRAME_ACK, 0.0, ((0, c.MAX_HANDSHAKE_UNACKED),))
    client.receive(server.sealed(number + 1, everything), deadline)
    client.space.flight.write(b"it goes on")
    packets = client.send(deadline)
    assert any(b"it goes on" in payload_of(packet) for packet in packets)


def test_a_peer_that_acknowledges_nothing_hears_why_it_ends(client: End, server: End) -> None:
    for number in range(c.MAX_HANDSHAKE_UNACKED):
        challenge = (c.FRAME_PATH_CHALLENGE, number.to_bytes(8, "big"))
        client.receive(server.sealed(number, challenge), 1.0)
        client.send(1.0)
    client.space.flight.write(b"alert")
    close = core.encode_frame((c.FRAME_CONNECTION_CLOSE, 0x12A, b"no"))
    (packet,) = client.space.last_packets(close, UNLIMITED, 1.0)
    payload = payload_of(packet)
    assert b"alert" in payload
    assert close in payload


@pytest.mark.parametrize("seed", range(5))
def test_ten_times_the_loss_disorder_and_copies_of_a_bad_path_meet_no_limit(
    client: End, server: End, seed: int
) -> None:
    """Flights as large as they may be, half of it lost, ten copies of the rest, in any order."""
    random = Random(seed)
    client.space.flight.write(data := random.randbytes(c.MAX_HANDSHAKE_BUFFER))
    now, most_spans, dropped, seen = 1.0, 0, 0, set[bytes]()
    while server.data != data:
        assert now < 100
        deadline = client.space.deadline(can_send=True)
        if deadline is not None and deadline <= now:
            client.space.handle_timeout(now, can_send=True)
        packets = [packet for packet in client.send(now) if random.random() < 0.5] * 10
        random.shuffle(packets)
        for packet in packets:
            dropped += server.receive(packet, now) is None and packet not in seen
            seen.add(packet)
        most_spans = max(most_spans, server.space._incoming.span_count)
        assert len(client.space._carried) < c.MAX_HANDSHAKE_UNACKED / 2
        for packet in server.send(now):
            if random.random() < 0.5:
                client.receive(packet, now + 0.01)
        now += 0.02
    assert dropped == 0
    assert most_spans < c.MAX_HANDSHAKE_SPANS / 2
