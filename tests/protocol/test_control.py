"""The rare frames and the tokens by which the core reports on them."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.control import Control, Outcome
from fastmux.protocol.events import ChannelsAvailable, PingAcknowledged
from fastmux.protocol.parameters import Parameters
from fastmux.protocol.rtt import RttEstimator
from fastmux.protocol.traffic import Traffic
from protocol.joined import carry, data_path


class End:
    def __init__(self, is_client: bool) -> None:
        self.data_path = data_path(is_client)
        self.traffic = Traffic(self.data_path, RttEstimator(), Configuration(), bytes)
        self.control = Control(self.data_path, self.traffic)

    def tell(self, frame: tuple[object, ...]) -> None:
        """Send a frame to the peer."""
        self.data_path.queue_control(0, core.encode_frame(frame))


@pytest.fixture
def ends() -> tuple[End, End]:
    return End(True), End(False)


def train(end: End, now: float) -> list[bytes]:
    buffer = bytearray(65536)
    size, segment_size = end.control.fill(buffer, now)
    return [bytes(buffer[at : at + segment_size]) for at in range(0, size, segment_size or 1)]


def deliver(packets: list[bytes], target: End, now: float) -> None:
    for packet in packets:
        target.data_path.receive(packet, 0, len(packet), len(packet), now)


def pings(end: End, now: float) -> dict[int, float]:
    """The pings acknowledged in a batch."""
    events = end.control.take(now).events
    return {event.token: event.round_trip for event in events if isinstance(event, PingAcknowledged)}


def heard(source: End, target: End, *frames: tuple[object, ...]) -> Outcome:
    for frame in frames:
        source.tell(frame)
    carry(source.data_path, target.data_path, 1.0)
    return target.control.take(1.0)


def test_a_ping_is_two_packets_that_are_acknowledged_at_once(ends: tuple[End, End]) -> None:
    client, server = ends
    token = client.control.ping(1.0)
    packets = train(client, 1.0)
    assert len(packets) == 2
    assert len(packets[0]) == len(packets[1]) < 40
    deliver(packets, server, 1.1)
    assert carry(server.data_path, client.data_path, 1.1) > 0
    assert pings(client, 1.2) == {token: pytest.approx(0.2)}
    assert train(client, 1.2) == []


def test_a_lost_ping_is_sent_again_and_counts_from_its_first_sending(
    ends: tuple[End, End],
) -> None:
    client, server = ends
    token = client.control.ping(1.0)
    train(client, 1.0)
    for _ in range(4):
        client.tell((c.FRAME_PING,))
        carry(client.data_path, server.data_path, 1.5)
    carry(server.data_path, client.data_path, 1.6)
    assert client.control.take(1.6).events == []
    deliver(train(client, 1.7), server, 1.8)
    carry(server.data_path, client.data_path, 1.8)
    assert pings(client, 1.9) == {token: pytest.approx(0.9)}


def test_handshake_done_goes_until_it_is_acknowledged(ends: tuple[End, End]) -> None:
    client, server = ends
    server.control.send_handshake_done()
    buffer = bytearray(65536)
    server.data_path.fill(buffer, 1200, 1 << 20, 1.0)  # lost
    server.control.on_probe_timeout()
    carry(server.data_path, client.data_path, 2.0)
    assert client.control.take(2.0).is_handshake_done
    client.tell((c.FRAME_PING,))
    carry(client.data_path, server.data_path, 2.1)
    server.control.take(2.1)
    server.control.on_probe_timeout()
    assert not server.data_path.has_pending


def test_frames_about_ids_and_paths_are_handed_on_in_their_order(ends: tuple[End, End]) -> None:
    frames = (
        (c.FRAME_NEW_ID, 1, 0, b"new-id-1", bytes(16)),
        (c.FRAME_PATH_CHALLENGE, b"12345678"),
        (c.FRAME_RETIRE_ID, 7),
        (c.FRAME_PATH_RESPONSE, bytes(8)),
    )
    assert heard(*ends, *frames) == Outcome(path_frames=frames)


def test_a_kept_frame_goes_until_it_is_acknowledged(ends: tuple[End, End]) -> None:
    client, server = ends
    frame = (c.FRAME_RETIRE_ID, 3)
    client.control.keep(core.encode_frame(frame))
    client.data_path.fill(bytearray(65536), 1200, 1 << 20, 1.0)  # lost
    assert client.control.kept_count == 1
    for _ in range(4):
        client.tell((c.FRAME_PING,))
        carry(client.data_path, server.data_path, 1.5)
    carry(server.data_path, client.data_path, 1.6)
    client.control.take(1.6)
    assert client.control.kept_count == 1
    carry(client.data_path, server.data_path, 1.7)
    assert server.control.take(1.7).path_frames == (frame,)
    client.tell((c.FRAME_PING,))
    carry(client.data_path, server.data_path, 1.8)
    carry(server.data_path, client.data_path, 1.8)
    client.control.take(1.9)
    assert client.control.kept_count == 0
    assert not client.data_path.has_pending


def test_a_close_of_either_kind_is_told_with_code_and_reason(ends: tuple[End, End]) -> None:
    for kind in (c.FRAME_CONNECTION_CLOSE, c.FRAME_APPLICATION_CLOSE):
        client, server = End(True), End(False)
        assert heard(client, server, (kind, 5, b"why\xff")).close == (5, "why\ufffd")


def test_several_raised_channel_limits_are_one_event(ends: tuple[End, End]) -> None:
    client, server = ends
    raised = [(c.FRAME_MAX_CHANNELS, kind, 5000) for kind in (c.KIND_STREAM, c.KIND_MESSAGE)]
    assert heard(client, server, *raised).events == [ChannelsAvailable()]


def test_an_extension_frame_is_taken_and_ignored(ends: tuple[End, End]) -> None:
    assert heard(*ends, (c.FRAME_EXTENSION_FIRST, b"data")) == Outcome()


def test_an_ack_frequency_frame_is_obeyed_or_refused(ends: tuple[End, End]) -> None:
    client, server = ends
    assert heard(client, server, (c.FRAME_ACK_FREQUENCY, 7, 10, 2000, 3)) == Outcome()
    carry(server.data_path, client.data_path, 2.0)
    client.tell((c.FRAME_PING,))
    carry(client.data_path, server.data_path, 3.0)
    assert server.data_path.deadlines().ack_at == pytest.approx(3.002)
    with pytest.raises(ProtocolError) as caught:
        heard(client, server, (c.FRAME_ACK_FREQUENCY, 8, 10, 0, 3))
    assert caught.value.code == c.PROTOCOL_VIOLATION


def test_an_mtu_probe_is_one_padded_packet_and_its_fate_is_told(ends: tuple[End, End]) -> None:
    client, server = ends
    client.traffic.on_confirmed(Parameters())
    (probe,) = train(client, 1.0)
    assert len(probe) == c.MAX_PLPMTU
    deliver([probe], server, 1.0)
    server.tell((c.FRAME_PING,))
    carry(server.data_path, client.data_path, 1.1)
    client.control.take(1.1)
    assert client.traffic.mtu.current == c.MAX_PLPMTU


def test_a_lost_mtu_probe_is_tried_again(ends: tuple[End, End]) -> None:
    client, server = ends
    client.traffic.on_confirmed(Parameters())
    train(client, 1.0)
    for _ in range(4):
        client.tell((c.FRAME_PING,))
        carry(client.data_path, server.data_path, 1.5)
    carry(server.data_path, client.data_path, 1.6)
    client.control.take(1.6)
    assert [len(packet) for packet in train(client, 1.6)] == [c.MAX_PLPMTU]


def test_a_keep_alive_needs_no_answer_but_an_acknowledgement(ends: tuple[End, End]) -> None:
    client, server = ends
    client.control.keep_alive()
    assert carry(client.data_path, server.data_path, 1.0) > 0
    assert server.control.take(1.0) == Outcome()
