"""The handshake step by step, without an application space: two of them joined in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import AuthenticationError, HandshakeError, ProtocolError
from fastmux.protocol.handshake_packets import HandshakePackets
from fastmux.protocol.handshake_space import PACKET_SIZE, HandshakeSpace
from fastmux.protocol.handshaking import Handshaking, failure_of
from fastmux.protocol.parameters import Parameters, encode_parameters
from fastmux.protocol.path import Path
from fastmux.protocol.rtt import RttEstimator
from protocol.scripted import NINE_CERTIFICATES, SMALL, Fail, Script, ScriptedHandshake

ADDRESS = ("127.0.0.1", 4433)
CHALLENGE = b"12345678"
BLOBS = {
    True: encode_parameters(Parameters(initial_max_data=1000)),
    False: encode_parameters(Parameters(initial_max_data=2000)),
}


class End:
    def __init__(self, is_client: bool, script: Script = SMALL, timeout: float | None = 10.0) -> None:
        ids = (b"client-i", b"server-i")
        local_id, remote_id = ids if is_client else ids[::-1]
        packets = HandshakePackets(
            is_client=is_client,
            version=c.VERSION_1,
            local_id=local_id,
            remote_id=remote_id,
            first_id=b"first-id",
        )
        self.packets = packets
        self.path = Path(ADDRESS, is_validated=is_client)
        self.handshaking = Handshaking(
            ScriptedHandshake(is_client, script),
            HandshakeSpace(packets, RttEstimator(), is_client=is_client),
            self.path,
            is_client=is_client,
            parameters=BLOBS[is_client],
            first_id=b"first-id",
        )
        self.sent_size = self.received_size = 0
        self.handshaking.start(timeout, 0.0, b"" if is_client else CHALLENGE)

    def send(self, now: float) -> list[bytes]:
        buffer = bytearray(65536)
        size = self.handshaking.fill(buffer, now)
        self.sent_size += size
        return [bytes(buffer[at : min(at + PACKET_SIZE, size)]) for at in range(0, size, PACKET_SIZE)]

    def receive(self, packet: bytes, now: float) -> bool:
        self.received_size += len(packet)
        header = core.parse_long_header(packet, 0, len(packet))
        return self.handshaking.receive(header, packet, now)


def exchange(client: End, server: End, rounds: int = 10, now: float = 0.0) -> None:
    for _ in range(rounds):
        for packet in client.send(now):
            server.receive(packet, now)
        for packet in server.send(now):
            client.receive(packet, now)
        now += 0.001


@pytest.mark.parametrize("script", [SMALL, NINE_CERTIFICATES])
def test_both_ends_get_the_same_keys_and_each_others_parameters(script: Script) -> None:
    client, server = End(True, script), End(False, script)
    exchange(client, server)
    assert server.handshaking.is_verified
    mine, theirs = client.handshaking.keys, server.handshaking.keys
    assert mine is not None
    assert theirs is not None
    assert (mine.send_key, mine.send_iv) == (theirs.receive_key, theirs.receive_iv)
    assert (mine.receive_key, mine.receive_iv) == (theirs.send_key, theirs.send_iv)
    assert client.handshaking.peer_parameters == Parameters(initial_max_data=2000)
    assert server.handshaking.peer_parameters == Parameters(initial_max_data=1000)


def after_two_flights() -> tuple[End, End]:
    """The client has heard the server and not answered yet."""
    client, server = End(True), End(False)
    for packet in client.send(0.0):
        server.receive(packet, 0.0)
    for packet in server.send(0.001):
        client.receive(packet, 0.001)
    return client, server


def test_a_client_has_its_keys_a_step_before_the_server() -> None:
    client, server = after_two_flights()
    assert client.handshaking.keys is not None
    assert not client.handshaking.is_verified
    assert server.handshaking.keys is None


def test_a_server_sends_three_times_what_it_received_until_the_path_is_proved() -> None:
    client, server = End(True, NINE_CERTIFICATES), End(False, NINE_CERTIFICATES)
    packets = client.send(0.0)
    server.receive(packets[0], 0.0)
    server.receive(packets[1], 0.0)
    flight = []
    while sent := server.send(0.0):
        flight += sent
    assert server.sent_size == 3 * server.received_size == 7200
    assert server.handshaking.space.has_pending
    client.receive(flight[0], 0.01)  # it has the challenge
    for packet in client.send(0.01):
        server.receive(packet, 0.02)
    assert server.path.is_validated
    assert server.send(0.02)


def test_a_verified_client_proves_its_path_too() -> None:
    client, server = End(True), End(False)
    exchange(client, server)
    assert server.path.is_validated


def test_parameters_that_change_on_the_way_are_an_error() -> None:
    client, server = End(True), End(False)
    for packet in client.send(0.0):
        server.receive(packet, 0.0)
    other = core.encode_frame((c.FRAME_PARAMETERS, encode_parameters(Parameters())))
    with pytest.raises(ProtocolError) as caught:
        server.receive(client.packets.seal(9, other + bytes(1000)), 0.0)
    assert caught.value.code == c.PARAMETER_ERROR


def test_malformed_parameters_are_an_error() -> None:
    client, server = End(True), End(False)
    for packet in client.send(0.0):
        server.receive(packet, 0.0)
    frames = (
        (c.FRAME_PARAMETERS, b"\x01"),
        (c.FRAME_HANDSHAKE, 0, first_flight(False)),
    )
    payload = b"".join(core.encode_frame(frame) for frame in frames)
    with pytest.raises(ProtocolError) as caught:
        client.receive(server.packets.seal(0, payload), 0.0)
    assert caught.value.code == c.PARAMETER_ERROR


def first_flight(is_client: bool) -> bytes:
    """The first flight of one end."""
    client, server = ScriptedHandshake(True), ScriptedHandshake(False)
    client.start()
    hello = client.send()
    server.receive(hello)
    return hello if is_client else server.send()


def test_a_context_that_differs_is_a_handshake_error() -> None:
    client, server = End(True, Script(fail=Fail.CONTEXT)), End(False, Script(fail=Fail.CONTEXT))
    with pytest.raises(HandshakeError, match="parameters"):
        exchange(client, server)
    assert not server.handshaking.is_verified
    with pytest.raises(HandshakeError, match="parameters"):  # the client can tell what is wrong, too
        for packet in server.handshaking.last_packets(c.FRAME_CONNECTION_CLOSE, 0x128, "", 0.1):
            client.receive(packet, 0.1)


def test_a_server_that_is_done_says_nothing_more_in_the_handshake() -> None:
    """HANDSHAKE_DONE opens only under keys bound to the context, and stands for the ACK of what led to it."""
    client, server = after_two_flights()
    first, *rest = client.send(0.002)
    assert server.receive(first, 0.002)
    for packet in rest:
        server.receive(packet, 0.002)
    assert server.handshaking.is_verified
    assert server.send(0.003) == []


@pytest.mark.parametrize("fail", [Fail.CLIENT_REJECTS, Fail.SERVER_REJECTS, Fail.SERVER_HELLO])
def test_a_failure_is_raised_where_it_happens_and_its_alert_goes_out(fail: Fail) -> None:
    client, server = End(True, Script(fail=fail)), End(False, Script(fail=fail))
    with pytest.raises(AuthenticationError, match=fail.value):
        exchange(client, server)
    ends = {fail.CLIENT_REJECTS: (client, server)}
    failed, other = ends.get(fail, (server, client))
    with pytest.raises(AuthenticationError, match="the peer's alert"):
        for packet in failed.handshaking.last_packets(c.FRAME_CONNECTION_CLOSE, 0x12A, "", 0.1):
            other.receive(packet, 0.1)


def closed_by_peer(code: int) -> End:
    client, server = End(True), End(False)
    close = core.encode_frame((c.FRAME_CONNECTION_CLOSE, code, b"because"))
    client.send(0.0)
    assert client.receive(server.packets.seal(0, close), 1.0)
    return client


def test_a_close_of_the_peer_is_acted_on_after_three_pto_without_better() -> None:
    client = closed_by_peer(c.HANDSHAKE_FAILED + 40)
    deadline = client.handshaking.deadline()
    assert deadline is not None
    while deadline < 3.99:
        client.handshaking.handle_timeout(deadline)
        client.send(deadline)
        deadline = client.handshaking.deadline()
        assert deadline is not None
    assert deadline == pytest.approx(1.0 + 3 * 0.999)
    with pytest.raises(HandshakeError, match="because"):
        client.handshaking.handle_timeout(deadline)


def test_a_close_for_a_certificate_is_an_authentication_error() -> None:
    client = closed_by_peer(c.HANDSHAKE_FAILED + 42)
    with pytest.raises(AuthenticationError, match="0x12a"):
        client.handshaking.handle_timeout(4.1)


def test_a_handshake_that_goes_on_outweighs_a_close() -> None:
    client, server = End(True), End(False)
    close = core.encode_frame((c.FRAME_CONNECTION_CLOSE, 0x128, b"forged"))
    packets = client.send(0.0)
    client.receive(server.packets.seal(1000, close), 0.0)
    for packet in packets:
        server.receive(packet, 0.0)
    for packet in server.send(0.0):
        client.receive(packet, 0.0)
    client.handshaking.handle_timeout(5.0)


def late(act: Callable[[End, End], None]) -> str:
    client, server = End(True), End(False)
    act(client, server)
    with pytest.raises(HandshakeError) as caught:
        client.handshaking.handle_timeout(10.0)
    return str(caught.value)


def test_the_timeout_says_what_was_missing() -> None:
    def nothing(client: End, server: End) -> None:
        client.send(0.0)

    def only_an_acknowledgement(client: End, server: End) -> None:
        server.receive(client.send(0.0)[0], 0.0)
        ack = core.encode_frame((c.FRAME_ACK, 0.0, ((0, 1),)))
        client.receive(server.packets.seal(99, ack), 0.0)

    def only_parameters(client: End, server: End) -> None:
        frame = core.encode_frame((c.FRAME_PARAMETERS, BLOBS[False]))
        client.receive(server.packets.seal(99, frame), 0.0)

    def all_but_the_end(client: End, server: End) -> None:
        for packet in client.send(0.0):
            server.receive(packet, 0.0)
        for packet in server.send(0.0):
            client.receive(packet, 0.0)

    assert late(nothing) == "no answer from ('127.0.0.1', 4433) within 10 s"
    assert "its parameters did not arrive within 10 s" in late(only_an_acknowledgement)
    assert "did not arrive whole within 10 s" in late(only_parameters)
    assert "did not confirm the handshake within 10 s" in late(all_but_the_end)


def test_without_a_timeout_a_client_probes_for_ever() -> None:
    client = End(True, timeout=None)
    now = 0.0
    for _ in range(50):
        client.send(now)
        deadline = client.handshaking.deadline()
        assert deadline is not None
        assert now < deadline <= now + c.MAX_PTO + 0.001
        now = deadline
        client.handshaking.handle_timeout(now)
        assert client.handshaking.space.has_pending


def test_ten_early_packets_wait_and_no_more() -> None:
    server = End(False)
    kept = [server.handshaking.keep_early(bytes((n,))) for n in range(12)]
    assert kept == [True] * c.MAX_EARLY_PACKETS + [False] * 2
    assert server.handshaking.take_early() == [bytes((n,)) for n in range(10)]
    assert server.handshaking.take_early() == []


def test_versions_without_ours_end_a_client_that_heard_nothing_yet() -> None:
    client, server = End(True), End(False)
    assert client.handshaking.on_version_negotiation((c.VERSION_1, 5)) is None
    error = client.handshaking.on_version_negotiation((0x5, 0x6))
    assert "0x664d7801 (it speaks: 0x5, 0x6)" in str(error)
    assert "PLAINTEXT" in str(client.handshaking.on_version_negotiation((c.VERSION_PLAINTEXT,)))
    exchange(client, server)
    assert client.handshaking.on_version_negotiation((0x5,)) is None
    assert server.handshaking.on_version_negotiation((0x5,)) is None


def test_the_peer_hears_what_kind_of_failure_it_was_and_no_more() -> None:
    assert failure_of(AuthenticationError("expired yesterday")) == (0x12A, "authentication failed")
    assert failure_of(HandshakeError("odd bytes")) == (0x128, "handshake failed")


def test_early_packets_of_more_than_so_many_bytes_do_not_wait() -> None:
    """Ten of 64 KiB each were kept for somebody who has proved nothing."""
    server = End(False)
    assert server.handshaking.keep_early(bytes(c.MAX_EARLY_SIZE - 10))
    assert not server.handshaking.keep_early(bytes(11))
    assert server.handshaking.keep_early(bytes(10))
    server.handshaking.take_early()
    assert server.handshaking.keep_early(bytes(c.MAX_EARLY_SIZE))


def test_packets_of_an_address_that_is_not_proved_have_a_rate() -> None:
    """Guards: one knock let a spoofed address have any number of packets opened."""
    client, server = End(True), End(False)
    server.receive(client.send(0.0)[0], 0.0)
    sealed = [client.packets.seal(number, bytes((c.FRAME_PING,))) for number in range(1, 1001)]
    taken = sum(server.receive(packet, 0.1) for packet in sealed)
    assert c.HANDSHAKE_PACKET_BURST - 1 <= taken <= c.HANDSHAKE_PACKET_BURST
    taken = sum(server.receive(packet, 1.1) for packet in sealed[::-1])
    assert taken == c.HANDSHAKE_PACKET_RATE


def test_packets_of_a_proved_address_have_none() -> None:
    client, server = End(True), End(False)
    server.path.validate()
    server.receive(client.send(0.0)[0], 0.0)
    sealed = (client.packets.seal(number, bytes((c.FRAME_PING,))) for number in range(1, 1001))
    assert all(server.receive(packet, 0.1) for packet in sealed)


def test_ten_copies_of_every_packet_of_a_large_hello_meet_no_rate() -> None:
    """The flight is as large as a window; usual ones have one packet or two."""
    script = Script(hello_size=c.MAX_HANDSHAKE_BUFFER_AFTER)
    client, server = End(True, script), End(False, script)
    now = 0.0
    while not server.handshaking.is_verified:
        assert now < 1.0
        for packet in client.send(now):
            assert server.receive(packet, now)
            for _ in range(9):
                server.receive(packet, now)
        for packet in server.send(now):
            client.receive(packet, now)
        now += 0.05
